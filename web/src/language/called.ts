import type { Person } from '../protocol/types';
import { say } from './say.svelte';

/** What stands for somebody's name; of a deleted account the server has one in English alone. */
export function called(person: Person): string {
  return person.handle.startsWith('deleted-') ? say('deleted_account') : person.name;
}
