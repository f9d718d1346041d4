/** The administration's words: a catalogue of its own, which nobody else loads. */
import { fill, language } from '../language/say.svelte';
import { catalogues, type Key, type Parameters } from './messages';

export function tell<K extends Key>(
  key: K,
  ...given: Parameters[K] extends undefined ? [] : [Parameters[K]]
): string {
  return fill(catalogues[language()][key], given[0]);
}
