/** Single keys that act anywhere on the page. Who speaks to the computer, or types by accident, switches them off. */
import { keep, recallKept } from './kept';

const STORED = 'parola.keys';

export const keys = $state({ on: recallKept(STORED) !== 'off' });

export function chooseKeys(on: boolean): void {
  keys.on = on;
  keep(STORED, on ? 'on' : 'off');
}

/** The key of a press that is meant for the page, in lower case; null for one that writes, or belongs to the browser. */
export function keyOf(event: KeyboardEvent): string | null {
  return !keys.on || event.repeat || !isForPage(event) ? null : event.key.toLowerCase();
}

/** Neither one of the browser's shortcuts, nor where one writes or chooses. */
export function isForPage(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return false;
  const target = event.target instanceof Element ? event.target : null;
  return !target?.closest('input, select, textarea, [contenteditable], dialog');
}
