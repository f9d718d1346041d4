/** Now, as far as waiting times need it: it moves on every half minute. */
const EVERY_MS = 30_000;

const clock = $state({ now: Date.now() });
setInterval(() => (clock.now = Date.now()), EVERY_MS);

/** Whole minutes since `time`; never less than none, since clocks differ. */
export function minutesSince(time: string): number {
  return Math.max(0, Math.floor((Math.max(clock.now, Date.parse(time)) - Date.parse(time)) / 60_000));
}
