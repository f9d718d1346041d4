// @vitest-environment jsdom
import { expect, it } from 'vitest';

import { Problem } from '../protocol/problem';
import { explain } from './problems';

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

it('names a word that is not allowed', () => {
  const problem = new Problem(422, 'word_blocked', '“idiot” is not allowed here.');
  expect(explain(problem)).toBe('The word “idiot” is not allowed here.');
});
