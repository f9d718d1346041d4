// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { aRoom } from '../../tests/given';
import type { Room } from '../protocol/types';
import RoomSettings from './RoomSettings.svelte';
import type { Lead } from './lead';

afterEach(cleanup);

function show(me: string, given: Partial<Room> = {}) {
  const lead = { setTurns: vi.fn(), sizeStage: vi.fn(), slowHands: vi.fn(), nameSuccessor: vi.fn() };
  render(RoomSettings, { props: { room: aRoom(me, given), lead: lead as unknown as Lead } });
  return lead;
}

const choose = (id: string, value: string) => fireEvent.change(screen.getByTestId(id), { target: { value } });
const values = (id: string) => [...screen.getByTestId(id).querySelectorAll('option')].map((one) => one.value);

it('chooses how long a turn is, with a warning half a minute before its end, and lifts it', async () => {
  const lead = show('ada', { turns: { soft_s: 15, hard_s: 45 } });
  expect(values('turn-length')).toContain('45');
  expect((screen.getByTestId('turn-length') as HTMLSelectElement).value).toBe('45');
  await choose('turn-length', '120');
  expect(lead.setTurns).toHaveBeenLastCalledWith({ soft_s: 90, hard_s: 120 });
  await choose('turn-length', '0');
  expect(lead.setTurns).toHaveBeenLastCalledWith(null);
});

it('chooses how long before the end the warning comes, and keeps that for other turns', async () => {
  const lead = show('ada', { turns: { soft_s: 100, hard_s: 120 } });
  expect(values('turn-warning')).toEqual(['10', '20', '30', '60']);
  expect((screen.getByTestId('turn-warning') as HTMLSelectElement).value).toBe('20');
  await choose('turn-warning', '60');
  expect(lead.setTurns).toHaveBeenLastCalledWith({ soft_s: 60, hard_s: 120 });
  await choose('turn-length', '300');
  expect(lead.setTurns).toHaveBeenLastCalledWith({ soft_s: 280, hard_s: 300 });
  cleanup();
  const odd = show('ada', { turns: { soft_s: 1, hard_s: 45 } });
  await choose('turn-length', '45');
  expect(odd.setTurns, 'whole seconds').toHaveBeenLastCalledWith({ soft_s: 23, hard_s: 45 });
  cleanup();
  show('ada');
  expect(screen.queryByTestId('turn-warning')).toBeNull();
});

it('sizes the stage, and not to nothing', async () => {
  const lead = show('ada');
  await choose('stage-capacity', '7');
  expect(lead.sizeStage).toHaveBeenLastCalledWith(7);
  for (const wrong of ['0', '501', '']) await choose('stage-capacity', wrong);
  expect(lead.sizeStage).toHaveBeenCalledOnce();
  expect((screen.getByTestId('stage-capacity') as HTMLInputElement).value).toBe('50');
});

it('slows hands, and lets them go up again at once', async () => {
  const lead = show('ada');
  await choose('slow-hands', '60');
  expect(lead.slowHands).toHaveBeenLastCalledWith(60);
  await choose('slow-hands', '0');
  expect(lead.slowHands).toHaveBeenLastCalledWith(null);
});

it('lets the host alone name who follows, of the co-hosts', async () => {
  const lead = show('ada', { cohosts: ['bob', 'carla'], successor: 'bob' });
  expect(values('successor')).toEqual(['', 'bob', 'carla']);
  await choose('successor', 'carla');
  expect(lead.nameSuccessor).toHaveBeenLastCalledWith('carla', 'bob');
  await choose('successor', '');
  expect(lead.nameSuccessor).toHaveBeenLastCalledWith(null, 'bob');
  cleanup();
  show('bob', { cohosts: ['bob'], acting_host: 'bob' });
  expect(screen.queryByTestId('successor')).toBeNull();
});
