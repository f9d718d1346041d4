/** A place on the waitlist. The server tells its token once: this browser keeps it until its person is in. */
import { api } from './account.svelte';
import { forget, keep, recallKept } from './kept';
import { Problem } from './protocol/problem';
import type { Place } from './protocol/types';

const KEPT = 'parola.waitlist';

export const isWaiting = () => recallKept(KEPT) !== null;
export const forgetLine = () => forget(KEPT);

/** Also on the server, which forgets the address; who is there no more has left already. */
export async function leaveLine(): Promise<void> {
  try {
    await api.leaveLine(recallKept(KEPT) ?? '');
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
  }
  forgetLine();
}

/** `handle` is the one that they would like; empty for none. */
export async function joinLine(email: string, handle: string): Promise<Place> {
  const place = await api.wait(email, handle);
  keep(KEPT, place.token);
  return place;
}

/** Null where the server knows nothing of it any more; then this browser does not either. */
export async function placeInLine(): Promise<Place | null> {
  try {
    return await api.place(recallKept(KEPT) ?? '');
  } catch (error) {
    if (!(error instanceof Problem) || error.status !== 404) throw error;
    forgetLine();
    return null;
  }
}
