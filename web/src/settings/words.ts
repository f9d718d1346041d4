/** The words of notices and of what ends them: a catalogue of its own, loaded with the settings alone. */
import { fill, language } from '../language/say.svelte';
import { catalogues, type Key, type Parameters } from './notice-messages';

export function word<K extends Key>(
  key: K,
  ...given: Parameters[K] extends undefined ? [] : [Parameters[K]]
): string {
  return fill(catalogues[language()][key], given[0]);
}
