/**
 * The server's clock, by which turns and offers end: this machine's own may be wrong by hours. Each answer says what
 * time it was there, to the second.
 */
let ahead = 0;
let doubt = Infinity;

/** `date` is an answer's own header; the others are when it was asked for and when it came, as Date.now counts. */
export function noteTime(date: string | null, asked: number, came: number): void {
  const said = date === null ? NaN : Date.parse(date);
  if (Number.isNaN(said)) return;
  // Whole seconds, cut off: in the middle it was half a second later.
  const found = said + 500 - (asked + came) / 2;
  const unsure = 500 + (came - asked) / 2;
  // Of two answers that agree the quicker one is nearer; where they do not, somebody has set this clock meanwhile.
  if (unsure > doubt && Math.abs(found - ahead) <= unsure + doubt) return;
  [ahead, doubt] = [found, unsure];
}

/** Milliseconds as Date.now counts them, on the server. */
export function serverNow(): number {
  return Date.now() + ahead;
}
