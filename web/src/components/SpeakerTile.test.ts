// @vitest-environment jsdom
import { cleanup, render, screen } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { aSpeaker } from '../../tests/given';
import type { Speaker } from '../protocol/types';
import SpeakerTile from './SpeakerTile.svelte';

const BEGAN = Date.parse('2026-03-04T05:06:00Z');
const at = (seconds: number) => new Date(BEGAN + seconds * 1000).toISOString();
const turn = { began_at: at(0), soft_at: at(90), hard_at: at(120) };

beforeEach(() => vi.useFakeTimers({ now: BEGAN }));
afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

function show(given: Partial<Speaker> = {}, acting = false) {
  const speaker = aSpeaker('bob', given);
  render(SpeakerTile, { props: { speaker, role: 'cohost', level: 0, me: false, acting, onpick: vi.fn() } });
}

async function passes(seconds: number) {
  vi.advanceTimersByTime(seconds * 1000);
  await tick();
}

it('counts a turn down, and shows where it is over soon', async () => {
  show({ turn });
  expect(screen.getByTestId('time-left').textContent).toBe('2:00');
  expect(screen.getByTestId('turn').dataset['soon']).toBe('false');
  await passes(89);
  expect(screen.getByTestId('time-left').textContent).toBe('0:31');
  await passes(1);
  expect(screen.getByTestId('time-left').textContent).toBe('0:30');
  expect(screen.getByTestId('turn').dataset['soon']).toBe('true');
  expect(screen.getByTestId('turn').querySelector('.left')?.getAttribute('stroke-dasharray')).toBe('0.250 1');
  await passes(60);
  expect(screen.getByTestId('time-left').textContent).toBe('0:00');
});

it('shows no clock to those who speak as long as they like', () => {
  show();
  expect(screen.queryByTestId('turn')).toBeNull();
  expect(screen.queryByTestId('time-left')).toBeNull();
});

it('marks who is in the host’s place', () => {
  show({}, true);
  expect(screen.getByTestId('speaker-bob').textContent).toContain('In the host’s place');
});
