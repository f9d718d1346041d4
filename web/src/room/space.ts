/** The space bar as a key to talk by, wherever one is on the page, except where it writes. */
import { isForPage } from '../keys.svelte';

export interface Talks {
  pushToTalk: boolean;
  talk(held: boolean): void;
}

/** Until the returned function is called. `who` is asked at each press. */
export function talkBySpace(who: () => Talks | null): () => void {
  let talking: Talks | null = null;
  const release = () => {
    talking?.talk(false);
    talking = null;
  };
  const down = (event: KeyboardEvent) => {
    if (event.code !== 'Space' || !isForPage(event)) return;
    const one = who();
    if (!one?.pushToTalk) return;
    // Neither scrolls the page nor presses the button that has the focus.
    event.preventDefault();
    if (event.repeat || talking) return;
    talking = one;
    one.talk(true);
  };
  const up = (event: KeyboardEvent) => {
    if (event.code !== 'Space' || !talking) return;
    event.preventDefault();
    release();
  };
  const hidden = () => {
    if (document.visibilityState !== 'visible') release();
  };
  window.addEventListener('keydown', down);
  window.addEventListener('keyup', up);
  // A key that is let go elsewhere is not told to us.
  window.addEventListener('blur', release);
  document.addEventListener('visibilitychange', hidden);
  return () => {
    release();
    window.removeEventListener('keydown', down);
    window.removeEventListener('keyup', up);
    window.removeEventListener('blur', release);
    document.removeEventListener('visibilitychange', hidden);
  };
}
