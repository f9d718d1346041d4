import { expect, it } from 'vitest';

import { read } from './statistics';

it('reads what a listener would want to know', () => {
  const figures = read([
    { type: 'candidate-pair', nominated: false, currentRoundTripTime: 9 },
    { type: 'candidate-pair', nominated: true, currentRoundTripTime: 0.0214 },
    { type: 'codec', id: 'a', mimeType: 'audio/red' },
    {
      type: 'inbound-rtp',
      codecId: 'a',
      packetsReceived: 95,
      packetsLost: 5,
      jitter: 0.0035,
      totalSamplesReceived: 48_000,
      concealedSamples: 5280,
      silentConcealedSamples: 480,
    },
  ]);
  expect(figures).toEqual({
    roundTripMs: 21,
    jitterMs: 4,
    loss: 0.05,
    concealed: 0.1,
    packets: 95,
    codec: 'red',
  });
});

it('has no opinion before anything came', () => {
  expect(read([])).toEqual({
    roundTripMs: null,
    jitterMs: null,
    loss: null,
    concealed: null,
    packets: 0,
    codec: null,
  });
});
