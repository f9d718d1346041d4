/** Keeps this browser's notices in step with who one is and what one reads; to be called once, by the page's root. */
import { account } from '../account.svelte';
import { language } from '../language/say.svelte';

export function keepPushed(): void {
  const handle = $derived(account.me ? account.me.handle : account.me);
  let before: { handle: string | null | undefined; language: string } | null = null;
  $effect(() => {
    const now = { handle, language: language() };
    const last = before;
    before = now;
    // When the page has just opened, the server knows all this already.
    if (!last || last.handle === undefined || typeof now.handle !== 'string') return;
    const who = now.handle;
    import('./push').then(({ renew }) => renew(who, now.language)).catch(() => undefined);
  });
}
