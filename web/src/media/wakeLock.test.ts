// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { WakeLock } from './wakeLock';

let given: { released: boolean }[];
let refusal: Error | null;

beforeEach(() => {
  [given, refusal] = [[], null];
  const request = async () => {
    if (refusal) throw refusal;
    const lock = { released: false, release: async () => void (lock.released = true) };
    given.push(lock);
    return lock;
  };
  vi.stubGlobal('navigator', { wakeLock: { request } });
});

afterEach(() => vi.unstubAllGlobals());

function seen(state: 'visible' | 'hidden') {
  vi.spyOn(document, 'visibilityState', 'get').mockReturnValue(state);
  document.dispatchEvent(new Event('visibilitychange'));
}

it('holds one lock from hold to release', async () => {
  const lock = new WakeLock();
  lock.hold();
  lock.hold();
  await settled();
  expect(given).toEqual([{ released: false, release: expect.anything() }]);
  lock.release();
  await settled();
  expect(given[0]?.released).toBe(true);
});

it('asks again when the page comes back into view, and only while it is wanted', async () => {
  const lock = new WakeLock();
  lock.hold();
  await settled();
  (given[0] as { released: boolean }).released = true;
  seen('hidden');
  await settled();
  expect(given).toHaveLength(1);
  seen('visible');
  await settled();
  expect(given).toHaveLength(2);
  lock.release();
  seen('visible');
  await settled();
  expect(given).toHaveLength(2);
});

it('keeps none that comes after the stage was left', async () => {
  const lock = new WakeLock();
  lock.hold();
  lock.release();
  await settled();
  expect(given.every((one) => one.released)).toBe(true);
});

it('bears a refusal, and browsers that have none', async () => {
  refusal = new DOMException('', 'NotAllowedError');
  const lock = new WakeLock();
  lock.hold();
  await settled();
  refusal = null;
  seen('visible');
  await settled();
  expect(given).toHaveLength(1);
  vi.stubGlobal('navigator', {});
  new WakeLock().hold();
});
