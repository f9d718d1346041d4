/** Single keys that act anywhere on the page. Who speaks to the computer, or types by accident, switches them off. */
const STORED = 'parola.keys';

export const keys = $state({ on: recalled() });

export function chooseKeys(on: boolean): void {
  keys.on = on;
  try {
    localStorage.setItem(STORED, on ? 'on' : 'off');
  } catch {
    // A browser that keeps nothing asks again next time.
  }
}

/** The key of a press that is meant for the page, in lower case; null for one that writes, or belongs to the browser. */
export function keyOf(event: KeyboardEvent): string | null {
  if (!keys.on || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return null;
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest('input, select, textarea, [contenteditable], dialog')) return null;
  return event.key.toLowerCase();
}

function recalled(): boolean {
  try {
    return localStorage.getItem(STORED) !== 'off';
  } catch {
    return true;
  }
}
