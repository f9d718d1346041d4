// @vitest-environment jsdom
import { afterEach, expect, it } from 'vitest';

import { chooseKeys, keyOf } from './keys.svelte';

afterEach(() => chooseKeys(true));

function pressed(on: string, init: KeyboardEventInit): string | null {
  document.body.innerHTML = on;
  let key: string | null = null;
  const listen = (event: KeyboardEvent) => (key = keyOf(event));
  document.addEventListener('keydown', listen);
  document.querySelector('#x')?.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, ...init }));
  document.removeEventListener('keydown', listen);
  return key;
}

it('takes single keys, not what writes or belongs to the browser', () => {
  expect(pressed('<p id="x"></p>', { key: 'M' })).toBe('m');
  expect(pressed('<button id="x"></button>', { key: '?' })).toBe('?');
  for (const modifier of ['ctrlKey', 'metaKey', 'altKey', 'repeat'])
    expect(pressed('<p id="x"></p>', { key: 'm', [modifier]: true })).toBeNull();
  for (const on of ['<input id="x">', '<textarea id="x"></textarea>', '<dialog><p id="x"></p></dialog>'])
    expect(pressed(on, { key: 'm' })).toBeNull();
});

it('takes none once they are switched off, here and after coming back', () => {
  chooseKeys(false);
  expect(pressed('<p id="x"></p>', { key: 'm' })).toBeNull();
  expect(localStorage.getItem('parola.keys')).toBe('off');
});
