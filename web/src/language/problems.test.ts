// @vitest-environment jsdom
import { afterEach, expect, it } from 'vitest';

import { Problem } from '../protocol/problem';
import { explain, faultIn } from './problems';
import { choose } from './say.svelte';

afterEach(() => choose('en'));

const no = (because: string, wanted: number | null = null) =>
  explain(new Problem(403, 'not_yet_hosting', 'the words of the server', [], null, because, wanted));

it('says what would change that one may not open rooms yet', () => {
  expect(no('followers', 600)).toBe('You can open rooms once 600 people follow you.');
  expect(no('age', 1)).toBe('Your account is too young to open rooms: 1 more day.');
  expect(no('cooling_off', 5)).toContain('in 5 minutes');
  const plain = ['off', 'denied', 'testers', 'percent', 'access', 'guests'].map((one) => no(one));
  expect(new Set(plain).size).toBe(plain.length);
  expect(no('something newer')).toBe('the words of the server');
});

it('reads it off the answer', async () => {
  const body = { code: 'not_yet_hosting', detail: 'x', because: 'age', wanted: 3 };
  const problem = await Problem.of(new Response(JSON.stringify(body), { status: 403 }));
  expect([problem.because, problem.wanted]).toEqual(['age', 3]);
});

it.each(['hands_full', 'too_many_live', 'too_many_scheduled'])('has words of its own for %s', (code) => {
  expect(explain(new Problem(409, code, 'What the server says.'))).not.toContain('What the server says.');
});

it.each([
  ['en', 'The word “idiot” is not allowed here.', 'which is in your name'],
  ['it', 'La parola «idiot» qui non è ammessa.', 'che è nel tuo nome'],
] as const)('names a word that is not allowed, also beside its field, in %s', (language, words, named) => {
  choose(language);
  const message = '“idiot” is not allowed here.';
  const problem = new Problem(422, 'word_blocked', message, [{ field: 'title', message }]);
  expect(explain(problem)).toBe(words);
  expect(faultIn(problem, 'title')).toBe(words);
  expect(faultIn(problem, 'name')).toBeNull();
  const ofTheName = new Problem(403, 'word_blocked', 'The host has blocked “idiot”, which is in your name.');
  expect(explain(ofTheName)).toContain('idiot');
  expect(explain(ofTheName)).toContain(named);
});

it('says of other faults of a field what the server says', () => {
  const problem = new Problem(422, 'invalid', 'x', [{ field: 'title', message: 'At most 120 characters.' }]);
  expect(faultIn(problem, 'title')).toBe('At most 120 characters.');
});
