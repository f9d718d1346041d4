// @vitest-environment jsdom
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { AT, person } from '../tests/given';
import { account } from './account.svelte';
import { dismiss, notices } from './notices.svelte';
import type { RoomStarted } from './protocol/types';
import { listen, read, started } from './started.svelte';

const told = (id: string): RoomStarted => ({
  room: { id, url: `http://localhost:8080/r/${id}`, title: `Room ${id}`, access: 'open', started_at: AT },
  host: person('ada'),
});

beforeEach(() => {
  window.scrollTo = vi.fn();
  started.clear();
});

afterEach(() => {
  for (const { id } of notices.shown) dismiss(id);
  vi.unstubAllGlobals();
  window.history.pushState(null, '', '/');
});

it('shows a start once, with a way there, and keeps it in the list', () => {
  started.add(told('r7'));
  started.add(told('r7'));
  expect(notices.shown.map((one) => one.text)).toEqual(['Ada has started a room: Room r7']);
  expect([started.list.length, started.unseen]).toEqual([1, 1]);
  notices.shown[0]?.action?.run();
  expect(window.location.pathname).toBe('/r/r7');
});

it('says nothing of the room one is in, and keeps the newest', () => {
  window.history.pushState(null, '', '/r/r1');
  started.add(told('r1'));
  expect(notices.shown).toEqual([]);
  for (let n = 2; n < 40; n++) started.add(told(`r${n}`));
  expect(started.list.length).toBe(20);
  expect(started.list[0]?.room.id).toBe('r39');
});

it('leaves alone what it does not know', () => {
  expect(read({ event: 'something.else', data: 'no JSON', id: null })).toBeNull();
});

it('takes a session that has ended for what it is', async () => {
  const answer = () =>
    new Response('{"code": "not_signed_in"}', {
      status: 401,
      headers: { 'Content-Type': 'application/problem+json' },
    });
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => answer()),
  );
  account.me = { id: 'ada', ...person('ada') };
  const stop = listen('ada', () => undefined);
  await vi.waitFor(() => expect(account.me).toBeNull());
  await vi.waitFor(() => expect(notices.shown.map((one) => one.text)).toEqual(['You are signed out.']));
  stop();
});

it('is read by one tab and told to the others', async () => {
  const channels = new Set<{ onmessage: ((event: { data: unknown }) => void) | null }>();
  class Channel {
    onmessage: ((event: { data: unknown }) => void) | null = null;
    constructor() {
      channels.add(this);
    }
    postMessage(data: unknown) {
      for (const other of channels) if (other !== this) other.onmessage?.({ data });
    }
    close() {
      channels.delete(this);
    }
  }
  vi.stubGlobal('BroadcastChannel', Channel);
  let held = Promise.resolve<unknown>(undefined);
  const request = (_: string, __: unknown, lead: () => Promise<void>) => (held = held.then(lead));
  vi.stubGlobal('navigator', { locks: { request } });
  let push: (text: string) => void = () => undefined;
  const fetched = vi.fn(async () => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => (push = (text) => controller.enqueue(new TextEncoder().encode(text))),
    });
    return new Response(body, { headers: { 'Content-Type': 'text/event-stream' } });
  });
  vi.stubGlobal('fetch', fetched);
  const heard: string[][] = [[], []];
  const [first, second] = heard.map((list) => listen('eva', ({ room }) => void list.push(room.id)));
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledOnce());
  await vi.waitFor(() => {
    push(`event: room.started\ndata: ${JSON.stringify(told('r9'))}\n\n`);
    expect(heard[1]).toContain('r9');
  });
  expect(heard[0]).toContain('r9');
  expect(fetched).toHaveBeenCalledOnce();
  first?.();
  await vi.waitFor(() => expect(fetched).toHaveBeenCalledTimes(2));
  second?.();
});
