// @vitest-environment jsdom
import { expect, it } from 'vitest';

import { route } from './router.svelte';

it('knows its addresses', () => {
  expect(route('/')).toEqual({ page: 'home' });
  expect(route('/r/a-B_9')).toEqual({ page: 'room', id: 'a-B_9' });
  expect(route('/@ada')).toEqual({ page: 'profile', handle: 'ada' });
  for (const path of ['/r', '/r/a/b', '/@', '/elsewhere', '/r/%']) expect(route(path).page).not.toBe('home');
  expect(route('/elsewhere')).toEqual({ page: 'unknown' });
});
