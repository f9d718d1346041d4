// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, settled } from '../../tests/given';
import { api } from '../account.svelte';
import { notices } from '../notices.svelte';
import { Problem } from '../protocol/problem';
import HostWords from './HostWords.svelte';

let there: string[];
let refusal: Problem | null;

beforeEach(() => {
  there = [];
  refusal = null;
  vi.spyOn(api, 'json').mockImplementation(async (method: string, path: string, body?: unknown) => {
    const { pathname, searchParams } = new URL(path, 'http://localhost');
    expect(pathname).toBe('/api/me/words');
    if (method !== 'GET' && refusal) throw refusal;
    if (method === 'POST') there.push((body as { word: string }).word);
    if (method === 'DELETE') there = there.filter((word) => word !== searchParams.get('word'));
    return { words: there.map((word) => ({ word, at: AT })) } as never;
  });
});

afterEach(cleanup);

async function show() {
  render(HostWords);
  await settled();
}

const field = () => screen.getByTestId<HTMLInputElement>('word');
const shown = () => screen.queryAllByRole('listitem').map((one) => one.querySelector('bdi')?.textContent);

async function add(word: string) {
  await fireEvent.input(field(), { target: { value: word } });
  await fireEvent.submit(field().form as HTMLFormElement);
  await settled();
}

it('shows that there is none, takes one up, and back', async () => {
  await show();
  expect(screen.getByTestId('host-words-none')).toBeTruthy();
  await add(' idiot ');
  await add('two & words');
  expect(shown()).toEqual(['idiot', 'two & words']);
  expect(screen.queryByTestId('host-words-none')).toBeNull();
  expect([field().value, notices.spoken]).toEqual(['', '“two & words” is blocked in your rooms.']);
  const back = screen.getByRole('button', { name: 'Allow again: two & words' });
  back.focus();
  await fireEvent.click(back);
  await settled();
  expect(shown()).toEqual(['idiot']);
  expect(notices.spoken).toBe('“two & words” is allowed again.');
  expect(document.activeElement).toBe(field());
});

it.each([
  [new Problem(422, 'invalid', 'x', [{ field: 'word', message: 'This has no letter in it.' }]), 'a letter'],
  [new Problem(409, 'too_many_words', 'At most 200 words.'), 'The list is full'],
])('says beside the field why a word is not taken, and keeps it there', async (problem, words) => {
  await show();
  refusal = problem;
  await add('...');
  expect(screen.getByRole('alert').textContent).toContain(words);
  expect(document.getElementById(field().getAttribute('aria-describedby') ?? '')?.textContent).toContain(
    words,
  );
  expect([field().value, field().getAttribute('aria-invalid'), shown()]).toEqual(['...', 'true', []]);
  refusal = null;
  await add('word');
  expect(screen.getByRole('alert').textContent).toBe('');
  expect(shown()).toEqual(['word']);
});

it('says so where the list cannot be read', async () => {
  vi.spyOn(api, 'json').mockRejectedValue(new Problem(503, 'store_away', ''));
  await show();
  expect(screen.getByTestId('word-fault')).toBeTruthy();
  expect(screen.queryByTestId('host-words-none')).toBeNull();
});
