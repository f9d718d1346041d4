/** How well the sound comes through at this moment, out of what the browser counts. Pure. */
import type { Entry } from './statistics';

export type Quality = 'good' | 'poor';

/** What a connection has counted up to now; it only grows. */
export interface Counted {
  received: number;
  lost: number;
  played: number;
  /** Samples made up in the middle of sound. */
  concealed: number;
  /** What the other side says it lost lately of what we send, 0 to 1. */
  lostThere: number;
  roundTripMs: number;
}

/** Long enough for a figure, and short enough to be about now. */
export const WINDOW_MS = 8000;
/** Here words begin to break. */
const MOST_LOST = 0.1;
const MOST_CONCEALED = 0.08;
/** Here people begin to talk into each other. */
const MOST_ROUND_TRIP_MS = 800;
/** With fewer packets than that, a share of them says nothing: nobody talks. */
const FEWEST_PACKETS = 20;
const FEWEST_SAMPLES = 48_000;

export function counted(entries: readonly Entry[]): Counted {
  const inbound = entries.find((one) => one.type === 'inbound-rtp');
  const remote = entries.find((one) => one.type === 'remote-inbound-rtp');
  const pair = entries.find((one) => one.type === 'candidate-pair' && one['nominated'] === true);
  const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : 0);
  return {
    received: number(inbound?.['packetsReceived']),
    lost: number(inbound?.['packetsLost']),
    played: number(inbound?.['totalSamplesReceived']),
    concealed: number(inbound?.['concealedSamples']) - number(inbound?.['silentConcealedSamples']),
    lostThere: number(remote?.['fractionLost']),
    roundTripMs: number(pair?.['currentRoundTripTime']) * 1000,
  };
}

/** Looks at one connection again and again; a new one begins anew. */
export class QualityMeter {
  private seen: { at: number; counted: Counted }[] = [];

  begin(): void {
    this.seen = [];
  }

  look(now: number, counted: Counted): Quality {
    this.seen = [...this.seen.filter((one) => now - one.at <= WINDOW_MS), { at: now, counted }];
    const first = (this.seen[0] as (typeof this.seen)[0]).counted;
    const lost = counted.lost - first.lost;
    const packets = counted.received - first.received + Math.max(0, lost);
    const played = counted.played - first.played;
    const concealed = counted.concealed - first.concealed;
    const poor =
      (packets >= FEWEST_PACKETS && lost / packets > MOST_LOST) ||
      (packets >= FEWEST_PACKETS && played >= FEWEST_SAMPLES && concealed / played > MOST_CONCEALED) ||
      counted.lostThere > MOST_LOST ||
      counted.roundTripMs > MOST_ROUND_TRIP_MS;
    return poor ? 'poor' : 'good';
  }
}
