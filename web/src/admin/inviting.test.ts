// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { api } from '../account.svelte';
import { Problem } from '../protocol/problem';
import Founders from './Founders.svelte';
import InvitingForm from './InvitingForm.svelte';
import OpenInvitations from './OpenInvitations.svelte';

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

it('takes an open invitation back with a reason, out of the list or by its link', async () => {
  const open = { id: 'one', by: person('bob'), created_at: AT, expires_at: AT };
  const json = vi
    .spyOn(api, 'json')
    .mockImplementation(async (method) =>
      method === 'GET'
        ? ({ invitations: [open, { ...open, id: 'two', by: null }], next: null } as never)
        : (undefined as never),
    );
  render(OpenInvitations);
  await settled();
  expect(screen.getByTestId('admin-open').textContent).toContain('the server');

  async function because(reason: string) {
    await fireEvent.input(screen.getByTestId('reason'), { target: { value: reason } });
    await fireEvent.submit(screen.getByTestId('do-it').closest('form') as HTMLFormElement);
    await settled();
    return json.mock.calls.filter(([method]) => method === 'POST').at(-1);
  }

  await fireEvent.click(screen.getByTestId('revoke-two'));
  expect(await because('sold')).toEqual(['POST', '/api/admin/invitations/two/revoke', { reason: 'sold' }]);
  const link = screen.getByTestId('revoke-link') as HTMLInputElement;
  await fireEvent.input(link, { target: { value: ' https://rooms.example/i/c-o_de ' } });
  await fireEvent.submit(link.closest('form') as HTMLFormElement);
  expect(await because('on a forum')).toEqual([
    'POST',
    '/api/admin/invitations/c-o_de/revoke',
    { reason: 'on a forum' },
  ]);
  expect(link.value).toBe('');
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
