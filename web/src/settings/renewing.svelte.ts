/** Keeps this browser's notices in step with who one is; to be called once, by the page's root. */
import { account } from '../account.svelte';

export function keepPushed(): void {
  const handle = $derived(account.me ? account.me.handle : account.me);
  let before: string | null | undefined;
  $effect(() => {
    const last = before;
    const who = (before = handle);
    // When the page has just opened, the server knows this already.
    if (last === undefined || typeof who !== 'string') return;
    import('./push').then(({ renew }) => renew(who)).catch(() => undefined);
  });
}
