/**
 * Rooms of people one follows, as they start: told by one stream for each browser, since HTTP/1.1 has few to give. The
 * tab that holds the lock reads it and tells the others.
 */
import { untrack } from 'svelte';

import { account, recognise } from './account.svelte';
import { say } from './language/say.svelte';
import { notify } from './notices.svelte';
import { EventStream, type StreamState } from './protocol/events';
import type { Message } from './protocol/sse';
import type { RoomStarted } from './protocol/types';
import { go } from './router.svelte';

const MOST = 20;
const URL = '/api/me/events';

class Started {
  /** The newest first. */
  list = $state.raw<RoomStarted[]>([]);
  /** How many came since the list was looked at. */
  unseen = $state(0);

  add(started: RoomStarted): void {
    if (this.list.some(({ room }) => room.id === started.room.id)) return;
    this.list = [started, ...this.list].slice(0, MOST);
    this.unseen += 1;
    const path = `/r/${encodeURIComponent(started.room.id)}`;
    if (window.location.pathname === path) return;
    const text = say('room_started', { name: started.host.name, title: started.room.title });
    notify(text, 'plain', { label: say('room_started_go'), run: () => go(path) });
  }

  clear(): void {
    this.list = [];
    this.unseen = 0;
  }
}

export const started = new Started();

/** What a message of the stream says; null for what is not known here. */
export function read(message: Message): RoomStarted | null {
  return message.event === 'room.started' ? (JSON.parse(message.data) as RoomStarted) : null;
}

/** Listens for as long as somebody is signed in; to be called once, by the page's root. */
export function hearOfStarts(): void {
  const handle = $derived(account.me?.handle ?? null);
  $effect(() => {
    const who = handle;
    return untrack(() => {
      started.clear();
      return who === null ? undefined : listen(who, (one) => started.add(one));
    });
  });
}

/** The session has ended, perhaps from another device: whatever page this is, it is a guest's now. */
async function turnedOut(): Promise<void> {
  await recognise();
  if (account.me === null) notify(say('signed_out'));
}

/** Until the returned function is called. */
export function listen(handle: string, hear: (started: RoomStarted) => void): () => void {
  const name = `parola-notices-${handle}`;
  const channel = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(name);
  const onMessage = (message: Message) => {
    const told = read(message);
    if (!told) return;
    hear(told);
    channel?.postMessage(told);
  };
  if (channel) channel.onmessage = (event: MessageEvent<RoomStarted>) => hear(event.data);
  const onState = (state: StreamState) => {
    if (state.kind === 'closed' && state.problem?.status === 401) void turnedOut();
  };
  const stream = new EventStream(URL, { onMessage, onState });
  const stop = new AbortController();
  let finish: () => void = () => undefined;
  const over = new Promise<void>((resolve) => (finish = resolve));
  const lead = () => {
    if (!stop.signal.aborted) stream.open();
    return over;
  };
  const locks = channel ? globalThis.navigator?.locks : undefined;
  if (locks) locks.request(name, { signal: stop.signal }, lead).catch(() => undefined);
  else void lead();
  return () => {
    stop.abort();
    stream.close();
    channel?.close();
    finish();
  };
}
