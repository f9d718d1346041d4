// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { person } from '../../tests/given';
import { AudienceFaces, pause } from './faces.svelte';

let count: number;
let asked: ReturnType<typeof vi.fn>;

beforeEach(() => {
  vi.useFakeTimers();
  count = 2;
  asked = vi.fn(async () => ({ count, people: [person('bob')] }));
});
afterEach(() => vi.useRealTimers());

function follow() {
  const faces = new AudienceFaces({ audience: asked as never }, 'r1', () => count);
  return { faces, stop: faces.follow() };
}

it('asks at once, and again only when the count has changed', async () => {
  const { faces, stop } = follow();
  await vi.advanceTimersByTimeAsync(0);
  expect(faces.people).toEqual([person('bob')]);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveBeenCalledTimes(1);
  count = 3;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveBeenCalledTimes(2);
  stop();
  count = 4;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveBeenCalledTimes(2);
});

it('spreads a crowd, and asks seldom for it', async () => {
  count = 15_000;
  vi.spyOn(Math, 'random').mockReturnValue(0.5);
  follow();
  await vi.advanceTimersByTimeAsync(27_000);
  expect(asked).not.toHaveBeenCalled();
  const timer = setInterval(() => count++, 1000);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(asked).toHaveBeenCalledTimes(1);
  clearInterval(timer);
  expect(pause(0)).toBeLessThan(10_000);
});

it('keeps the faces it has when nobody answers', async () => {
  const { faces } = follow();
  await vi.advanceTimersByTimeAsync(0);
  asked.mockRejectedValue(new Error('away'));
  count = 9;
  await vi.advanceTimersByTimeAsync(20_000);
  expect(faces.people).toEqual([person('bob')]);
});
