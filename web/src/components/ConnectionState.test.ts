// @vitest-environment jsdom
import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { settled } from '../../tests/given';
import type { Details } from '../protocol/types';
import ConnectionState from './ConnectionState.svelte';

const listen: Details = {
  kind: 'whep',
  state: 'connected',
  since_ms: 1500,
  family: 'ipv6',
  packets: 75,
  bytes: 9000,
  loss: 0.025,
  jitter_ms: 3.5,
  rtt_ms: 41.7,
  red: true,
  packet_ms: 20,
  concealed: null,
  delay_ms: null,
};
const speak: Details = { ...listen, kind: 'whip', rtt_ms: null, red: false, concealed: 0.01, delay_ms: 40 };

beforeEach(() => {
  vi.useFakeTimers();
  HTMLDialogElement.prototype.showModal = vi.fn();
  HTMLDialogElement.prototype.close = vi.fn();
});

afterEach(() => {
  cleanup();
  vi.useRealTimers();
});

type Answer = Record<'listen' | 'speak', Details | null>;

async function opened(answer: Answer) {
  const ask = vi.fn(async () => answer);
  render(ConnectionState, { props: { state: { kind: 'connected' }, ask } });
  expect(ask).not.toHaveBeenCalled();
  await fireEvent.click(screen.getByTestId('connection-state'));
  await settled();
  return ask;
}

/** The rows below a heading. */
function rows(title: string): Record<string, string | undefined> {
  const list = screen.getByText(title).nextElementSibling as HTMLElement;
  const [names, values] = ['term', 'definition'].map((role) =>
    within(list).getAllByRole(role, { hidden: true }),
  );
  return Object.fromEntries((names ?? []).map((one, i) => [one.textContent, values?.[i]?.textContent]));
}

it('shows what the server says of listening, and of the voice of whoever speaks', async () => {
  await opened({ listen, speak });
  expect(rows('As the server sees it')).toEqual({
    'Round trip': '42 ms',
    'Packets lost lately': '2.5%',
    'Repetitions against loss': 'On',
    Network: 'IPv6',
  });
  expect(rows('Your voice, as the server gets it')).toEqual({
    Jitter: '4 ms',
    'Packets lost lately': '2.5%',
    'Sound made up': '1%',
    'Wait for late packets': '40 ms',
    'Repetitions against loss': 'Off',
  });
});

it('says nothing that nobody knows, and nothing of a voice where there is none', async () => {
  await opened({ listen: null, speak: null });
  expect(Object.values(rows('As the server sees it'))).toEqual(['–', '–', '–', '–']);
  expect(screen.queryByText('Your voice, as the server gets it')).toBeNull();
});

it('asks again while it is open, and no longer', async () => {
  const ask = await opened({ listen, speak: null });
  expect(ask).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(4100);
  expect(ask).toHaveBeenCalledTimes(3);
  await fireEvent.click(screen.getByLabelText('Close'));
  await vi.advanceTimersByTimeAsync(10_000);
  expect(ask).toHaveBeenCalledTimes(3);
});

it('tells a good connection from a poor one, and when it tries again', async () => {
  const ask = vi.fn(async () => ({ listen: null, speak: null }));
  const { rerender } = render(ConnectionState, { props: { state: { kind: 'connected' }, ask } });
  const state = screen.getByTestId('connection-state');
  expect(state.textContent).toContain('Listening');
  await rerender({ quality: 'poor' });
  expect(state.textContent).toContain('Poor connection');
  expect(state.dataset['quality']).toBe('poor');
  const waiting = { kind: 'reconnecting', reason: 'full', tries: 1, at: Date.now() + 3000 } as const;
  await rerender({ state: waiting });
  expect(state.textContent).toContain('Retrying in 3 s');
  expect(state.dataset['quality']).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1100);
  expect(state.textContent).toContain('Retrying in 2 s');
  await rerender({ state: { ...waiting, at: null } });
  expect(state.textContent).toContain('Reconnecting');
});
