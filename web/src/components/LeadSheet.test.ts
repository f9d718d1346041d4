// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aRoom, person, settled } from '../../tests/given';
import { api } from '../account.svelte';
import type { Room } from '../protocol/types';
import LeadSheet from './LeadSheet.svelte';
import type { Lead } from './lead';

beforeEach(() => {
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});
afterEach(cleanup);

function show(me: string, given: Partial<Room> = {}) {
  const lead = new Proxy({} as Record<string, ReturnType<typeof vi.fn>>, {
    get: (known, name: string) => (known[name] ??= vi.fn()),
  });
  const onclose = vi.fn();
  render(LeadSheet, {
    props: { open: true, room: aRoom(me, given), lead: lead as unknown as Lead, onclose },
  });
  return { lead, onclose };
}

it('ends a room only when asked twice', async () => {
  const { lead, onclose } = show('ada');
  await fireEvent.click(screen.getByTestId('end'));
  expect(lead['end']).not.toHaveBeenCalled();
  await fireEvent.click(screen.getByTestId('end-cancel'));
  await fireEvent.click(screen.getByTestId('end'));
  await fireEvent.click(screen.getByTestId('end-confirm'));
  expect(lead['end']).toHaveBeenCalledOnce();
  expect(onclose).toHaveBeenCalledOnce();
});

it('calls a planned room off, and says so', async () => {
  const { lead } = show('ada', { state: 'scheduled', started_at: null });
  await fireEvent.click(screen.getByRole('button', { name: 'Call it off', hidden: true }));
  expect(screen.getByText('Call this room off?')).toBeTruthy();
  await fireEvent.click(screen.getByTestId('end-confirm'));
  expect(lead['end']).toHaveBeenCalledOnce();
});

it('shows the host who is invited, also whom they invite now, and takes an invitation back', async () => {
  let invited = ['bob'];
  vi.spyOn(api, 'invited').mockImplementation(async () => ({ people: invited.map(person) }));
  const taken = vi.spyOn(api, 'uninvite').mockResolvedValue();
  const { lead } = show('ada', { access: 'invited' });
  await settled();
  expect(screen.getByTestId('invited').textContent).toContain('Bob');
  invited = ['bob', 'carla'];
  lead['invite']?.mockResolvedValue(true);
  await fireEvent.input(screen.getByTestId('person-handle'), { target: { value: 'carla' } });
  await fireEvent.click(screen.getByTestId('person-invite'));
  await settled();
  await fireEvent.click(screen.getByTestId('uninvite-carla'));
  await settled();
  expect(taken).toHaveBeenCalledExactlyOnceWith('r1', 'carla');
  expect(screen.queryByTestId('uninvite-carla')).toBeNull();
  expect(screen.getByTestId('uninvite-bob')).toBeTruthy();
  cleanup();
  for (const [who, given] of [
    ['ada', { access: 'open' }],
    ['carla', { access: 'invited', cohosts: ['carla'] }],
  ] as const) {
    show(who, given as Partial<Room>);
    await settled();
    expect(screen.queryByTestId('invited')).toBeNull();
    cleanup();
  }
});

it('locks hands and unlocks them', async () => {
  const { lead } = show('ada');
  await fireEvent.click(screen.getByTestId('lock-hands'));
  expect(lead['lockHands']).toHaveBeenCalledWith(true);
  cleanup();
  const again = show('ada', { hands_locked: true });
  await fireEvent.click(screen.getByTestId('lock-hands'));
  expect(again.lead['lockHands']).toHaveBeenCalledWith(false);
});

it('keeps from a co-host what is the host’s alone', () => {
  show('carla', { cohosts: ['carla'], access: 'followers' });
  for (const label of ['person-grant', 'person-invite', 'person-cohost', 'lock-hands', 'end'])
    expect(screen.queryByTestId(label)).toBeNull();
  for (const label of ['person-remove', 'person-restore', 'mute-all'])
    expect(screen.getByTestId(label)).toBeTruthy();
});

it('reads a handle however it is typed', async () => {
  const { lead } = show('ada');
  await fireEvent.input(screen.getByTestId('person-handle'), { target: { value: ' @Bob ' } });
  await fireEvent.click(screen.getByTestId('person-remove'));
  expect(lead['remove']).toHaveBeenCalledWith({ handle: 'bob', name: '@bob' });
});

it('lets who is in the host’s place lead, but not choose who leads', () => {
  show('carla', { cohosts: ['carla'], access: 'followers', acting_host: 'carla' });
  for (const label of ['person-grant', 'lock-hands', 'turn-length', 'stage-capacity', 'end'])
    expect(screen.getByTestId(label)).toBeTruthy();
  for (const label of ['person-invite', 'person-cohost', 'successor'])
    expect(screen.queryByTestId(label)).toBeNull();
});

it('says how many may listen', async () => {
  const { lead } = show('ada', { listeners_at_most: 5 });
  const field = screen.getByTestId('listeners-at-most') as HTMLInputElement;
  expect(field.value).toBe('5');
  const save = () => fireEvent.submit(field.closest('form') as HTMLFormElement);
  await fireEvent.input(field, { target: { value: '30' } });
  await save();
  expect(lead['limit']).toHaveBeenLastCalledWith(30);
  await fireEvent.input(field, { target: { value: '' } });
  await save();
  expect(lead['limit']).toHaveBeenLastCalledWith(null);
  cleanup();
  show('carla', { cohosts: ['carla'] });
  expect(screen.queryByTestId('listeners-at-most')).toBeNull();
});
