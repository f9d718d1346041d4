/** What administrators have decided about whoever is signed in, and they have not read yet. */
import { api } from './account.svelte';
import { whenIdle } from './idle';
import type { Notice } from './protocol/types';

/** Asks once there is time, and again whenever the page is looked at anew; returns what ends that. */
export function unread(tell: (notices: Notice[]) => void): () => void {
  let ended = false;

  async function look() {
    try {
      const { notices } = await api.notices();
      if (!ended) tell(notices.filter((one) => !one.seen));
    } catch {
      // It is asked again; whoever is signed out or suspended meanwhile is told so by everything else.
    }
  }

  const seen = () => void (document.visibilityState === 'visible' && look());
  document.addEventListener('visibilitychange', seen);
  const idle = whenIdle(() => void look());
  return () => {
    ended = true;
    idle();
    document.removeEventListener('visibilitychange', seen);
  };
}
