import { afterEach, beforeEach, expect, it, vi } from 'vitest';

const THERE = Date.parse('2026-03-04T05:06:07Z');
const header = (at: number) => new Date(at).toUTCString();

let clock: typeof import('./clock');

beforeEach(async () => {
  vi.useFakeTimers();
  vi.resetModules();
  clock = await import('./clock');
});
afterEach(() => vi.useRealTimers());

/** An answer of the server, whose clock this one is `behind`, in milliseconds. */
function answer(behind: number, ms: number) {
  const asked = THERE - behind;
  vi.setSystemTime(asked + ms);
  clock.noteTime(header(THERE + ms / 2), asked, asked + ms);
}

it('is this clock until the server has said something', () => {
  vi.setSystemTime(THERE);
  clock.noteTime(null, THERE, THERE);
  clock.noteTime('yesterday', THERE, THERE);
  expect(clock.serverNow()).toBe(THERE);
});

it.each([0, 3_600_000, -3_600_000])(
  'is the server’s to the second, with a clock that is %i ms behind',
  (behind) => {
    answer(behind, 80);
    expect(Math.abs(clock.serverNow() - (THERE + 80))).toBeLessThanOrEqual(550);
  },
);

it('believes the quicker of two answers that agree, and the later of two that do not', () => {
  answer(60_000, 20);
  const sure = clock.serverNow() - Date.now();
  answer(60_000, 900);
  expect(clock.serverNow() - Date.now()).toBe(sure);
  answer(-60_000, 900);
  expect(Math.abs(clock.serverNow() - Date.now() + 60_000)).toBeLessThan(1000);
});
