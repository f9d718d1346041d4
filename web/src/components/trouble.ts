/** Plain sentences for what stands between a person and the sound. */
import { say } from '../language/say.svelte';
import type { LinkState } from '../media/link';
import type { MicrophoneFault } from '../media/microphone';

export function describe(fault: MicrophoneFault): string {
  switch (fault) {
    case 'refused':
      return say('microphone_refused');
    case 'absent':
      return say('microphone_absent');
    case 'busy':
      return say('microphone_busy');
    case 'insecure':
      return say('microphone_insecure');
    case 'unknown':
      return say('microphone_unknown');
  }
}

/** Why there is no sound; null while there is, or while it is merely on its way. */
export function trouble(state: LinkState, place: Place = browserPlace()): string | null {
  if (state.kind !== 'failed' && state.kind !== 'reconnecting') return null;
  switch (state.reason) {
    case 'udp':
      return place.loopback && place.firefox ? say('trouble_loopback') : say('trouble_udp');
    case 'full':
      return say('trouble_full');
    case 'browser':
      return say('trouble_browser');
    case 'elsewhere':
      return say('voice_elsewhere');
    case 'refused':
      if (state.kind === 'failed' && state.problem?.code === 'room_full') return say('trouble_room_full');
      return say('trouble_refused', {
        detail: (state.kind === 'failed' && (state.problem?.detail || state.problem?.code)) || '?',
      });
    case 'unreachable':
      // The first moments of coming back are no news; the state beside the title tells them.
      return state.kind === 'reconnecting' && state.tries === 0 ? null : say('trouble_unreachable');
  }
}

export interface Place {
  loopback: boolean;
  firefox: boolean;
}

export function browserPlace(): Place {
  return {
    loopback: /^(localhost|127(\.\d+){3}|\[::1\])$/.test(window.location.hostname),
    firefox: navigator.userAgent.includes('Firefox/'),
  };
}
