// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import { api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import Founders from './Founders.svelte';
import InvitingForm from './InvitingForm.svelte';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(cleanup);

const policy = {
  each: 5,
  more: 1,
  days: 3,
  more_at_most: 100,
  life_days: 14,
  waitlist_a_day: 0,
  waitlist_days: 0,
};

it('saves the rules for invitations with a reason, upon the version that was seen', async () => {
  const json = vi
    .spyOn(api, 'json')
    .mockResolvedValue({ registration: 'invite', version: 4, policy } as never);
  render(InvitingForm);
  await settled();
  await fireEvent.input(screen.getByTestId('inviting-waitlist_a_day'), { target: { value: '20' } });
  await fireEvent.submit(screen.getByTestId('inviting'));
  await fireEvent.input(screen.getByTestId('reason'), { target: { value: 'slowly' } });
  await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
  await settled();
  expect(json).toHaveBeenLastCalledWith('PUT', '/api/admin/invitations/policy', {
    expected: 4,
    policy: { ...policy, waitlist_a_day: 20 },
    reason: 'slowly',
  });
});

it('names the lines of a table that cannot be used, and keeps the table', async () => {
  const errors = [{ field: 'line 3', message: 'This is no address for mail.' }];
  vi.spyOn(api, 'json').mockRejectedValue(new Problem(422, 'invalid', 'Nobody was invited.', errors));
  render(Founders, { props: { ondone: vi.fn() } });
  const table = screen.getByTestId('founders') as HTMLTextAreaElement;
  await fireEvent.input(table, { target: { value: 'email\nnonsense' } });
  await fireEvent.submit(table.closest('form') as HTMLFormElement);
  await settled();
  expect(screen.getByText('line 3: This is no address for mail.')).toBeTruthy();
  expect(table.value).toBe('email\nnonsense');
});
