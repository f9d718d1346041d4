/** The one action that matters for a person at this moment. Pure. */
import type { LinkState } from '../media/link';
import type { Room } from '../protocol/types';
import type { Voice } from './session.svelte';

export type Action =
  | 'start'
  | 'hear'
  | 'answer_offer'
  | 'take_floor'
  | 'talk'
  | 'mute'
  | 'unmute'
  | 'listen'
  | 'raise_hand'
  | 'lower_hand'
  | 'sign_in'
  | 'wait';

export interface Situation {
  room: Room;
  listening: LinkState;
  blocked: boolean;
  hushed?: boolean;
  voice: Voice;
  pushToTalk?: boolean;
}

export function mainAction({ room, listening, blocked, hushed, voice, pushToTalk }: Situation): Action {
  const { you } = room;
  if (room.state === 'scheduled') return you.role === 'host' ? 'start' : 'wait';
  if (blocked || (hushed && voice === 'closed')) return 'hear';
  if (you.offered) return 'answer_offer';
  if (you.may_speak) {
    if (voice === 'closed') return 'take_floor';
    if (voice === 'ready' || (voice === 'open' && pushToTalk)) return 'talk';
    return voice === 'open' || voice === 'opening' ? 'mute' : 'unmute';
  }
  if (listening.kind === 'idle') return 'listen';
  if (you.role === 'guest') return 'sign_in';
  return you.hand ? 'lower_hand' : 'raise_hand';
}
