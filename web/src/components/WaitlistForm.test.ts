// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import { forgetLine, isWaiting, joinLine } from '../waitlist';
import AccountForm from './AccountForm.svelte';
import WaitlistForm from './WaitlistForm.svelte';

afterEach(() => {
  cleanup();
  forgetLine();
  account.me = undefined;
});

const EVA = 'eva@rooms.example';
const submit = (testid: string) =>
  fireEvent.submit(screen.getByTestId(testid).closest('form') as HTMLFormElement);

it('offers the waitlist to who has no invitation, with the handle they would like', async () => {
  vi.spyOn(api, 'signUp').mockRejectedValue(new Problem(403, 'invite_required', '', []));
  const wait = vi
    .spyOn(api, 'wait')
    .mockRejectedValueOnce(
      new Problem(422, 'invalid', '', [{ field: 'handle', message: 'This handle is reserved.' }]),
    )
    .mockResolvedValue({ token: 'secret', state: 'waiting', position: 4 });
  render(AccountForm);
  expect(screen.queryByTestId('to-waitlist')).toBeNull();
  await fireEvent.input(screen.getByTestId('signup-handle'), { target: { value: 'admin' } });
  await fireEvent.input(screen.getByTestId('signup-password'), { target: { value: 'a long secret' } });
  await submit('signup-submit');
  await settled();
  await fireEvent.click(screen.getByTestId('to-waitlist'));
  const wish = screen.getByTestId('waitlist-handle') as HTMLInputElement;
  expect(wish.value).toBe('admin');
  await fireEvent.input(screen.getByTestId('waitlist-email'), { target: { value: EVA } });
  await submit('waitlist-submit');
  await settled();
  expect(screen.getByText('This handle is reserved.')).toBeTruthy();
  expect(wish.getAttribute('aria-invalid')).toBe('true');
  await fireEvent.input(wish, { target: { value: '@Eva' } });
  await submit('waitlist-submit');
  await settled();
  expect(wait.mock.calls).toEqual([
    [EVA, 'admin'],
    [EVA, 'eva'],
  ]);
  expect(screen.getByTestId('waitlist-place').textContent).toContain('number 4');
});

it('is left, and the server forgets the address', async () => {
  vi.spyOn(api, 'wait').mockResolvedValue({ token: 'secret', state: 'waiting', position: 4 });
  await joinLine(EVA, '');
  vi.spyOn(api, 'place').mockResolvedValue({ state: 'waiting', position: 2 });
  const left = vi
    .spyOn(api, 'leaveLine')
    .mockRejectedValueOnce(new Problem(503, 'store_away', ''))
    .mockResolvedValue(undefined);
  render(AccountForm);
  await settled();
  await fireEvent.click(screen.getByTestId('waitlist-leave'));
  await settled();
  expect(screen.getByRole('alert')).toBeTruthy();
  expect(isWaiting()).toBe(true);
  await fireEvent.click(screen.getByTestId('waitlist-leave'));
  await settled();
  expect(left).toHaveBeenLastCalledWith('secret');
  expect(isWaiting()).toBe(false);
  expect(screen.getByTestId('waitlist-gone')).toBeTruthy();
  expect(document.activeElement).toBe(screen.getByTestId('waitlist-email'));
});

it('shows whoever comes back their place, until the turn has come', async () => {
  vi.spyOn(api, 'wait').mockResolvedValue({ token: 'secret', state: 'waiting', position: 4 });
  await joinLine(EVA, '');
  const place = vi.spyOn(api, 'place').mockResolvedValueOnce({ state: 'waiting', position: 2 });
  render(AccountForm);
  await settled();
  expect(place).toHaveBeenLastCalledWith('secret');
  expect(screen.getByTestId('waitlist-place').textContent).toContain('number 2');
  cleanup();

  render(AccountForm, { props: { code: 'an-invitation' } });
  await settled();
  expect(screen.queryByTestId('waitlist-place')).toBeNull();
  cleanup();

  place.mockResolvedValueOnce({ state: 'invited', position: null });
  render(AccountForm);
  await settled();
  expect(screen.getByTestId('waitlist-place').textContent).toContain('Your turn has come');
  await fireEvent.click(screen.getByTestId('waitlist-again'));
  await settled();
  expect(document.activeElement).toBe(screen.getByTestId('waitlist-email'));
  expect(isWaiting()).toBe(false);
});

it('keeps a place that it could not ask for, and lets go of one that is not there any more', async () => {
  vi.spyOn(api, 'wait').mockResolvedValue({ token: 'secret', state: 'waiting', position: 4 });
  await joinLine(EVA, '');
  const place = vi.spyOn(api, 'place').mockRejectedValueOnce(new Problem(503, 'store_away', '', []));
  render(WaitlistForm);
  await settled();
  expect(screen.getByRole('alert')).toBeTruthy();
  expect(screen.queryByTestId('waitlist-email')).toBeNull();
  expect(isWaiting()).toBe(true);
  cleanup();

  place.mockRejectedValueOnce(new Problem(404, 'not_found', '', []));
  render(WaitlistForm);
  await settled();
  expect(screen.getByTestId('waitlist-gone')).toBeTruthy();
  expect(screen.getByTestId('waitlist-email')).toBeTruthy();
  expect(isWaiting()).toBe(false);
});

it('forgets the place of whoever is in', async () => {
  vi.spyOn(api, 'wait').mockResolvedValue({ token: 'secret', state: 'waiting', position: 4 });
  await joinLine(EVA, '');
  vi.spyOn(api, 'signUp').mockResolvedValue({ id: 'eva', ...person('eva') });
  render(AccountForm, { props: { code: 'an-invitation' } });
  await fireEvent.input(screen.getByTestId('signup-handle'), { target: { value: 'eva' } });
  await fireEvent.input(screen.getByTestId('signup-password'), { target: { value: 'a long secret' } });
  await submit('signup-submit');
  await settled();
  expect(isWaiting()).toBe(false);
});
