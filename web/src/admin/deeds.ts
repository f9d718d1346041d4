/** What is done from more than one part of the administration. */
import { suspend } from './calls';
import type { Deed } from './ReasonDialog.svelte';
import { tell } from './say';

export function suspending(handle: string): Deed {
  return {
    title: tell('suspend'),
    lead: tell('suspend_lead', { handle }),
    branches: true,
    danger: true,
    carryOut: (reason, branch) => suspend(handle, reason, branch),
  };
}
