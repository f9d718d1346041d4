import { expect, it } from 'vitest';

import { isPath, shown } from './telling';

const started = (given: object = {}) => ({
  kind: 'room.started',
  language: 'en',
  room: { id: 'r1', title: 'Town council' },
  host: { handle: 'ada', name: 'Ada' },
  ...given,
});

it('says who has started what, in the language of who reads it', () => {
  expect(shown(started())).toEqual({
    title: '\u2068Ada\u2069 is live',
    text: 'Town council',
    lang: 'en',
    tag: 'room:r1',
    path: '/r/r1',
  });
  expect(shown(started({ language: 'it' }))?.title).toBe('\u2068Ada\u2069 è dal vivo');
  expect(shown(started({ language: 'xx' }))?.lang).toBe('en');
});

it('takes names and ids for what they are', () => {
  const name = '<b>$& {name}</b>';
  expect(shown(started({ host: { name } }))?.title).toBe(`\u2068${name}\u2069 is live`);
  expect(shown(started({ room: { id: '../@eve?x', title: 1 } }))).toMatchObject({
    path: '/r/..%2F%40eve%3Fx',
    text: '',
  });
});

it('shows the notice that one has sent oneself', () => {
  expect(shown({ kind: 'test', language: 'it' })?.title).toBe('Gli avvisi funzionano');
});

it('shows nothing of what it does not know', () => {
  for (const said of [
    null,
    'x',
    {},
    { kind: 'room.ended' },
    started({ room: null }),
    started({ room: { id: 7 } }),
  ])
    expect(shown(said)).toBeNull();
});

it('leads to rooms and settings alone', () => {
  expect(['/r/r1', '/settings'].every(isPath)).toBe(true);
  expect(['https://eve.example', '//eve.example', '/admin', '/@eve', 7, null].some(isPath)).toBe(false);
});
