/** The words of settings and signing in: a catalogue of its own, which is loaded with them. */
import { explain } from '../language/problems';
import { fill, language } from '../language/say.svelte';
import { Problem } from '../protocol/problem';
import { catalogues, type Key, type Parameters } from './messages';

export function tell<K extends Key>(
  key: K,
  ...given: Parameters[K] extends undefined ? [] : [Parameters[K]]
): string {
  return fill(catalogues[language()][key], given[0]);
}

const known: Record<string, Key> = {
  passkey_refused: 'fault_refused',
  unknown_passkey: 'fault_unknown',
  ceremony_over: 'fault_over',
  last_way: 'fault_last_way',
  too_many_passkeys: 'fault_too_many',
  passkey_known: 'fault_known',
  address_taken: 'fault_taken',
};

/** What the browser says of a ceremony with a passkey (WebAuthn, sections 5.1.3 and 5.1.4). */
const browsers: Record<string, Key> = {
  NotAllowedError: 'fault_closed',
  AbortError: 'fault_closed',
  InvalidStateError: 'fault_known_here',
  SecurityError: 'fault_address',
};

/** What went wrong, in a plain sentence. */
export function explainHere(error: unknown): string {
  const key =
    error instanceof Problem ? known[error.code] : error instanceof Error ? browsers[error.name] : undefined;
  return key === undefined ? explain(error) : tell(key as 'fault_over');
}
