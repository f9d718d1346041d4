// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aRoom, aScreen, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { hushed } from '../hushed.svelte';
import { Problem, Unreachable } from '../protocol/problem';
import type { Lifecycle, Listed, Profile, Room } from '../protocol/types';
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
  given: Partial<Profile> & { people?: Listed[] } = {},
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
  for (const answer of ['approve', 'refuse'] as const) vi.spyOn(api, answer).mockResolvedValue(undefined);
  render(ProfilePage, { props: { handle: 'ada' } });
  await settled();
}

it('counts, and follows and unfollows with one button', async () => {
  await show('eva');
  expect(screen.getByTestId('followers').textContent).toBe('1 follower');
  expect(screen.getByTestId('following').textContent).toBe('follows 2 people');
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
  await fireEvent.input(await screen.findByTestId('signup-handle'), { target: { value: 'eva' } });
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

it('asks a private account first, and takes the request back', async () => {
  await show('eva', {}, { private: true });
  const button = screen.getByTestId('follow');
  expect(button.textContent).toBe('Ask to follow');
  expect(screen.getByTestId('private-note')).toBeTruthy();
  expect(screen.queryByTestId('past-rooms')).toBeNull();
  await fireEvent.click(button);
  await settled();
  expect([button.textContent, button.getAttribute('aria-pressed')]).toEqual(['Asked to follow', 'true']);
  await fireEvent.click(button);
  await settled();
  expect(api.unfollow).toHaveBeenCalledWith('ada');
  expect(button.textContent).toBe('Ask to follow');
});

it('blocks and hushes somebody, and takes both back', async () => {
  await show('eva', {}, { follows_you: true });
  expect(screen.getByTestId('follows-you')).toBeTruthy();
  const done: string[] = [];
  for (const call of ['hush', 'unhush', 'block', 'unblock'] as const)
    vi.spyOn(api, call).mockImplementation(async (handle) => void done.push(`${call} ${handle}`));
  const tap = async (act: string, after: Partial<Profile>) => {
    await fireEvent.click(screen.getByTestId('person-menu'));
    vi.spyOn(api, 'profile').mockResolvedValue(aProfile('ada', after));
    await fireEvent.click(screen.getByTestId(act));
    await settled();
  };
  await tap('hush-person', { hushed: true });
  expect(hushed.has('ada')).toBe(true);
  await tap('hush-person', {});
  expect(hushed.has('ada')).toBe(false);
  await tap('block-person', { blocked: true });
  expect(screen.getByTestId('blocked').textContent).toContain('Ada');
  for (const gone of ['follow', 'followers', 'past-rooms']) expect(screen.queryByTestId(gone)).toBeNull();
  await tap('block-person', {});
  expect(screen.getByTestId('follow')).toBeTruthy();
  expect(done).toEqual(['hush ada', 'unhush ada', 'block ada', 'unblock ada']);
});

it('reports somebody with the room that they host at this moment, and what they hosted', async () => {
  const ended = [aRoom(null, { id: 'before', title: 'Before', state: 'ended' })];
  await show('eva', { ended }, { live_room: 'now' });
  const sent = vi.spyOn(api, 'report').mockResolvedValue({} as never);
  const report = async (from: string) => {
    await fireEvent.click(screen.getByTestId(from));
    await fireEvent.change(screen.getByTestId('report-reason'), { target: { value: 'hate' } });
    await fireEvent.submit(screen.getByTestId('report-form'));
    await settled();
  };
  await fireEvent.click(screen.getByTestId('person-menu'));
  await report('report-person');
  expect(sent).toHaveBeenLastCalledWith({ handle: 'ada', room: 'now' }, 'hate', '');
  await report('report-before');
  expect(sent).toHaveBeenLastCalledWith({ room: 'before' }, 'hate', '');
  cleanup();
  await show('eva');
  await fireEvent.click(screen.getByTestId('person-menu'));
  await report('report-person');
  expect(sent).toHaveBeenLastCalledWith({ handle: 'ada' }, 'hate', '');
  cleanup();
  for (const [who, own] of [
    [null, 'a guest'],
    ['ada', 'their own'],
  ] as const) {
    await show(who, { ended });
    expect(screen.queryByTestId('report-before'), own).toBeNull();
    cleanup();
  }
});

it('lists followers', async () => {
  await show(null, {}, { people: [{ ...person('bob'), live_room: 'r7' }, person('carla')] });
  await fireEvent.click(screen.getByTestId('followers'));
  await settled();
  const list = within(screen.getByTestId('people-list'));
  expect(list.getAllByRole('link', { hidden: true }).map((one) => one.getAttribute('href'))).toEqual([
    '/@bob',
    '/@carla',
  ]);
  expect(list.getAllByText('Live')).toHaveLength(1);
  expect(api.followers).toHaveBeenCalledWith('ada', null);
});

it('answers requests on one’s own page', async () => {
  await show('ada', {}, { people: [person('bob'), person('carla')] });
  await fireEvent.click(screen.getByTestId('approve-bob'));
  await settled();
  expect(api.approve).toHaveBeenCalledWith('bob');
  expect(screen.queryByTestId('approve-bob')).toBeNull();
  await fireEvent.click(screen.getByTestId('refuse-carla'));
  await settled();
  expect(api.refuse).toHaveBeenCalledWith('carla');
  expect(screen.queryByTestId('requests')).toBeNull();
});
