// @vitest-environment jsdom
import { expect, it } from 'vitest';

import { initials, tone } from './Avatar.svelte';

it('makes initials of any name', () => {
  expect(initials('Ada Lovelace', 'ada')).toBe('AL');
  expect(initials('maria de la cruz', 'm')).toBe('MC');
  expect(initials('', 'ada')).toBe('A');
  expect(initials('  👩‍🚀 Sally ', 's')).toBe('👩‍🚀S');
  expect(initials('<b>Bold</b> (Co.)', 'b')).toBe('BC');
  expect(initials('e\u0301mile 1\ufe0f\u20e3', 'e')).toBe('E\u03011\ufe0f\u20e3');
  expect(initials('…', 'b')).toBe('…');
  expect(initials('ß', 's')).toHaveLength(2);
});

it('gives a handle one colour for good', () => {
  expect(tone('ada')).toBe(tone('ada'));
  for (const handle of ['a', 'bob', '😀', 'x'.repeat(30)]) expect(tone(handle)).toBeLessThan(8);
});
