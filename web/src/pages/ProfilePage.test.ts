// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aRoom, aScreen, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { Problem, Unreachable } from '../protocol/problem';
import type { Lifecycle, Person, Profile, Room } from '../protocol/types';
import ProfilePage from './ProfilePage.svelte';

beforeEach(() => {
  vi.useFakeTimers();
  aScreen(true);
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  account.me = undefined;
});

function aProfile(handle: string, given: Partial<Profile> = {}): Profile {
  return {
    id: handle,
    ...person(handle),
    bio: '',
    followers: 1,
    following: 2,
    live_room: null,
    followed: false,
    requested: false,
    follows_you: false,
    blocked: false,
    hushed: false,
    private: false,
    ...given,
  };
}

const me = (handle: string) => ({ id: handle, ...person(handle), bio: '', listen_unseen: false });

/** Ada's page, seen by `viewer`; the server keeps what is done there. */
async function show(
  viewer: string | null,
  rooms: Partial<Record<Lifecycle, Room[]>> = {},
  given: Partial<Profile> & { people?: Person[] } = {},
) {
  const kept = { profile: aProfile('ada', given) };
  account.me = viewer ? me(viewer) : null;
  vi.spyOn(api, 'profile').mockImplementation(async () => kept.profile);
  vi.spyOn(api, 'roomsOf').mockImplementation(async (_, state) => ({
    rooms: rooms[state] ?? [],
    next: null,
  }));
  vi.spyOn(api, 'follow').mockImplementation(async () => {
    const requested = kept.profile.private === true;
    kept.profile = { ...kept.profile, requested, followed: !requested, followers: requested ? 1 : 2 };
    return requested ? 'requested' : 'follows';
  });
  vi.spyOn(api, 'unfollow').mockImplementation(async () => {
    kept.profile = { ...kept.profile, requested: false, followed: false, followers: 1 };
  });
  for (const list of ['requests', 'blocks', 'hushes', 'followers', 'following'] as const)
    vi.spyOn(api, list).mockImplementation(async () => ({ people: given.people ?? [], next: null }));
  render(ProfilePage, { props: { handle: 'ada' } });
  await settled();
}

it('counts, and follows and unfollows with one button', async () => {
  await show('eva');
  expect(screen.getByText(/1 follower · follows 2 people/)).toBeTruthy();
  const button = screen.getByTestId('follow');
  expect([button.textContent, button.getAttribute('aria-pressed')]).toEqual(['Follow', 'false']);
  await fireEvent.click(button);
  await settled();
  expect(screen.getByTestId('unfollow')).toBe(button);
  expect([button.textContent, button.getAttribute('aria-pressed')]).toEqual(['Following', 'true']);
  expect(screen.getByText(/2 followers/)).toBeTruthy();
  await fireEvent.click(button);
  await settled();
  expect(screen.getByTestId('follow')).toBe(button);
});

it('asks a guest who they are, and then follows', async () => {
  await show(null);
  vi.spyOn(api, 'signUp').mockResolvedValue({ id: 'eva', ...person('eva') });
  await fireEvent.click(screen.getByTestId('follow'));
  expect(api.follow).not.toHaveBeenCalled();
  await fireEvent.input(screen.getByTestId('signup-handle'), { target: { value: 'eva' } });
  await fireEvent.input(screen.getByTestId('signup-password'), { target: { value: 'a long secret' } });
  await fireEvent.submit(screen.getByTestId('signup-submit').closest('form') as HTMLFormElement);
  await settled();
  expect(api.follow).toHaveBeenCalledWith('ada');
  expect(screen.getByTestId('unfollow')).toBeTruthy();
  expect(screen.queryByTestId('signup-handle')).toBeNull();
});

it('shows rooms that are live, to come and past', async () => {
  await show(null, {
    live: [aRoom(null, { id: 'now', title: 'Now' })],
    scheduled: [
      aRoom(null, { id: 'then', title: 'Then', state: 'scheduled', starts_at: '2030-01-01T12:00:00Z' }),
    ],
    ended: [
      aRoom(null, {
        id: 'before',
        title: 'Before',
        state: 'ended',
        started_at: '2026-03-04T10:00:00.000Z',
        ended_at: '2026-03-04T11:05:10.000Z',
      }),
    ],
  });
  expect(within(screen.getByTestId('live-rooms')).getByRole('link').getAttribute('href')).toBe('/r/now');
  expect(within(screen.getByTestId('coming')).getByText('Then')).toBeTruthy();
  const past = within(screen.getByTestId('past-rooms')).getByRole('listitem');
  expect(past.textContent).toMatch(/Before.*Mar.*2026.*1 hr, 5 min/s);
  expect(within(past).queryByRole('link')).toBeNull();
});

it('lets one change name and bio where they stand, and names what is wrong', async () => {
  await show('ada');
  expect(screen.queryByTestId('follow')).toBeNull();
  const fault = new Problem(422, 'invalid', '', [{ field: 'name', message: 'At most 60 characters.' }]);
  const update = vi.spyOn(api, 'update').mockRejectedValueOnce(fault);
  await fireEvent.click(screen.getByTestId('edit-profile'));
  await fireEvent.input(screen.getByTestId('profile-name'), { target: { value: ' Ada L ' } });
  await fireEvent.input(screen.getByTestId('profile-bio'), { target: { value: 'One\nTwo' } });
  await fireEvent.submit(screen.getByTestId('profile-form'));
  await settled();
  expect(screen.getByRole('alert').textContent).toBe('At most 60 characters.');
  update.mockResolvedValueOnce({ ...me('ada'), name: 'Ada L' });
  await fireEvent.submit(screen.getByTestId('profile-form'));
  await settled();
  expect(update).toHaveBeenLastCalledWith({ name: 'Ada L', bio: 'One\nTwo' });
  expect(account.me?.name).toBe('Ada L');
  expect(document.activeElement).toBe(screen.getByTestId('edit-profile'));
});

it('keeps whether others see one in the audience, and puts the mark back where that fails', async () => {
  await show('ada');
  const box = screen.getByTestId<HTMLInputElement>('listen-seen');
  expect(box.checked).toBe(true);
  const update = vi.spyOn(api, 'update').mockRejectedValueOnce(new Unreachable());
  await fireEvent.click(box);
  await settled();
  expect(box.checked).toBe(true);
  update.mockResolvedValueOnce({ ...me('ada'), listen_unseen: true });
  await fireEvent.click(box);
  await settled();
  expect(update).toHaveBeenLastCalledWith({ listen_unseen: true });
  expect(box.checked).toBe(false);
});

it('has signing out where the top bar has no room for it', async () => {
  await show('ada');
  expect(screen.queryByTestId('sign-out')).toBeNull();
  cleanup();
  aScreen(false);
  await show('ada');
  expect(screen.getByTestId('sign-out')).toBeTruthy();
  cleanup();
  await show('eva');
  expect(screen.queryByTestId('sign-out')).toBeNull();
});

it('says that nobody is there, or that the server is away', async () => {
  vi.spyOn(api, 'roomsOf').mockResolvedValue({ rooms: [], next: null });
  vi.spyOn(api, 'profile').mockRejectedValue(new Problem(404, 'not_found', ''));
  render(ProfilePage, { props: { handle: 'nobody' } });
  await settled();
  expect(screen.getByTestId('unknown')).toBeTruthy();
  cleanup();
  vi.spyOn(api, 'profile').mockRejectedValue(new Unreachable());
  render(ProfilePage, { props: { handle: 'ada' } });
  await settled();
  expect(screen.getByTestId('server-away')).toBeTruthy();
});
