/** The room on the lock screen and on the keys of headphones (Media Session). */

export interface Playing {
  title: string;
  host: string;
  /** Whether there is sound: of the room for who listens, of oneself for who speaks. */
  on: boolean;
  /** Whether the microphone is open; null where there is none. */
  microphone: boolean | null;
}

export interface Keys {
  on(): void;
  off(): void;
  leave(): void;
}

const ARTWORK = [192, 512].map((size) => ({
  src: `/icons/maskable-${size}.png`,
  sizes: `${size}x${size}`,
  type: 'image/png',
}));

export function showPlaying(playing: Playing, keys: Keys): void {
  const session = navigator.mediaSession;
  if (!session) return;
  session.metadata = new MediaMetadata({
    title: playing.title,
    artist: playing.host,
    album: 'Parola',
    artwork: ARTWORK,
  });
  session.playbackState = playing.on ? 'playing' : 'paused';
  // Never one for the other: headphones that are unplugged send a pause, and nothing may open a microphone by that.
  handle('play', keys.on);
  handle('pause', keys.off);
  handle('stop', keys.leave);
  handle('hangup' as MediaSessionAction, keys.leave);
  handle(
    'togglemicrophone' as MediaSessionAction,
    playing.microphone === null ? null : playing.microphone ? keys.off : keys.on,
  );
  void session.setMicrophoneActive?.(playing.microphone === true);
}

export function showNothing(): void {
  const session = navigator.mediaSession;
  if (!session) return;
  session.metadata = null;
  session.playbackState = 'none';
  for (const action of ['play', 'pause', 'stop', 'hangup', 'togglemicrophone'])
    handle(action as MediaSessionAction, null);
}

function handle(action: MediaSessionAction, act: (() => void) | null): void {
  try {
    navigator.mediaSession.setActionHandler(action, act);
  } catch {
    // This browser has no such key.
  }
}
