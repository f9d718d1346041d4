/** Whose faces the reader does not want to see: known here, so that a stage shows none of them. */
import { untrack } from 'svelte';
import { SvelteSet } from 'svelte/reactivity';

import { account, api } from './account.svelte';

class Hushed {
  private readonly handles = new SvelteSet<string>();

  has(handle: string): boolean {
    return this.handles.has(handle);
  }

  set(handle: string, is: boolean): void {
    if (is) this.handles.add(handle);
    else this.handles.delete(handle);
  }

  /** All of them, page by page. */
  async load(): Promise<void> {
    this.handles.clear();
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof api.hushes>> = await api.hushes(cursor);
      for (const { handle } of page.people) this.handles.add(handle);
      cursor = page.next;
    } while (cursor);
  }

  clear(): void {
    this.handles.clear();
  }
}

export const hushed = new Hushed();

/** Keeps it in step with who one is; to be called once, by the page's root. */
export function keepHushed(): void {
  const handle = $derived(account.me?.handle ?? null);
  $effect(() => {
    const who = handle;
    untrack(() => {
      if (who === null) hushed.clear();
      // A face too many until the next page is no harm that a message would mend.
      else hushed.load().catch(() => undefined);
    });
  });
}
