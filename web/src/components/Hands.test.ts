// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';

import { aRoom, AT, person } from '../../tests/given';
import Hands from './Hands.svelte';
import type { Lead } from './lead';

afterEach(cleanup);

const hands = ['eva', 'bob'].map((handle) => ({ ...person(handle), raised_at: AT }));

function show(me: string, cohosts: string[] = []) {
  const lead = { grant: vi.fn(), dismiss: vi.fn(), remove: vi.fn() };
  const room = aRoom(me, { hands, cohosts });
  render(Hands, { props: { room, lead: lead as unknown as Lead, me } });
  return lead;
}

it('shows hands in their order to everyone, and what to do with them to those who lead', async () => {
  show('bob');
  expect(screen.getAllByRole('listitem').map((one) => one.dataset['testid'])).toEqual([
    'hand-eva',
    'hand-bob',
  ]);
  expect(screen.queryByTestId('grant-eva')).toBeNull();
  cleanup();
  const lead = show('ada');
  await fireEvent.click(screen.getByTestId('grant-eva'));
  expect(lead.grant).toHaveBeenCalledWith(hands[0]);
});

it('lets a co-host dismiss and remove, but not grant', () => {
  show('carla', ['carla']);
  expect(screen.queryByTestId('grant-eva')).toBeNull();
  expect(screen.getByTestId('dismiss-eva').getAttribute('aria-label')).toBe('Dismiss the hand of Eva');
  expect(screen.getByTestId('remove-eva')).toBeTruthy();
});
