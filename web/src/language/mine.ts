/** The language of an account: it comes with whoever signs in, and goes with what they choose. */
import { account, api } from '../account.svelte';
import type { Language } from './messages';
import { choose, language } from './say.svelte';

/** Takes over what the account says; what it has not said yet is what the page is in. */
export async function keepLanguage(): Promise<void> {
  try {
    const me = account.me?.language === undefined ? await api.me() : account.me;
    if (me?.language) choose(me.language);
    else if (me) await api.update({ language: language() });
  } catch {
    // Nothing depends on it: the next visit asks again.
  }
}

export async function chooseForMe(next: Language): Promise<void> {
  choose(next);
  if (!account.me) return;
  try {
    account.me = await api.update({ language: next });
  } catch {
    // The page is in it all the same.
  }
}
