// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { person, settled } from '../../tests/given';
import { account } from '../account.svelte';
import { Problem } from '../protocol/problem';
import Notices from './Notices.svelte';
import * as push from './push';
import { wishes, type Wish } from './wishes';

let wish: Wish;

beforeEach(() => {
  account.me = { id: 'bob', ...person('bob'), bio: '' };
  wish = { in_page: true, email: false, has_address: true, browsers: [] };
  vi.spyOn(wishes, 'read').mockImplementation(async () => wish);
  vi.spyOn(wishes, 'choose').mockImplementation(async (change) => (wish = { ...wish, ...change }));
});

afterEach(() => {
  cleanup();
  account.me = undefined;
});

async function show(standing: push.Standing) {
  vi.spyOn(push, 'standing').mockResolvedValue(standing);
  render(Notices);
  await settled();
}

const box = (name: string) => screen.getByTestId<HTMLInputElement>(name);

it('shows what holds, and keeps what is chosen', async () => {
  await show('off');
  expect(box('notices-in-page').checked).toBe(true);
  expect(box('notices-email').checked).toBe(false);
  await fireEvent.click(box('notices-in-page'));
  await settled();
  await fireEvent.click(box('notices-email'));
  await settled();
  expect(wish).toMatchObject({ in_page: false, email: true });
  expect(box('notices-email').checked).toBe(true);
});

it('asks the browser at a tap alone', async () => {
  const turnOn = vi.spyOn(push, 'turnOn').mockResolvedValue('on');
  await show('off');
  expect(turnOn).not.toHaveBeenCalled();
  expect(screen.queryByTestId('notices-test')).toBeNull();
  wish = { ...wish, browsers: [{ id: 'a', since: '2026-01-02T03:04:05.000Z' }] };
  vi.mocked(push.standing).mockResolvedValue('on');
  await fireEvent.click(box('notices-push'));
  await settled();
  expect(turnOn).toHaveBeenCalledExactlyOnceWith('bob');
  expect(box('notices-push').checked).toBe(true);
  expect(screen.getByTestId('notices-test')).toBeTruthy();
});

it('says so where the browser refuses, cannot, or does not reach its service', async () => {
  await show('refused');
  expect(box('notices-push').disabled).toBe(true);
  expect(screen.getByTestId('notices-push-state').textContent).toContain('was told not to');
  cleanup();
  await show('cannot');
  expect(screen.getByTestId('notices-push-state').textContent).toContain('cannot');
  cleanup();
  await show('off');
  vi.spyOn(push, 'turnOn').mockRejectedValue(new DOMException('push service error', 'AbortError'));
  await fireEvent.click(box('notices-push'));
  await settled();
  expect(screen.getByRole('alert').textContent).toContain('could not reach its notice service');
  expect(box('notices-push').checked).toBe(false);
});

it('takes no mail for granted where there is no address', async () => {
  wish = { ...wish, has_address: false };
  await show('off');
  expect(box('notices-email').disabled).toBe(true);
  expect(screen.getByText('There is no confirmed address to write to yet.')).toBeTruthy();
});

it('sends one now, and says whether it was taken', async () => {
  wish = { ...wish, browsers: [{ id: 'a', since: '2026-01-02T03:04:05.000Z' }] };
  const test = vi.spyOn(wishes, 'test').mockResolvedValue({ sent: 0, failed: 1 });
  await show('on');
  await fireEvent.click(screen.getByTestId('notices-test'));
  await settled();
  expect(test).toHaveBeenCalledOnce();
  expect(screen.getByRole('alert').textContent).toContain('No device took it');
  test.mockRejectedValue(new Problem(429, 'too_many', ''));
  await fireEvent.click(screen.getByTestId('notices-test'));
  await settled();
  expect(screen.getByRole('alert').textContent).toContain('moment');
});

it('stops on all devices at once', async () => {
  wish = { ...wish, browsers: ['a', 'b'].map((id) => ({ id, since: '2026-01-02T03:04:05.000Z' })) };
  vi.spyOn(push, 'turnOff').mockResolvedValue();
  const all = vi.spyOn(wishes, 'unsubscribeAll').mockImplementation(async () => {
    wish = { ...wish, browsers: [] };
  });
  await show('on');
  expect(screen.getByText('1 other device is told, too.')).toBeTruthy();
  await fireEvent.click(screen.getByTestId('notices-stop'));
  await settled();
  expect(all).toHaveBeenCalledOnce();
  expect(screen.queryByTestId('notices-test')).toBeNull();
});
