/** Until then what has just been drawn is on the screen and answers a tap; a browser that draws counts as idle. */
const DRAWN_MS = 300;
const MOST_MS = 1500;

/** Runs what can come a moment later, once the browser has nothing to do; not at all if it is called off before. */
export function whenIdle(run: () => void): () => void {
  let callOff: () => void = () => undefined;
  const timer = setTimeout(() => {
    // Safari has no such callback.
    if (typeof requestIdleCallback !== 'function') return run();
    const asked = requestIdleCallback(run, { timeout: MOST_MS });
    callOff = () => cancelIdleCallback(asked);
  }, DRAWN_MS);
  return () => {
    clearTimeout(timer);
    callOff();
  };
}
