import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const THERE = Date.parse('2026-03-04T05:06:07Z');

let clock: typeof import('./clock');

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  clock = await import('./clock');
});
afterEach(() => vi.useRealTimers());

/** An answer at `at`, by the server's clock, which is `ahead` of ours; its header is up to a second `late`. */
function answer(at: number, ahead: number, late = 0) {
  vi.setSystemTime(at - ahead);
  const header = new Date(Math.floor((at - late) / 1000) * 1000).toUTCString();
  clock.noteTime(header, at - ahead - 40, at - ahead + 40);
}

/** How far we are off, in milliseconds. */
const off = (ahead: number) => clock.serverNow() - Date.now() - ahead;

it('is this clock until the server has said something', () => {
  vi.setSystemTime(THERE);
  clock.noteTime(null, THERE, THERE);
  clock.noteTime('yesterday', THERE, THERE);
  expect(clock.serverNow()).toBe(THERE);
});

it('is this clock where it may be right, however late the header is', () => {
  for (let ms = 0; ms < 5000; ms += 130) {
    answer(THERE + ms, 0, (ms * 7) % 1000);
    expect(off(0)).toBe(0);
  }
});

it.each([3_600_000, -3_600_000, 2500])(
  'is the server’s where that is %i ms ahead, the closer the more it says',
  (ahead) => {
    answer(THERE + 900, ahead, 800);
    expect(Math.abs(off(ahead))).toBeLessThanOrEqual(2040);
    for (let ms = 0; ms < 10_000; ms += 130) answer(THERE + 900 + ms, ahead, (ms * 7) % 1000);
    expect(Math.abs(off(ahead))).toBeLessThanOrEqual(300);
  },
);

it('follows a clock that is set', () => {
  answer(THERE, 60_000);
  answer(THERE + 5000, -60_000);
  expect(Math.abs(off(-60_000))).toBeLessThanOrEqual(2040);
});
