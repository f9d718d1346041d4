// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { aHand, aRoom } from '../../tests/given';
import type { Room } from '../protocol/types';
import Hands from './Hands.svelte';
import type { Lead } from './lead';

afterEach(cleanup);

const hands = ['eva', 'bob'].map((handle) => aHand(handle));

function show(me: string, given: Partial<Room> = {}) {
  const lead = { grant: vi.fn(), next: vi.fn() };
  const onpick = vi.fn();
  const room = aRoom(me, { hands, ...given });
  render(Hands, { props: { room, lead: lead as unknown as Lead, me, onpick } });
  return { lead, onpick };
}

it('shows hands in their order to everyone, and lets the host give the floor', async () => {
  show('bob');
  expect(screen.getAllByRole('listitem').map((one) => one.dataset['testid'])).toEqual([
    'hand-eva',
    'hand-bob',
  ]);
  expect(screen.queryByTestId('grant-eva')).toBeNull();
  cleanup();
  const { lead } = show('ada');
  await fireEvent.click(screen.getByTestId('grant-eva'));
  expect(lead.grant).toHaveBeenCalledWith(hands[0]);
});

it('opens the person behind a hand, for a co-host who grants nothing as well', async () => {
  const { onpick } = show('carla', { cohosts: ['carla'] });
  expect(screen.queryByTestId('grant-eva')).toBeNull();
  await fireEvent.click(screen.getByTestId('hand-of-eva'));
  expect(onpick).toHaveBeenCalledWith(hands[0]);
});

it('says how long each has waited', () => {
  const raised = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString();
  const at = (handle: string, seconds: number) => aHand(handle, { raised_at: raised(seconds) });
  show('ada', { hands: [at('eva', 7300), at('bob', 125), at('kim', 70), at('lea', 5), at('mia', -30)] });
  const said = screen.getAllByRole('listitem').map((one) => one.querySelector('.hint')?.textContent);
  expect(said).toEqual(['waiting 2 hours', 'waiting 2 minutes', 'waiting 1 minute', 'just now', 'just now']);
});

it('says that hands are locked', () => {
  show('bob', { hands_locked: true });
  expect(screen.getByTestId('hands-locked').textContent).toContain('takes no hands');
});

it('shows what each wants to ask', () => {
  show('bob', { hands: [aHand('eva', { note: 'Why <b>so</b>?' }), aHand('bob')] });
  expect(screen.getByTestId('note-of-eva').textContent).toBe('Why <b>so</b>?');
  expect(screen.queryByTestId('note-of-bob')).toBeNull();
});

it('calls up the first hand by one tap, for the host and who is in the host’s place', async () => {
  const { lead } = show('ada');
  const next = screen.getByTestId('next-hand');
  expect(next.textContent?.trim()).toBe('Next: Eva');
  await fireEvent.click(next);
  expect(lead.next).toHaveBeenCalledWith(hands[0]);
  for (const [given, shown] of [
    [{ cohosts: ['carla'] }, false],
    [{ cohosts: ['carla'], acting_host: 'carla' }, true],
  ] as const) {
    cleanup();
    show('carla', { ...given, cohosts: [...given.cohosts] });
    expect(screen.queryByTestId('next-hand') !== null).toBe(shown);
    expect(screen.queryByTestId('grant-eva') !== null).toBe(shown);
  }
  cleanup();
  show('ada', { hands: [] });
  expect(screen.queryByTestId('next-hand')).toBeNull();
});
