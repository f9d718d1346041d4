// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aRoom, aScreen, person, settled } from '../../tests/given';
import { account, api } from '../account.svelte';
import { Unreachable } from '../protocol/problem';
import type { Room } from '../protocol/types';
import { present } from '../present.svelte';
import { go, here } from '../router.svelte';
import HomePage from './HomePage.svelte';

beforeEach(() => {
  vi.useFakeTimers();
  aScreen(true);
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
  account.me = undefined;
  present.left = null;
  localStorage.clear();
  history.replaceState(null, '', '/');
  here.words = '';
});

const pageOf = (rooms: Room[]) => ({ rooms, next: null });
const of = (handle: string) =>
  aRoom(null, { id: `r-${handle}`, title: `With ${handle}`, host: person(handle) });

interface Given {
  live?: Room[];
  followed?: Room[];
  scheduled?: Room[];
}

async function show(me: string | null, { live = [], followed = [], scheduled = [] }: Given = {}) {
  account.me = me ? { id: me, ...person(me) } : null;
  vi.spyOn(api, 'live').mockImplementation(async () => pageOf(live));
  vi.spyOn(api, 'followed').mockImplementation(async () => pageOf(followed));
  vi.spyOn(api, 'scheduled').mockImplementation(async () => pageOf(scheduled));
  render(HomePage);
  await settled();
}

function titles(list: string): (string | null)[] {
  return within(screen.getByTestId(list))
    .getAllByRole('heading')
    .map((one) => one.textContent);
}

it('asks once how it was in the room that one has left', async () => {
  const survey = vi.spyOn(api, 'survey').mockResolvedValue(undefined);
  present.left = { id: 'r1', title: 'About bread' };
  await show(null);
  expect(screen.getByTestId('survey').textContent).toContain('in “About bread”?');
  await fireEvent.click(screen.getByTestId('survey-yes'));
  expect(survey).toHaveBeenCalledExactlyOnceWith('r1', true);
  present.left = { id: 'r1', title: 'About bread' };
  await tick();
  expect(screen.queryByTestId('left-room')).toBeNull();
  // Another one, which is closed without an answer.
  present.left = { id: 'r2', title: 'About salt' };
  await tick();
  await fireEvent.click(screen.getByTestId('left-close'));
  expect(screen.queryByTestId('left-room')).toBeNull();
  present.left = { id: 'r2', title: 'About salt' };
  await tick();
  expect(screen.queryByTestId('left-room')).toBeNull();
  expect(survey).toHaveBeenCalledOnce();
});

it('puts rooms of people one follows first, and says why', async () => {
  await show('eva', { live: [of('ada'), of('bob')], followed: [of('bob')] });
  expect(titles('rooms')).toEqual(['With bob', 'With ada']);
  expect(screen.getAllByTestId('followed').map((one) => one.textContent)).toEqual(['You follow Bob']);
});

it('asks for nobody’s following where nobody is signed in', async () => {
  await show(null, { live: [of('ada')] });
  expect(titles('rooms')).toEqual(['With ada']);
  expect(api.followed).not.toHaveBeenCalled();
});

it('shows what comes up in its order, with day and time', async () => {
  const at = '2030-03-04T18:00:00.000Z';
  await show(null, { scheduled: [aRoom(null, { state: 'scheduled', starts_at: at })] });
  const card = within(screen.getByTestId('coming')).getByRole('link');
  expect(card.querySelector('time')?.dateTime).toBe(at);
  expect(card.querySelector('time')?.textContent).toContain('2030');
  expect(card.textContent).not.toContain('listening');
});

it('says what to do next where there is nothing', async () => {
  await show('eva');
  expect(screen.getByText('Open one, and it stands here for everyone.')).toBeTruthy();
  cleanup();
  await show(null);
  expect(screen.getByText('Sign up and open the first one.')).toBeTruthy();
});

it('shows no heading with nothing under it while the server is away', async () => {
  account.me = null;
  for (const call of ['live', 'scheduled'] as const) vi.spyOn(api, call).mockRejectedValue(new Unreachable());
  render(HomePage);
  await settled();
  expect(screen.getByTestId('server-away')).toBeTruthy();
  expect(screen.queryByText('Live now')).toBeNull();
  expect(screen.queryByText('Coming up')).toBeNull();
});

it('has opening a room at the thumb where the form has no place', async () => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  aScreen(false);
  await show('eva');
  expect(screen.queryByTestId('open-title')).toBeNull();
  await fireEvent.click(screen.getByTestId('open-room'));
  expect(screen.getByTestId('open-title')).toBeTruthy();
});

it('searches once one has stopped typing, and Escape brings the rooms back', async () => {
  const search = vi.spyOn(api, 'search').mockResolvedValue({
    live: [of('bob')],
    scheduled: [],
    people: [person('bob')],
  });
  await show('eva', { live: [of('ada')] });
  const field = screen.getByTestId('search');
  for (const value of ['b', 'bo', ' bob ']) {
    await fireEvent.input(field, { target: { value } });
    await vi.advanceTimersByTimeAsync(100);
  }
  await vi.advanceTimersByTimeAsync(300);
  expect(search.mock.calls).toEqual([['bob']]);
  expect(screen.getByTestId('found').textContent.trim()).toBe('2 found');
  expect(titles('found-live')).toEqual(['With bob']);
  expect(screen.getByTestId('person-bob').getAttribute('href')).toBe('/@bob');
  expect(screen.queryByTestId('rooms')).toBeNull();
  await fireEvent.keyDown(field, { key: 'Escape' });
  await tick();
  expect(titles('rooms')).toEqual(['With ada']);
  expect((field as HTMLInputElement).value).toBe('');
});

it('says what to try where nothing is found', async () => {
  vi.spyOn(api, 'search').mockResolvedValue({ live: [], scheduled: [], people: [] });
  await show(null);
  await fireEvent.input(screen.getByTestId('search'), { target: { value: 'xyz' } });
  await vi.advanceTimersByTimeAsync(300);
  expect(screen.getByTestId('found').textContent).toContain('Nothing was found for “xyz”.');
  expect(screen.getByRole('status').textContent).toContain('Try fewer letters');
});

it('lets no late answer replace a newer one', async () => {
  const answers: Record<string, (found: Awaited<ReturnType<typeof api.search>>) => void> = {};
  vi.spyOn(api, 'search').mockImplementation((q) => new Promise((resolve) => (answers[q] = resolve)));
  await show(null);
  for (const value of ['a', 'ab']) {
    await fireEvent.input(screen.getByTestId('search'), { target: { value } });
    await vi.advanceTimersByTimeAsync(300);
  }
  answers['ab']?.({ live: [], scheduled: [], people: [person('abe')] });
  answers['a']?.({ live: [], scheduled: [], people: [person('ada')] });
  await settled();
  expect(screen.getByTestId('person-abe')).toBeTruthy();
  expect(screen.queryByTestId('person-ada')).toBeNull();
});

it('keeps the words in the address until one goes home', async () => {
  vi.spyOn(api, 'search').mockResolvedValue({ live: [of('bob')], scheduled: [], people: [] });
  await show(null, { live: [of('ada')] });
  const places = history.length;
  for (const value of ['ada & b', 'ada & bob ']) {
    await fireEvent.input(screen.getByTestId('search'), { target: { value } });
    await vi.advanceTimersByTimeAsync(300);
  }
  expect(new URLSearchParams(window.location.search).get('q')).toBe('ada & bob');
  expect(history.length).toBe(places);
  go('/');
  await vi.advanceTimersByTimeAsync(300);
  expect(window.location.search).toBe('');
  expect(titles('rooms')).toEqual(['With ada']);
});

it('searches at once for what the address says', async () => {
  const search = vi.spyOn(api, 'search').mockResolvedValue({ live: [of('bob')], scheduled: [], people: [] });
  history.replaceState(null, '', '/?q=bob');
  window.dispatchEvent(new PopStateEvent('popstate'));
  await show(null);
  await vi.advanceTimersByTimeAsync(300);
  expect(search.mock.calls).toEqual([['bob']]);
  expect((screen.getByTestId('search') as HTMLInputElement).value).toBe('bob');
});

it('shows more of what comes up when asked, each room once', async () => {
  await show(null, { live: [of('ada')] });
  cleanup();
  vi.spyOn(api, 'scheduled').mockImplementation(async (cursor) =>
    cursor
      ? { rooms: [of('bob'), of('carla')], next: null }
      : { rooms: [of('ada'), of('bob')], next: 'after bob' },
  );
  render(HomePage);
  await settled();
  await fireEvent.click(screen.getByTestId('more-coming'));
  await settled();
  expect(titles('coming')).toEqual(['With ada', 'With bob', 'With carla']);
  expect(screen.queryByTestId('more-coming')).toBeNull();
  // What is fresh does not bring the button back.
  await vi.advanceTimersByTimeAsync(61_000);
  expect(screen.queryByTestId('more-coming')).toBeNull();
  expect(titles('coming')).toHaveLength(3);
});
