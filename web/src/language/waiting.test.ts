import { afterEach, expect, it, vi } from 'vitest';

afterEach(() => vi.useRealTimers());

it('moves on by itself', async () => {
  vi.useFakeTimers({ now: 1_000_000 });
  const { minutesSince } = await import('./waiting.svelte');
  const since = new Date(1_000_000).toISOString();
  expect(minutesSince(since)).toBe(0);
  vi.advanceTimersByTime(60_000);
  expect(minutesSince(since)).toBe(1);
});
