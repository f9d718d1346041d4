import { expect, it } from 'vitest';

import { counted, QualityMeter, WINDOW_MS, type Counted } from './quality';

const nothing: Counted = { received: 0, lost: 0, played: 0, concealed: 0, lostThere: 0, roundTripMs: 30 };

/** Looks every two seconds, and says what it saw each time. */
function watched(...steps: Partial<Counted>[]) {
  const meter = new QualityMeter();
  let now = { ...nothing };
  return steps.map((step, index) => {
    const { lostThere = 0, roundTripMs = 30, ...grown } = step;
    now = { ...now, lostThere, roundTripMs };
    for (const [name, by] of Object.entries(grown)) now[name as keyof Counted] += by;
    return meter.look(2000 * index, now);
  });
}

const fine = { received: 100, played: 96_000 };
const lossy = { received: 80, lost: 20, played: 96_000 };

it('is good as long as sound comes whole', () => {
  expect(watched({}, fine, fine, fine)).toEqual(['good', 'good', 'good', 'good']);
});

it('is poor while many packets are lost, and good again once that is past', () => {
  const steps = watched({}, lossy, lossy, fine, fine, fine, fine, fine);
  expect(steps.slice(0, 3)).toEqual(['good', 'poor', 'poor']);
  expect(steps[steps.length - 1]).toBe('good');
});

it('is poor where sound is made up, though all packets came: too late', () => {
  expect(watched({}, { ...fine, concealed: 12_000 })).toEqual(['good', 'poor']);
});

it('judges nothing by the few packets of a silence', () => {
  expect(watched({}, { received: 4, lost: 2, played: 96_000, concealed: 90_000 })).toEqual(['good', 'good']);
});

it('is poor where the server loses us, or the way is long', () => {
  expect(watched({ lostThere: 0.2 }, {})).toEqual(['poor', 'good']);
  expect(watched({ roundTripMs: 1200 })).toEqual(['poor']);
});

it('forgets the connection before', () => {
  const meter = new QualityMeter();
  meter.look(0, nothing);
  expect(meter.look(2000, { ...nothing, received: 80, lost: 40 })).toBe('poor');
  meter.begin();
  expect(meter.look(4000, { ...nothing, received: 10 })).toBe('good');
  expect(WINDOW_MS).toBeGreaterThan(2000);
});

it('counts what a browser reports', () => {
  expect(
    counted([
      {
        type: 'inbound-rtp',
        packetsReceived: 9,
        packetsLost: 1,
        totalSamplesReceived: 960,
        concealedSamples: 50,
        silentConcealedSamples: 20,
      },
      { type: 'remote-inbound-rtp', fractionLost: 0.25 },
      { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.05 },
    ]),
  ).toEqual({ received: 9, lost: 1, played: 960, concealed: 30, lostThere: 0.25, roundTripMs: 50 });
  expect(counted([])).toEqual({ ...nothing, roundTripMs: 0 });
});
