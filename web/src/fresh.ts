/** Asks again and again while it is looked at, rarely while it is not, and ever later while no answer comes. */
import { backoff } from './protocol/backoff';

export interface Fresh<T> {
  ask: () => Promise<T>;
  everyMs: number;
  fresh: (answer: T) => void;
  /** When it is tried again; null once an answer has come. */
  away: (retryAt: number | null) => void;
}

const HIDDEN_TIMES = 6;

export function keepFresh<T>({ ask, everyMs, fresh, away }: Fresh<T>): {
  again: () => void;
  stop: () => void;
} {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let tries = 0;
  /** Only what was asked last counts, and nothing after the end. */
  let turn = 0;

  const again = async () => {
    clearTimeout(timer);
    const mine = ++turn;
    let wait = everyMs;
    try {
      const answer = await ask();
      if (mine !== turn) return;
      tries = 0;
      away(null);
      fresh(answer);
    } catch {
      if (mine !== turn) return;
      wait = backoff(tries++, Math.random(), 2000);
      away(Date.now() + wait);
    }
    timer = setTimeout(() => void again(), visible() ? wait : wait * HIDDEN_TIMES);
  };
  const wake = () => void again();
  const shown = () => {
    if (visible()) wake();
  };

  wake();
  window.addEventListener('online', wake);
  document.addEventListener('visibilitychange', shown);
  return {
    again: wake,
    stop: () => {
      turn++;
      clearTimeout(timer);
      window.removeEventListener('online', wake);
      document.removeEventListener('visibilitychange', shown);
    },
  };
}

function visible(): boolean {
  return document.visibilityState === 'visible';
}
