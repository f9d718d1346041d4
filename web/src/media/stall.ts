/**
 * Notices that a program has stopped on its way to us: the network has changed, or a router has forgotten us. Nobody
 * says so, and the browser itself looks only every two and a half seconds.
 *
 * The server sends something every 20 ms while somebody talks, and every 400 ms while nobody does. So after steady
 * sound half a second of nothing is no chance, and after silence a second and a half is none. A false alarm costs the
 * server a connection, and everybody's at once when the server itself has stood still: they soon become rare.
 */
export const LOOK_EVERY_MS = 100;
export const STEADY_MS = 500;
export const SPARSE_MS = 1500;
export const REST_MS = 10_000;
const LONGEST_REST_MS = 160_000;
/** A quiet time that long, and the next alarm is the first again. */
const FORGIVEN_MS = 300_000;
const NEIGHBOURS_MS = 250;
const STEADY_LOOKS = 3;
/** We stood still ourselves: a page that was put to sleep has heard nothing and must not wonder. */
const OWN_ABSENCE_MS = 400;

export class Stall {
  private last: number | null = null;
  private heardAt = 0;
  private lookedAt = Number.NEGATIVE_INFINITY;
  private run = 0;
  private rest = REST_MS;
  private alarmedAt = Number.NEGATIVE_INFINITY;

  /** Another connection carries the sound: its numbers are others. */
  begin(): void {
    this.last = null;
    this.run = 0;
  }

  /**
   * To be asked about every `LOOK_EVERY_MS`. `played` is the RTP timestamp of what was played last, null as long as
   * there is none. True once for each stop that is worth a new connection.
   */
  look(now: number, played: number | null): boolean {
    const absent = now - this.lookedAt > OWN_ABSENCE_MS;
    this.lookedAt = now;
    if (played === null) return false;
    if (played !== this.last || absent) {
      this.run = absent || now - this.heardAt > NEIGHBOURS_MS ? 1 : this.run + 1;
      this.last = played;
      this.heardAt = now;
      return false;
    }
    const patience = this.run >= STEADY_LOOKS ? STEADY_MS : SPARSE_MS;
    if (now - this.heardAt < patience || now - this.alarmedAt < this.rest) return false;
    const again = now - this.alarmedAt < FORGIVEN_MS;
    this.rest = again ? Math.min(LONGEST_REST_MS, 2 * this.rest) : REST_MS;
    this.alarmedAt = now;
    return true;
  }
}
