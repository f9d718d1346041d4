// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aHand, aRoom, aSpeaker, person } from '../../tests/given';
import type { Room } from '../protocol/types';
import PersonSheet from './PersonSheet.svelte';
import type { Lead } from './lead';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(cleanup);

const bob = aSpeaker('bob');
const host = aRoom().speakers[0] as never;
const withBob = { speakers: [host, bob] };

function show(me: string | null, handle: string, given: Partial<Room> = {}) {
  const lead = new Proxy({} as Record<string, ReturnType<typeof vi.fn>>, {
    get: (known, name: string) => (known[name] ??= vi.fn()),
  });
  const onclose = vi.fn();
  const onreport = vi.fn();
  const room = aRoom(me, given);
  const props = { person: person(handle), room, me, lead: lead as unknown as Lead, onreport, onclose };
  render(PersonSheet, { props });
  return { lead, onreport, onclose };
}

/** What can be done, by the labels kept for tests. */
function acts(): string[] {
  return [...document.querySelectorAll<HTMLElement>('.acts > *')].map(
    (one) => one.dataset['testid']?.split('-')[0] ?? '',
  );
}

it.each<[string, string | null, string, Partial<Room>, string[]]>([
  [
    'the host of a speaker',
    'ada',
    'bob',
    withBob,
    ['mute', 'revoke', 'cohost', 'profile', 'remove', 'keepout', 'report'],
  ],
  ['the host of a listener', 'ada', 'bob', {}, ['offer', 'cohost', 'profile', 'remove', 'keepout', 'report']],
  [
    'the host of a raised hand',
    'ada',
    'bob',
    { hands: [aHand('bob')] },
    ['grant', 'dismiss', 'cohost', 'profile', 'remove', 'keepout', 'report'],
  ],
  [
    'the host of one with an offer',
    'ada',
    'bob',
    { offers: ['bob'] },
    ['withdraw', 'cohost', 'profile', 'remove', 'keepout', 'report'],
  ],
  ['the host of themselves', 'ada', 'ada', {}, ['profile']],
  [
    'a co-host of a speaker',
    'carla',
    'bob',
    { ...withBob, cohosts: ['carla'] },
    ['mute', 'revoke', 'profile', 'remove', 'report'],
  ],
  ['a co-host of the host', 'carla', 'ada', { cohosts: ['carla'] }, ['profile', 'report']],
  ['a co-host of another', 'carla', 'bob', { ...withBob, cohosts: ['carla', 'bob'] }, ['profile', 'report']],
  ['a speaker of another', 'bob', 'ada', withBob, ['profile', 'report']],
  ['a guest', null, 'ada', {}, ['profile']],
  ['the host once it is over', 'ada', 'bob', { ...withBob, state: 'ended' }, ['profile', 'report']],
])('offers what is due to %s', (_, me, handle, given, expected) => {
  show(me, handle, given);
  expect(acts()).toEqual(expected);
});

it('does what was tapped, and closes', async () => {
  const { lead, onclose } = show('ada', 'bob', withBob);
  await fireEvent.click(screen.getByTestId('revoke-bob'));
  expect(lead['revoke']).toHaveBeenCalledWith(person('bob'));
  expect(onclose).toHaveBeenCalledOnce();
});

it('leads to a report, and out of all rooms', async () => {
  const { onreport } = show('ada', 'bob');
  await fireEvent.click(screen.getByTestId('report-bob'));
  expect(onreport).toHaveBeenCalledWith(person('bob'));
  cleanup();
  const again = show('ada', 'bob');
  await fireEvent.click(screen.getByTestId('keepout-bob'));
  expect(again.lead['keepOut']).toHaveBeenCalledWith(person('bob'));
});
