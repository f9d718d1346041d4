// @vitest-environment jsdom
import { beforeEach, expect, it } from 'vitest';

import { choose, clock, preferred, say } from './say.svelte';

beforeEach(() => choose('en'));

it('speaks the chosen language and remembers it', () => {
  expect(say('listen')).toBe('Listen');
  choose('it');
  expect(say('listen')).toBe('Ascolta');
  expect(document.documentElement.lang).toBe('it');
  expect(localStorage.getItem('parola.language')).toBe('it');
});

it('counts', () => {
  expect(say('on_stage_count', { count: 1 })).toBe('1 speaker');
  expect(say('on_stage_count', { count: 1248 })).toBe('1,248 speakers');
  choose('it');
  expect(say('hand_place', { count: 1 })).toBe('La tua mano è la prima in fila.');
  expect(say('hand_place', { count: 4 })).toBe('La tua mano è la numero 4 in fila.');
});

it('puts names in as they are', () => {
  expect(say('said_hand', { name: '$& {name} <b>' })).toBe('$& {name} <b> raises a hand.');
});

it('follows the browser as far as it can', () => {
  expect(preferred(['de-CH', 'it-CH', 'en'])).toBe('it');
  expect(preferred(['EN-us'])).toBe('en');
  expect(preferred(['de'])).toBe('en');
});

it('writes times', () => {
  expect(clock('2026-03-04T05:06:07.890Z')).toMatch(/\d{1,2}[:.]\d{2}/);
});
