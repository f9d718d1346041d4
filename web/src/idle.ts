const MOST_MS = 1500;

/** Runs what can come a moment later, once the browser has nothing to do; not at all if it is called off before. */
export function whenIdle(run: () => void): () => void {
  // Safari has no such callback.
  if (typeof requestIdleCallback !== 'function') {
    const timer = setTimeout(run, MOST_MS / 3);
    return () => clearTimeout(timer);
  }
  const asked = requestIdleCallback(run, { timeout: MOST_MS });
  return () => cancelIdleCallback(asked);
}
