// @vitest-environment jsdom
import { beforeEach, expect, it } from 'vitest';

import { languages } from './messages';
import { choose, clock, enumerate, howLong, pluralOf, preferred, say, soon } from './say.svelte';

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

it('counts as the languages do', () => {
  for (const one of languages) {
    const rules = new Intl.PluralRules(one);
    for (let count = 0; count < 1200; count++)
      expect(pluralOf[one](count), `${one} ${count}`).toBe(rules.select(count));
  }
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

it('says how long something took', () => {
  const minutes = (count: number) => howLong(count * 60_000);
  expect(minutes(0.2)).toBe('1 min');
  expect(minutes(59.4)).toBe('59 min');
  expect(minutes(59.6)).toBe('1 hr');
  expect(minutes(65)).toBe('1 hr, 5 min');
  expect(minutes(26 * 60)).toBe('26 hr');
  choose('it');
  expect(minutes(65)).toMatch(/^1 h,? (e )?5 min$/);
});

it('names the year only where it is another one', () => {
  const now = Date.parse('2026-03-04T12:00:00Z');
  expect(soon('2026-06-10T12:00:00Z', now)).toMatch(/Wed.*Jun/);
  expect(soon('2026-06-10T12:00:00Z', now)).not.toContain('2026');
  expect(soon('2027-06-10T12:00:00Z', now)).toContain('2027');
});

it('lists names', () => {
  expect(enumerate(['Ada', 'Bob', 'Carla'])).toMatch(/^Ada, Bob,? and Carla$/);
  choose('it');
  expect(enumerate(['Ada', 'Bob'])).toBe('Ada e Bob');
});
