/**
 * How long to wait before try number `tries` (0 first): doubling from `firstMs` up to `mostMs`, spread over the upper
 * half so that a thousand pages do not come back in the same instant.
 */
export function backoff(tries: number, random: number, firstMs = 500, mostMs = 8000): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(tries, 16));
  return Math.round(full * (0.5 + random / 2));
}
