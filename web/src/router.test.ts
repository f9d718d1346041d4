// @vitest-environment jsdom
import { expect, it } from 'vitest';

import { route } from './router.svelte';

it('knows its addresses', () => {
  expect(route('/')).toEqual({ page: 'home' });
  expect(route('/r/a-B_9')).toEqual({ page: 'room', id: 'a-B_9' });
  expect(route('/@ada')).toEqual({ page: 'profile', handle: 'ada' });
  expect(route('/i/CODE')).toEqual({ page: 'invite', code: 'CODE' });
  expect(route('/admin')).toEqual({ page: 'admin', part: 'people' });
  expect(route('/admin/audit')).toEqual({ page: 'admin', part: 'audit' });
  for (const path of ['/i', '/admin/a/b']) expect(route(path)).toEqual({ page: 'unknown' });
  for (const path of ['/r', '/r/a/b', '/@', '/elsewhere', '/r/%']) expect(route(path).page).not.toBe('home');
  expect(route('/elsewhere')).toEqual({ page: 'unknown' });
});
