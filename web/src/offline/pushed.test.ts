import { afterEach, expect, it, vi } from 'vitest';

import { bringNotices, type PushWorker } from './pushed';

const said = {
  kind: 'room.started',
  language: 'en',
  room: { id: 'r1', title: 'Town council' },
  host: { handle: 'ada', name: 'Ada' },
};

function tab(path: string, visibilityState = 'hidden') {
  return {
    url: `https://parola.example${path}`,
    visibilityState,
    focus: vi.fn(async () => undefined),
    postMessage: vi.fn(),
  };
}

/** A worker with these tabs, and what it does. */
function aWorker(tabs: ReturnType<typeof tab>[] = []) {
  const target = new EventTarget();
  const showNotification = vi.fn(async () => undefined);
  const openWindow = vi.fn(async () => null);
  const subscribe = vi.fn(async () => subscription('https://push.example/new'));
  const worker = Object.assign(target, {
    location: new URL('https://parola.example/sw.js'),
    registration: { showNotification, pushManager: { subscribe } },
    clients: { matchAll: async () => tabs, openWindow },
  });
  bringNotices(worker as unknown as PushWorker);
  async function tell(type: string, given: object) {
    const waited: Promise<unknown>[] = [];
    const waitUntil = (work: Promise<unknown>) => waited.push(work);
    target.dispatchEvent(Object.assign(new Event(type), { waitUntil, ...given }));
    await Promise.all(waited);
  }
  return { tell, showNotification, openWindow, subscribe };
}

function subscription(endpoint: string) {
  return {
    endpoint,
    options: { applicationServerKey: new Uint8Array([4, 1]).buffer },
    toJSON: () => ({ endpoint, keys: { p256dh: 'P', auth: 'A' } }),
  };
}

afterEach(() => vi.unstubAllGlobals());

it('shows what comes', async () => {
  const worker = aWorker([tab('/')]);
  await worker.tell('push', { data: { json: () => said } });
  expect(worker.showNotification).toHaveBeenCalledExactlyOnceWith(
    '\u2068Ada\u2069 is live',
    expect.objectContaining({ body: 'Town council', lang: 'en', tag: 'room:r1', data: { path: '/r/r1' } }),
  );
});

it('shows nothing to who looks at the room, nor of what it does not know', async () => {
  const looking = aWorker([tab('/r/r1', 'visible')]);
  await looking.tell('push', { data: { json: () => said } });
  const other = aWorker();
  await other.tell('push', { data: null });
  const broken = () => {
    throw new SyntaxError();
  };
  await other.tell('push', { data: { json: broken } });
  expect(looking.showNotification).not.toHaveBeenCalled();
  expect(other.showNotification).not.toHaveBeenCalled();
});

it('leads to the room in the tab that is there, and opens one where none is', async () => {
  const notification = { close: vi.fn(), data: { path: '/r/r1' } };
  const [one, two] = [tab('/'), tab('/r/r1')];
  await aWorker([one, two]).tell('notificationclick', { notification });
  expect(two.postMessage).toHaveBeenCalledWith({ go: '/r/r1' });
  expect(two.focus).toHaveBeenCalled();
  expect(one.postMessage).not.toHaveBeenCalled();
  const none = aWorker();
  await none.tell('notificationclick', { notification });
  expect(none.openWindow).toHaveBeenCalledWith('/r/r1');
  await none.tell('notificationclick', { notification: { close: vi.fn(), data: { path: '//eve.example' } } });
  expect(none.openWindow).toHaveBeenCalledTimes(1);
});

it('goes on where the browser gives its subscription another address', async () => {
  const fetched = vi.fn(async () => new Response());
  vi.stubGlobal('fetch', fetched);
  vi.stubGlobal('navigator', { language: 'it-IT' });
  const worker = aWorker();
  const oldSubscription = subscription('https://push.example/old');
  await worker.tell('pushsubscriptionchange', { oldSubscription, newSubscription: null });
  expect(worker.subscribe).toHaveBeenCalledWith({
    userVisibleOnly: true,
    applicationServerKey: oldSubscription.options.applicationServerKey,
  });
  const [path, init] = fetched.mock.calls[0] as unknown as [string, RequestInit];
  expect(path).toBe('/api/me/push');
  expect(JSON.parse(String(init.body))).toEqual({
    endpoint: 'https://push.example/new',
    keys: { p256dh: 'P', auth: 'A' },
    language: 'it',
    replaces: 'https://push.example/old',
  });
});
