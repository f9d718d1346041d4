// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it } from 'vitest';

import { aRoom, aSpeaker } from '../../tests/given';
import RoomCard from './RoomCard.svelte';

afterEach(cleanup);

const speakers = ['ada', 'bob', 'carla', 'dan', 'eva'].map((handle) => aSpeaker(handle));

it('says that it is live, who speaks there and how many listen', () => {
  render(RoomCard, { props: { room: aRoom(null, { speakers, audience: { count: 12 } }) } });
  const said = screen.getByRole('link').textContent;
  expect(said).toContain('Live');
  expect(said).toMatch(/On the stage: Ada, Bob, Carla,? and Dan/);
  expect(said).toContain('5 speakers');
  expect(said).toContain('12 listening');
});

it('lets a title and a name run in their own direction', () => {
  const host = { handle: 'n', name: 'نور' };
  render(RoomCard, { props: { room: aRoom(null, { title: 'مرحبا', host }) } });
  expect(screen.getByRole('heading').dir).toBe('auto');
});
