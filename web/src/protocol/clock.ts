/**
 * The server's clock, by which turns and offers end: this machine's own may be wrong by hours. Each answer says what
 * time it was there, in whole seconds, and up to a second late: so it bounds how far that clock may be ahead of ours,
 * and several answers bound it closely. A clock that may be right is taken to be.
 */
const VAGUE_MS = 2000;

let [least, most] = [-Infinity, Infinity];

/** `date` is an answer's own header; the others are when it was asked for and when it came, as Date.now counts. */
export function noteTime(date: string | null, asked: number, came: number): void {
  const said = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(said)) return;
  const [low, high] = [said - came, said + VAGUE_MS - asked];
  // Where an answer agrees with none before it, one of the clocks was set meanwhile.
  const agrees = low <= most && high >= least;
  [least, most] = agrees ? [Math.max(least, low), Math.min(most, high)] : [low, high];
}

/** Milliseconds as Date.now counts them, on the server. */
export function serverNow(): number {
  return Date.now() + Math.min(most, Math.max(least, 0));
}
