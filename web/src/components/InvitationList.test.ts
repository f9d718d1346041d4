// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { AT, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import InvitePage from '../pages/InvitePage.svelte';
import { Problem } from '../protocol/problem';
import type { Invitation, Invitations } from '../protocol/types';
import InvitationList from './InvitationList.svelte';

afterEach(() => {
  cleanup();
  account.me = undefined;
});

const open: Invitation = {
  id: 'one',
  url: 'http://localhost/i/CODE',
  state: 'open',
  created_at: AT,
  expires_at: AT,
  used_by: null,
};

it('makes a link, takes it back, and says who came', async () => {
  const used: Invitation = { ...open, id: 'two', url: null, state: 'used', used_by: person('bob') };
  let mine: Invitations = {
    registration: 'invite',
    left: 1,
    earned: 0,
    earns: { more: 1, days: 3 },
    invitations: [used],
  };
  vi.spyOn(api, 'invitations').mockImplementation(async () => mine);
  vi.spyOn(api, 'makeInvitation').mockImplementation(async () => {
    mine = { ...mine, left: 0, invitations: [open, used] };
    return open;
  });
  const revoke = vi.spyOn(api, 'revokeInvitation').mockImplementation(async () => {
    mine = { ...mine, left: 1, invitations: [used] };
  });
  render(InvitationList);
  await settled();
  expect(screen.getByTestId('came').textContent).toBe('Bob');
  await fireEvent.click(screen.getByTestId('make-invitation'));
  await settled();
  expect(screen.getByTestId('invitation-link').textContent).toBe(open.url);
  expect((screen.getByTestId('make-invitation') as HTMLButtonElement).disabled).toBe(true);
  await fireEvent.click(screen.getByTestId('revoke-invitation'));
  await settled();
  expect(revoke).toHaveBeenCalledWith('one');
  expect(screen.queryByTestId('invitation-link')).toBeNull();
});

it('is not there where nobody needs an invitation', async () => {
  vi.spyOn(api, 'invitations').mockResolvedValue({
    registration: 'open',
    left: 5,
    earned: 0,
    earns: { more: 1, days: 3 },
    invitations: [],
  });
  render(InvitationList);
  await settled();
  expect(screen.queryByTestId('invitations')).toBeNull();
});

it('signs up with the code of the link', async () => {
  account.me = null;
  vi.spyOn(api, 'inviter').mockResolvedValue(person('ada'));
  const signUp = vi.spyOn(api, 'signUp').mockResolvedValue({ id: 'eva', ...person('eva') });
  render(InvitePage, { props: { code: 'CODE' } });
  await settled();
  expect(screen.getByText('Ada invites you to Parola')).toBeTruthy();
  await fireEvent.input(screen.getByTestId('signup-handle'), { target: { value: 'eva' } });
  await fireEvent.input(screen.getByTestId('signup-password'), { target: { value: 'a long secret' } });
  await fireEvent.submit(screen.getByTestId('signup-submit').closest('form') as HTMLFormElement);
  await settled();
  expect(signUp).toHaveBeenCalledWith('eva', 'eva', 'a long secret', 'CODE');
  expect(window.location.pathname).toBe('/');
});

it('says that a link does not hold any more, or is for somebody else', async () => {
  account.me = null;
  vi.spyOn(api, 'inviter').mockRejectedValue(new Problem(404, 'not_found', '', []));
  render(InvitePage, { props: { code: 'CODE' } });
  await settled();
  expect(screen.getByText('This invitation does not hold any more')).toBeTruthy();
  cleanup();
  account.me = { id: 'eva', ...person('eva') };
  render(InvitePage, { props: { code: 'CODE' } });
  await settled();
  expect(screen.getByText(/the invitation is for somebody else/)).toBeTruthy();
});
