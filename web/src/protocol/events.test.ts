import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { anAnswer, settled } from '../../tests/given';
import { EventStream, type StreamState } from './events';
import type { Message } from './sse';

type Answer = ReturnType<typeof anAnswer>;

let answers: (Answer | Error | Response)[];
let asked: (string | null)[];
let messages: Message[];
let states: StreamState[];
let stream: EventStream;

const fetcher = (async (_url: string, init: RequestInit) => {
  asked.push(new Headers(init.headers).get('Last-Event-ID'));
  const answer = answers.shift() ?? new TypeError('refused');
  if (answer instanceof Error) throw answer;
  return answer instanceof Response ? answer : answer.response;
}) as unknown as typeof fetch;

beforeEach(() => {
  vi.useFakeTimers();
  [answers, asked, messages, states] = [[], [], [], []];
  stream = new EventStream('/api/rooms/r1/events', {
    onMessage: (message) => messages.push(message),
    onState: (state) => states.push(state),
    fetcher,
    random: () => 1,
  });
});

afterEach(() => {
  stream.close();
  vi.useRealTimers();
});

const last = () => states[states.length - 1];

describe('EventStream', () => {
  it('resumes after the last lasting event, at the time that the server asked for', async () => {
    const [first, second] = [anAnswer(), anAnswer()];
    answers = [first, second];
    stream.open();
    await settled();
    first.write('retry: 1200\n\nevent: snapshot\nid: 5\ndata: {}\n\nevent: levels\ndata: {}\n\n');
    await settled();
    expect(messages.map((one) => one.event)).toEqual(['snapshot', 'levels']);
    first.end();
    await settled();
    expect(last()).toEqual({ kind: 'waiting', at: Date.now() + 1200 });
    await vi.advanceTimersByTimeAsync(1200);
    expect(asked).toEqual([null, '5']);
    expect(last()).toEqual({ kind: 'open' });
  });

  it('backs off while the server is away, and comes at once when told that the network is back', async () => {
    stream.open();
    await settled();
    for (const wait of [500, 1000, 2000]) {
      expect(last()).toEqual({ kind: 'waiting', at: Date.now() + wait });
      await vi.advanceTimersByTimeAsync(wait);
    }
    answers = [anAnswer()];
    stream.retryNow();
    await settled();
    expect(last()).toEqual({ kind: 'open' });
  });

  it('waits as long as a 503 asks for', async () => {
    answers = [new Response('{"code":"busy"}', { status: 503, headers: { 'Retry-After': '7' } })];
    stream.open();
    await settled();
    expect(last()).toEqual({ kind: 'waiting', at: Date.now() + 7000 });
  });

  it('ends with the reason when the room is closed to the reader', async () => {
    answers = [new Response('{"code":"removed"}', { status: 403 })];
    stream.open();
    await settled();
    expect(last()).toMatchObject({ kind: 'closed', problem: { status: 403, code: 'removed' } });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(asked).toHaveLength(1);
  });

  it('ends without a reason when there is nothing more to come', async () => {
    answers = [new Response(null, { status: 204 })];
    stream.open();
    await settled();
    expect(last()).toEqual({ kind: 'closed', problem: null });
  });

  it('notices by the silence that a connection is dead', async () => {
    const [first, second] = [anAnswer(), anAnswer()];
    answers = [first, second];
    stream.open();
    await settled();
    for (let turn = 0; turn < 5; turn++) {
      await vi.advanceTimersByTimeAsync(15_000);
      first.write(': still here\n\n');
      await settled();
    }
    expect(asked).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(40_000);
    expect(asked).toHaveLength(2);
  });

  it('begins anew with a snapshot after a gap', async () => {
    const [first, second] = [anAnswer(), anAnswer()];
    answers = [first, second];
    stream.open();
    await settled();
    first.write('id: 9\ndata: {}\n\n');
    await settled();
    stream.restart();
    await settled();
    expect(asked).toEqual([null, null]);
  });
});

it('comes back soon after a sleep in which its own watchdog stood still too', async () => {
  const [first, second] = [anAnswer(), anAnswer()];
  answers = [first, second];
  stream.open();
  await settled();
  stream.check(40_000);
  expect(asked).toHaveLength(1);
  vi.setSystemTime(Date.now() + 3_600_000);
  stream.check(40_000);
  await settled();
  expect(asked).toHaveLength(2);
});
