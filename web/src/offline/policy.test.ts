import { expect, it } from 'vitest';

import { handling } from './policy';

const origin = 'https://parola.example';
const parts = new Set(['/favicon.svg', '/assets/index-1.js']);

function handled(path: string, mode = 'cors', method = 'GET', from = origin) {
  return handling({ method, mode, url: from + path }, origin, parts);
}

it('lets everything of the API pass, opened as an address, too', () => {
  for (const path of ['/api', '/api/rooms', '/api/rooms/r1/events', '/api/me?x=1'])
    for (const mode of ['cors', 'navigate', 'same-origin']) expect(handled(path, mode)).toBe('network');
});

it('answers for the addresses that people open, and for no other method', () => {
  for (const path of ['/', '/r/abc', '/@ada', '/apiary', '/r/abc?from=a'])
    expect(handled(path, 'navigate')).toBe('document');
  expect(handled('/r/abc', 'navigate', 'POST')).toBe('network');
});

it('has the parts of its own build and knows no others', () => {
  expect(handled('/assets/index-1.js')).toBe('part');
  expect(handled('/favicon.svg', 'no-cors')).toBe('part');
  expect(handled('/assets/index-2.js')).toBe('network');
  expect(handled('/favicon.svg?new')).toBe('network');
  expect(handled('/favicon.svg', 'no-cors', 'GET', 'https://elsewhere.example')).toBe('network');
});

it('keeps no room’s own document for anything but an address', () => {
  expect(handled('/r/abc', 'cors')).toBe('network');
  expect(handled('/', 'same-origin')).toBe('network');
});
