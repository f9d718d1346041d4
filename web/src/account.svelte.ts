/** Who is at this page, and the one Api for all of it. */
import { Api } from './protocol/api';
import { Problem } from './protocol/problem';
import type { Account } from './protocol/types';

export const api = new Api();

/** `me` is undefined until the server has said, and null for a guest; `suspended`: nothing but what was decided about
 * them is answered to whoever is here. */
export const account = $state<{ me: Account | null | undefined; suspended?: boolean }>({ me: undefined });

export async function recognise(): Promise<void> {
  try {
    account.me = await api.me();
    account.suspended = false;
  } catch (error) {
    if (error instanceof Problem && error.code === 'suspended') {
      account.me = null;
      account.suspended = true;
      return;
    }
    // The server is away. As a guest one may wait for it; it is asked again on the next chance.
    account.me ??= null;
    window.setTimeout(() => void recognise(), 3000);
  }
}

export async function signOut(): Promise<void> {
  await api.signOut();
  account.me = null;
  account.suspended = false;
}
