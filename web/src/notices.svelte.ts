/** Short sentences that come and go: shown to those who see, and read out politely to those who listen. */

export interface Notice {
  id: number;
  text: string;
  tone: 'plain' | 'fault';
  action?: { label: string; run: () => void };
}

const SHOWN_MS = 6000;
const SHOWN_WITH_ACTION_MS = 12_000;

let count = 0;
export const notices = $state<{ shown: Notice[]; spoken: string }>({ shown: [], spoken: '' });

/** Shown and read out. */
export function notify(text: string, tone: Notice['tone'] = 'plain', action?: Notice['action']): void {
  const notice: Notice = { id: ++count, text, tone, ...(action ? { action } : {}) };
  notices.shown = [...notices.shown.filter((one) => one.text !== text), notice].slice(-2);
  announce(text);
  setTimeout(() => dismiss(notice.id), action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
}

/** Only read out: those who see have it before their eyes. */
export function announce(text: string): void {
  // The same words twice are read twice only if the text differs.
  notices.spoken = notices.spoken === text ? `${text}\u00a0` : text;
}

export function dismiss(id: number): void {
  notices.shown = notices.shown.filter((one) => one.id !== id);
}
