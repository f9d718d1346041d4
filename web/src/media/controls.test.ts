import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { showNothing, showPlaying, type Playing } from './controls';

const handlers = new Map<string, (() => void) | null>();
const session = {
  metadata: null as { title: string; artist: string } | null,
  playbackState: 'none',
  setActionHandler(action: string, act: (() => void) | null) {
    if (action === 'hangup') throw new TypeError('no such action');
    handlers.set(action, act);
  },
};
const keys = { on: vi.fn(), off: vi.fn(), leave: vi.fn() };

beforeEach(() => {
  handlers.clear();
  for (const key of Object.values(keys)) key.mockReset();
  vi.stubGlobal('navigator', { mediaSession: session });
  vi.stubGlobal('MediaMetadata', function (this: object, given: object) {
    Object.assign(this, given);
  });
});

afterEach(() => vi.unstubAllGlobals());

function show(given: Partial<Playing> = {}) {
  showPlaying({ title: 'A room', host: 'Ada', on: true, microphone: null, ...given }, keys);
}

it('shows what is heard and whose room it is, and takes it away', () => {
  show();
  expect(session.metadata).toMatchObject({ title: 'A room', artist: 'Ada' });
  expect(session.playbackState).toBe('playing');
  showNothing();
  expect(session.metadata).toBeNull();
  expect(session.playbackState).toBe('none');
  expect([...handlers.values()]).toEqual([null, null, null, null]);
});

it('turns sound off by one key and on by another, whatever there is, and leaves', () => {
  show({ on: false, microphone: false });
  expect(session.playbackState).toBe('paused');
  handlers.get('pause')?.();
  expect(keys.off).toHaveBeenCalledOnce();
  expect(keys.on).not.toHaveBeenCalled();
  handlers.get('play')?.();
  expect(keys.on).toHaveBeenCalledOnce();
  handlers.get('stop')?.();
  expect(keys.leave).toHaveBeenCalledOnce();
});

it('has a key for the microphone only where there is one', () => {
  show();
  expect(handlers.get('togglemicrophone')).toBeNull();
  show({ microphone: true });
  handlers.get('togglemicrophone')?.();
  expect(keys.off).toHaveBeenCalledOnce();
});

it('does without where the browser has none of it', () => {
  vi.stubGlobal('navigator', {});
  show();
  showNothing();
});
