// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../tests/given';
import { keepFresh } from './fresh';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function kept(ask: () => Promise<string>) {
  const fresh = vi.fn();
  const away = vi.fn();
  return { fresh, away, ...keepFresh({ ask, everyMs: 5000, fresh, away }) };
}

it('asks again, and no longer once it is stopped', async () => {
  const ask = vi.fn(async () => 'here');
  const { fresh, stop } = kept(ask);
  await settled();
  await vi.advanceTimersByTimeAsync(5000);
  expect(fresh.mock.calls).toEqual([['here'], ['here']]);
  stop();
  window.dispatchEvent(new Event('online'));
  await vi.advanceTimersByTimeAsync(60_000);
  expect(ask).toHaveBeenCalledTimes(2);
});

it('says when it tries again, and that it has come back', async () => {
  const ask = vi.fn<() => Promise<string>>().mockRejectedValueOnce(new TypeError()).mockResolvedValue('back');
  const { fresh, away, stop } = kept(ask);
  await settled();
  expect(away.mock.lastCall?.[0]).toBeGreaterThan(Date.now());
  expect(fresh).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(2000);
  expect(away.mock.lastCall).toEqual([null]);
  expect(fresh.mock.calls).toEqual([['back']]);
  stop();
});

it('lets only the newest answer count', async () => {
  const answers: ((text: string) => void)[] = [];
  const { fresh, again, stop } = kept(() => new Promise((resolve) => void answers.push(resolve)));
  again();
  answers[1]?.('newer');
  await settled();
  answers[0]?.('older');
  await settled();
  expect(fresh.mock.calls).toEqual([['newer']]);
  stop();
});
