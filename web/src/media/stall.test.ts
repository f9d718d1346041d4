import { beforeEach, describe, expect, it } from 'vitest';

import { LOOK_EVERY_MS, REST_MS, SPARSE_MS, STEADY_MS, Stall } from './stall';

let stall: Stall;
let now: number;
let played: number;

beforeEach(() => {
  stall = new Stall();
  [now, played] = [1000, 0];
});

/** Looks for so long; a packet comes whenever `every` has passed. Returns how long it took to the alarm, or null. */
function pass(ms: number, every: number): number | null {
  const begin = now;
  let sent = now;
  while (now - begin < ms) {
    now += LOOK_EVERY_MS;
    if (now - sent >= every) [played, sent] = [played + 960, now];
    if (stall.look(now, played)) return now - begin;
  }
  return null;
}

const speech = (ms: number) => pass(ms, 20);
const silence = (ms: number) => pass(ms, 400);
const nothing = (ms: number) => pass(ms, Number.POSITIVE_INFINITY);

describe('Stall', () => {
  it('takes half a second of nothing after speech for a stop, once', () => {
    expect(speech(2000)).toBeNull();
    expect(nothing(3000)).toBe(STEADY_MS);
    expect(nothing(REST_MS - 200)).toBeNull();
  });

  it('waits longer where the server was silent, whose packets are few', () => {
    expect(silence(5000)).toBeNull();
    expect(nothing(5000)).toBeLessThanOrEqual(SPARSE_MS);
  });

  it('does not mind the end of speech, nor two lost packets in a silence', () => {
    speech(2000);
    expect(silence(4000)).toBeNull();
    expect(nothing(1000)).toBeNull();
    expect(silence(2000)).toBeNull();
  });

  it('knows nothing before the first sound', () => {
    for (let n = 0; n < 50; n++) expect(stall.look((now += LOOK_EVERY_MS), null)).toBe(false);
  });

  it('does not count the time that the page itself was asleep', () => {
    speech(2000);
    now += 10_000;
    expect(stall.look(now, played)).toBe(false);
    expect(nothing(400)).toBeNull();
  });

  it('rests longer after each alarm, and forgets them after a while', () => {
    speech(1000);
    expect(nothing(1000)).toBe(STEADY_MS);
    speech(1000);
    expect(nothing(60_000)).toBeGreaterThan(REST_MS - 2500);
    speech(1000);
    expect(nothing(60_000)).toBeGreaterThan(2 * REST_MS - 2500);
    speech(400_000);
    expect(nothing(1000)).toBe(STEADY_MS);
  });

  it('begins anew with another connection', () => {
    speech(2000);
    stall.begin();
    played = 77_000_000;
    expect(silence(300)).toBeNull();
    expect(nothing(700)).toBeNull();
  });
});
