/** Who is at this page, and the one Api for all of it. */
import { Api } from './protocol/api';
import type { Account } from './protocol/types';

export const api = new Api();

/** `undefined` until the server has said; null for a guest. */
export const account = $state<{ me: Account | null | undefined }>({ me: undefined });

export async function recognise(): Promise<void> {
  try {
    account.me = await api.me();
  } catch {
    // The server is away. As a guest one may wait for it; it is asked again on the next chance.
    account.me ??= null;
    window.setTimeout(() => void recognise(), 3000);
  }
}

export async function signOut(): Promise<void> {
  await api.signOut();
  account.me = null;
}
