/** The worker's part in notices: it shows what comes, leads to the room, and goes on where the browser moves. */
import { isPath, shown } from './telling';

export interface PushWorker extends EventTarget {
  readonly location: Location;
  readonly registration: ServiceWorkerRegistration;
  readonly clients: {
    matchAll(options: { type: 'window'; includeUncontrolled: boolean }): Promise<readonly Tab[]>;
    openWindow(path: string): Promise<unknown>;
  };
}

interface Tab {
  readonly url: string;
  readonly visibilityState: string;
  focus(): Promise<unknown>;
  postMessage(message: unknown): void;
}

interface Waiting extends Event {
  waitUntil(work: Promise<unknown>): void;
}

interface Pushed extends Waiting {
  readonly data: { json(): unknown } | null;
}

interface Tapped extends Waiting {
  readonly notification: Notification;
}

interface Moved extends Waiting {
  readonly oldSubscription: PushSubscription | null;
  readonly newSubscription: PushSubscription | null;
}

export function bringNotices(worker: PushWorker): void {
  worker.addEventListener('push', (event) => (event as Pushed).waitUntil(show(worker, event as Pushed)));
  worker.addEventListener('notificationclick', (event) =>
    (event as Tapped).waitUntil(lead(worker, event as Tapped)),
  );
  worker.addEventListener('pushsubscriptionchange', (event) =>
    (event as Moved).waitUntil(move(worker, event as Moved)),
  );
}

async function show(worker: PushWorker, event: Pushed): Promise<void> {
  const said = shown(read(event));
  if (!said) return;
  // Whoever is looking at that very room knows.
  const tabs = await tabsOf(worker);
  if (tabs.some((tab) => tab.visibilityState === 'visible' && new URL(tab.url).pathname === said.path))
    return;
  await worker.registration.showNotification(said.title, {
    body: said.text,
    lang: said.lang,
    dir: 'auto',
    tag: said.tag,
    icon: '/icons/plain-192.png',
    data: { path: said.path },
  });
}

async function lead(worker: PushWorker, event: Tapped): Promise<void> {
  event.notification.close();
  const path: unknown = (event.notification.data as { path?: unknown } | null)?.path;
  if (!isPath(path)) return;
  const tabs = await tabsOf(worker);
  const tab = tabs.find((one) => new URL(one.url).pathname === path) ?? tabs[0];
  if (!tab) {
    await worker.clients.openWindow(path);
    return;
  }
  // The page goes there by itself, so that a room which sounds in it sounds on.
  tab.postMessage({ go: path });
  await tab.focus().catch(() => undefined);
}

/** The browser has given the subscription up: one like it takes its place. */
async function move(worker: PushWorker, event: Moved): Promise<void> {
  const before = event.oldSubscription;
  const key = before?.options.applicationServerKey;
  const after =
    event.newSubscription ??
    (key &&
      (await worker.registration.pushManager.subscribe({
        userVisibleOnly: true,
        applicationServerKey: key,
      })));
  if (!after) return;
  const { endpoint, keys } = after.toJSON();
  const body = {
    endpoint,
    keys: { p256dh: keys?.['p256dh'], auth: keys?.['auth'] },
    language: navigator.language.startsWith('it') ? 'it' : 'en',
    ...(before ? { replaces: before.endpoint } : {}),
  };
  await fetch('/api/me/push', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
    credentials: 'same-origin',
  });
}

function tabsOf(worker: PushWorker): Promise<readonly Tab[]> {
  return worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
}

function read(event: Pushed): unknown {
  try {
    return event.data?.json();
  } catch {
    return null;
  }
}
