// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import SuspendedPage from '../pages/SuspendedPage.svelte';
import { Problem } from '../protocol/problem';
import type { Notice } from '../protocol/types';
import { unread } from '../unread';
import Decision from './Decision.svelte';

const notice = (given: Partial<Notice> = {}): Notice => ({
  id: 'n1',
  measure: 'warn',
  reason: 'shouts',
  at: AT,
  until: null,
  over: true,
  seen: false,
  may_appeal: true,
  appeal: null,
  ...given,
});

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
  account.me = undefined;
  account.suspended = false;
});

it('says what and why, and takes an appeal in the own words', async () => {
  const onchange = vi.fn();
  const sent = vi.spyOn(api, 'appeal').mockResolvedValue(undefined);
  render(Decision, { props: { notice: notice(), onchange } });
  expect(screen.getByTestId('decision-reason').textContent).toBe('shouts');
  await fireEvent.click(screen.getByTestId('appeal'));
  await fireEvent.click(screen.getByTestId('appeal-send'));
  expect(sent, 'nothing was said').not.toHaveBeenCalled();
  await fireEvent.input(screen.getByTestId('appeal-text'), { target: { value: 'It was my brother. ' } });
  await fireEvent.click(screen.getByTestId('appeal-send'));
  await settled();
  expect(sent).toHaveBeenCalledWith('n1', 'It was my brother.');
  expect(onchange).toHaveBeenCalledOnce();
});

it('says why an appeal was refused', async () => {
  vi.spyOn(api, 'appeal').mockRejectedValue(new Problem(409, 'already_appealed', ''));
  render(Decision, { props: { notice: notice(), onchange: vi.fn() } });
  await fireEvent.click(screen.getByTestId('appeal'));
  await fireEvent.input(screen.getByTestId('appeal-text'), { target: { value: 'No.' } });
  await fireEvent.click(screen.getByTestId('appeal-send'));
  await settled();
  expect(screen.getByRole('alert')).toBeTruthy();
});

it.each([
  [null, /waits/],
  ['upheld', /stays/],
  ['lifted', /favour/],
] as const)('shows an appeal that is %s', (decision, said) => {
  const appeal = { text: 'No.', at: AT, decision, decided_at: null, reason: null };
  render(Decision, { props: { notice: notice({ appeal, may_appeal: false }), onchange: vi.fn() } });
  expect(screen.getByTestId('appeal-state').textContent).toMatch(said);
  expect(screen.queryByTestId('appeal')).toBeNull();
});

it('offers no appeal against a favour', () => {
  render(Decision, {
    props: { notice: notice({ measure: 'restore', may_appeal: false }), onchange: vi.fn() },
  });
  expect(screen.queryByTestId('appeal')).toBeNull();
});

it('is all that there is for the suspended, and goes when it is over', async () => {
  const held = { me: person('bob'), suspended: true, notices: [notice({ measure: 'suspend', over: false })] };
  const asked = vi.spyOn(api, 'notices').mockResolvedValue(held);
  const seen = vi.spyOn(api, 'seeNotice').mockResolvedValue(undefined);
  account.me = null;
  account.suspended = true;
  render(SuspendedPage);
  await settled();
  expect(screen.getByTestId('decision-suspend')).toBeTruthy();
  expect(seen).toHaveBeenCalledWith('n1');
  cleanup();
  asked.mockRejectedValue(new Problem(401, 'not_signed_in', ''));
  vi.spyOn(api, 'me').mockResolvedValue(null);
  render(SuspendedPage);
  await settled();
  expect(account.suspended).toBe(false);
});

it('tells of what is not read yet, once there is time, and again when one comes back', async () => {
  vi.useFakeTimers();
  const fresh = notice({ id: 'n2' });
  const asked = vi
    .spyOn(api, 'notices')
    .mockResolvedValue({ me: person('bob'), suspended: false, notices: [notice({ seen: true }), fresh] });
  const told = vi.fn();
  const end = unread(told);
  await vi.advanceTimersByTimeAsync(2000);
  expect(told).toHaveBeenLastCalledWith([fresh]);
  document.dispatchEvent(new Event('visibilitychange'));
  await vi.advanceTimersByTimeAsync(1);
  expect(asked).toHaveBeenCalledTimes(2);
  end();
  document.dispatchEvent(new Event('visibilitychange'));
  expect(asked).toHaveBeenCalledTimes(2);
  vi.useRealTimers();
});
