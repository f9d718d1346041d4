// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { aHand, aRoom, aSpeaker } from '../../tests/given';
import type { LinkState } from '../media/link';
import type { Room } from '../protocol/types';
import type { RoomSession, Voice } from '../room/session.svelte';
import ActionBar from './ActionBar.svelte';
import type { Take } from './take';

afterEach(cleanup);

interface Given {
  room: Room;
  listening?: LinkState['kind'];
  voice?: Voice;
  blocked?: boolean;
}

function show({ room, listening = 'connected', voice = 'closed', blocked = false }: Given) {
  const take = new Proxy({} as Record<string, ReturnType<typeof vi.fn>>, {
    get: (known, name: string) => (known[name] ??= vi.fn()),
  });
  const session = {
    room,
    handle: 'bob',
    listening: { kind: listening },
    speaking: { kind: voice === 'closed' ? 'idle' : 'connected' },
    blocked,
    voice,
    asking: false,
    ownLevel: 0,
  } as unknown as RoomSession;
  const props = { session, room, take: take as unknown as Take, busy: false };
  return { take, ...render(ActionBar, { props }) };
}

const bob = aSpeaker('bob');
const hand = aHand('bob');

it('lets a guest listen, then asks to sign in', async () => {
  const { take } = show({ room: aRoom(null), listening: 'idle' });
  await fireEvent.click(screen.getByTestId('listen'));
  expect(take['listen']).toHaveBeenCalledOnce();
  expect(screen.queryByTestId('raise-hand')).toBeNull();
  cleanup();
  show({ room: aRoom(null) });
  expect(screen.getByTestId('sign-in-to-raise')).toBeTruthy();
});

it('lets a member raise a hand without listening, too', () => {
  show({ room: aRoom('bob'), listening: 'idle' });
  expect(screen.getByTestId('listen')).toBeTruthy();
  expect(screen.getByTestId('raise-hand')).toBeTruthy();
});

it('says where the hand stands', () => {
  show({ room: aRoom('bob', { hands: [aHand('eva'), hand] }) });
  expect(screen.getByTestId('lead').textContent).toContain('number 2');
});

it('shows an offer and its two answers', async () => {
  const { take } = show({ room: aRoom('bob', { offers: ['bob'] }) });
  await fireEvent.click(screen.getByTestId('accept-offer'));
  await fireEvent.click(screen.getByTestId('decline-offer'));
  expect(take['accept']).toHaveBeenCalledOnce();
  expect(take['decline']).toHaveBeenCalledOnce();
});

it('never says that one is muted before the room has said so', () => {
  show({ room: aRoom('bob', { speakers: [bob] }), voice: 'muting' });
  expect(screen.getByTestId('lead').textContent).toBe('Muting…');
  expect(screen.getByTestId('unmute').getAttribute('aria-disabled')).toBe('true');
  expect(screen.getByTestId('microphone-state').dataset['voice']).toBe('muting');
});

it('keeps the keyboard’s place when the button under it changes', async () => {
  document.body.focus();
  const { rerender } = show({ room: aRoom('bob') });
  screen.getByTestId('raise-hand').focus();
  const room = aRoom('bob', { hands: [hand] });
  await rerender({ room });
  await tick();
  await Promise.resolve();
  expect(document.activeElement).toBe(screen.getByTestId('lower-hand'));
});

it('offers to hear where the browser holds the sound back', async () => {
  const { take } = show({ room: aRoom('bob'), blocked: true });
  await fireEvent.click(screen.getByTestId('hear'));
  expect(take['hear']).toHaveBeenCalledOnce();
});

it('says how long an offer stands, and opens the question of a hand that is up', async () => {
  const until = new Date(Date.now() + 42_000).toISOString();
  show({ room: aRoom('bob', { offers: ['bob'], offers_until: { bob: until } }) });
  expect(screen.getByTestId('time-left').textContent).toBe('0:42');
  cleanup();
  const { take } = show({ room: aRoom('bob', { hands: [aHand('bob')] }) });
  await fireEvent.click(screen.getByTestId('note-hand'));
  expect(take['note']).toHaveBeenCalledOnce();
});
