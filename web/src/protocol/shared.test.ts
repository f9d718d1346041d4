import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { anAnswer, settled } from '../../tests/given';
import type { StreamState } from './events';
import { eventsOf, type SharedStream, type Tabs } from './shared';
import type { Message } from './sse';

/** A browser: its locks, its channels, and the server it talks to. */
class FakeBrowser {
  streams: { answer: ReturnType<typeof anAnswer>; after: string | null }[] = [];
  snapshots = 0;
  room: Response | null = null;
  /** What the stream is answered instead of being read. */
  refusal: Response | null = null;
  /** The first tab that came hears and says nothing. */
  frozen = false;
  private queue: { run: (lock: unknown) => Promise<unknown>; done: (error?: Error) => void }[] = [];
  private channels = new Set<{ onmessage: ((event: MessageEvent) => void) | null }>();

  readonly tabs: Tabs = {
    locks: { request: this.request.bind(this) as LockManager['request'] },
    makeChannel: () => {
      const mine = { onmessage: null as ((event: MessageEvent) => void) | null };
      this.channels.add(mine);
      return Object.assign(mine, {
        postMessage: (data: unknown) => {
          if (!this.channels.has(mine) || this.stands(mine)) return;
          const others = [...this.channels].filter((one) => one !== mine);
          const copy = structuredClone(data);
          void Promise.resolve().then(() => {
            for (const one of others)
              if (this.channels.has(one) && !this.stands(one))
                one.onmessage?.({ data: copy } as MessageEvent);
          });
        },
        close: () => void this.channels.delete(mine),
      });
    },
  };

  readonly fetcher = (async (url: string, init: RequestInit) => {
    if (!url.endsWith('/events')) {
      this.snapshots++;
      return this.room ?? new Response(JSON.stringify({ seq: 7, title: 'A room' }));
    }
    if (this.refusal) return this.refusal;
    const answer = anAnswer();
    this.streams.push({ answer, after: new Headers(init.headers).get('Last-Event-ID') });
    init.signal?.addEventListener('abort', () => answer.fail());
    return answer.response;
  }) as unknown as typeof fetch;

  get now() {
    return this.streams[this.streams.length - 1]?.answer as ReturnType<typeof anAnswer>;
  }

  private stands(channel: unknown) {
    return this.frozen && channel === [...this.channels][0];
  }

  private request(_: string, how: LockOptions, run: (lock: unknown) => Promise<unknown>) {
    return new Promise<void>((resolve, reject) => {
      const one = { run, done: (error?: Error) => (error ? reject(error) : resolve()) };
      how.signal?.addEventListener('abort', () => {
        if (this.queue.indexOf(one) > 0) this.queue.splice(this.queue.indexOf(one), 1);
        reject(new DOMException('', 'AbortError'));
      });
      if (how.steal) {
        this.queue.shift()?.done(new DOMException('', 'AbortError'));
        this.queue.unshift(one);
        return this.grant();
      }
      if (how.ifAvailable && this.queue.length) return void run(null).then(() => resolve());
      this.queue.push(one);
      if (this.queue.length === 1) this.grant();
    });
  }

  private grant() {
    const one = this.queue[0];
    if (!one) return;
    void one.run({}).then(() => {
      one.done();
      if (this.queue[0] !== one) return;
      this.queue.shift();
      this.grant();
    });
  }
}

class Tab {
  messages: Message[] = [];
  states: StreamState[] = [];
  stream: SharedStream;

  constructor(browser: FakeBrowser) {
    this.stream = eventsOf(
      '/api/rooms/r1',
      {
        onMessage: (message) => this.messages.push(message),
        onState: (state) => this.states.push(state),
        fetcher: browser.fetcher,
        random: () => 1,
      },
      browser.tabs,
    ) as SharedStream;
  }

  get ids() {
    return this.messages.map((one) => one.id);
  }

  get last() {
    return this.states[this.states.length - 1];
  }
}

let browser: FakeBrowser;
let tabs: Tab[];

async function opened(): Promise<Tab> {
  const tab = new Tab(browser);
  tabs.push(tab);
  tab.stream.open();
  await settled();
  return tab;
}

async function comes(text: string) {
  browser.now.write(text);
  await settled();
}

beforeEach(() => {
  vi.useFakeTimers();
  [browser, tabs] = [new FakeBrowser(), []];
});

afterEach(() => {
  for (const tab of tabs) tab.stream.close();
  vi.useRealTimers();
});

it('reads once for all, and each has a snapshot of its own before what comes', async () => {
  const first = await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  const [second, third] = [await opened(), await opened()];
  await comes('event: hand.raised\nid: 8\ndata: {}\n\nevent: levels\ndata: {}\n\n');
  expect(browser.streams).toHaveLength(1);
  expect(browser.snapshots).toBe(2);
  for (const tab of [first, second, third]) {
    expect(tab.ids).toEqual(['7', '8', null]);
    expect(tab.last).toEqual({ kind: 'open' });
  }
});

it('holds back what comes before its own snapshot', async () => {
  await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  let done: (answer: Response) => void = () => undefined;
  const { fetcher } = browser;
  const late = new Tab({
    ...browser,
    tabs: browser.tabs,
    fetcher: ((url: string, init: RequestInit) =>
      url.endsWith('/events')
        ? fetcher(url, init)
        : new Promise<Response>((resolve) => (done = resolve))) as typeof fetch,
  } as unknown as FakeBrowser);
  tabs.push(late);
  late.stream.open();
  await settled();
  await comes('event: hand.raised\nid: 8\ndata: {}\n\n');
  expect(late.messages).toEqual([]);
  expect(late.last).toEqual({ kind: 'connecting' });
  done(new Response('{"seq":7}'));
  await settled();
  expect(late.ids).toEqual(['7', '8']);
  expect(late.last).toEqual({ kind: 'open' });
});

it('goes on from the last event when the tab that reads is closed', async () => {
  const first = await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  const second = await opened();
  await comes('event: hand.raised\nid: 8\ndata: {}\n\n');
  first.stream.close();
  await settled();
  expect(browser.streams.map((one) => one.after)).toEqual([null, '8']);
  await comes('event: hand.lowered\nid: 9\ndata: {}\n\n');
  expect(second.ids).toEqual(['7', '8', '9']);
  expect(first.ids).toEqual(['7', '8']);
});

it('follows the one that reads through a loss of the server', async () => {
  const first = await opened();
  await comes('retry: 1000\n\nevent: snapshot\nid: 7\ndata: {}\n\n');
  const second = await opened();
  browser.now.end();
  await settled();
  expect(second.last).toEqual({ kind: 'waiting', at: Date.now() + 1000 });
  second.stream.retryNow();
  await settled();
  expect(browser.streams).toHaveLength(2);
  for (const tab of [first, second]) expect(tab.last).toEqual({ kind: 'open' });
});

it('ends with a reason for all at once', async () => {
  const first = await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  const second = await opened();
  browser.refusal = new Response('{"code":"removed"}', { status: 403 });
  first.stream.restart();
  await settled();
  for (const tab of [first, second])
    expect(tab.last).toMatchObject({ kind: 'closed', problem: { status: 403, code: 'removed' } });
});

it('ends with a reason where its own snapshot is refused', async () => {
  const first = await opened();
  browser.room = new Response('{"code":"not_found"}', { status: 404 });
  const second = await opened();
  expect(second.last).toMatchObject({ kind: 'closed', problem: { status: 404 } });
  expect(first.last?.kind).toBe('open');
});

it('takes the lock from a tab that stands still, which follows from then on', async () => {
  const first = await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  const second = await opened();
  await comes('event: hand.raised\nid: 8\ndata: {}\n\n');
  browser.frozen = true;
  const before = browser.now;
  await vi.advanceTimersByTimeAsync(30_000);
  before.write(': still here\n\n');
  await settled();
  expect(browser.streams).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(20_000);
  await settled();
  expect(browser.streams.map((one) => one.after)).toEqual([null, '8']);
  browser.frozen = false;
  await comes('event: hand.lowered\nid: 9\ndata: {}\n\n');
  for (const tab of [first, second]) expect(tab.ids).toEqual(['7', '8', '9']);
  // And back, when the second goes.
  second.stream.close();
  await settled();
  expect(browser.streams.map((one) => one.after)).toEqual([null, '8', '9']);
});

it('begins anew for all where one of them has become somebody else', async () => {
  await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  const second = await opened();
  second.stream.restart(true);
  await settled();
  expect(browser.streams.map((one) => one.after)).toEqual([null, null]);
  await comes('event: snapshot\nid: 9\ndata: {}\n\n');
  expect(second.ids[second.ids.length - 1]).toBe('9');
});

it('says that it waits where its own snapshot does not come', async () => {
  await opened();
  browser.room = new Response('{"code":"busy"}', { status: 503, headers: { 'Retry-After': '7' } });
  const second = await opened();
  expect(second.last).toEqual({ kind: 'waiting', at: Date.now() + 7000 });
  browser.room = null;
  await vi.advanceTimersByTimeAsync(7000);
  await settled();
  expect(second.last).toEqual({ kind: 'open' });
});

it('reads by itself where a frame may not have locks', async () => {
  browser.tabs.locks.request = (async () => {
    throw new DOMException('', 'SecurityError');
  }) as unknown as LockManager['request'];
  const only = await opened();
  await comes('event: snapshot\nid: 7\ndata: {}\n\n');
  expect(only.ids).toEqual(['7']);
});

it('does without tabs where the browser has none of it', async () => {
  const states: StreamState[] = [];
  const own = eventsOf(
    '/api/rooms/r1',
    { onMessage: () => undefined, onState: (state) => states.push(state), fetcher: browser.fetcher },
    null,
  );
  own.open();
  await settled();
  expect(browser.streams).toHaveLength(1);
  own.close();
});
