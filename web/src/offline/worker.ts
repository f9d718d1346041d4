/**
 * The page without a network: its shell opens and says that one is offline, instead of the browser's own refusal.
 *
 * What is kept is the one document without any room in it and the parts of one build, under that build's name; a new
 * build brings a worker of its own, which drops what the last one kept. Nothing that is answered later is ever kept.
 */
import { handling } from './policy';
import { bringNotices, type PushWorker } from './pushed';

// Filled in by the build: vite.config.ts.
const BUILD = 'parola-__BUILD__';
const PARTS: string[] = JSON.parse('__PARTS__');
const SHELL = '/';
/** A network that takes longer for a document is none. */
const PATIENCE_MS = 5000;

// The worker's own types clash with those of the page; this is what is used of them.
interface ExtendableEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
}
interface FetchEvent extends ExtendableEvent {
  readonly request: Request;
  readonly preloadResponse: Promise<Response | undefined>;
  respondWith(answer: Promise<Response>): void;
}
interface Worker extends PushWorker {
  readonly clients: PushWorker['clients'] & { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
}

const worker = self as unknown as Worker;
const parts = new Set(PARTS);

worker.addEventListener('install', (event) => (event as ExtendableEvent).waitUntil(install()));
worker.addEventListener('activate', (event) => (event as ExtendableEvent).waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
  const asked = event as FetchEvent;
  const how = handling(asked.request, worker.location.origin, parts);
  if (how === 'document') asked.respondWith(document(asked));
  else if (how === 'part') asked.respondWith(part(asked.request));
});

bringNotices(worker);

async function install(): Promise<void> {
  const cache = await caches.open(BUILD);
  await cache.addAll([SHELL, ...PARTS].map((path) => new Request(path, { cache: 'reload' })));
  await worker.skipWaiting();
}

async function activate(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(
    names.filter((name) => name.startsWith('parola-') && name !== BUILD).map((name) => caches.delete(name)),
  );
  // The server is asked while the worker still wakes up.
  await worker.registration.navigationPreload?.enable();
  await worker.clients.claim();
}

async function document(event: FetchEvent): Promise<Response> {
  const late = new Promise<never>((_, reject) => setTimeout(reject, PATIENCE_MS));
  const asked = async () => (await event.preloadResponse) ?? (await fetch(event.request));
  try {
    return await Promise.race([asked(), late]);
  } catch {
    return (await (await caches.open(BUILD)).match(SHELL)) ?? Response.error();
  }
}

async function part(request: Request): Promise<Response> {
  const kept = await (await caches.open(BUILD)).match(request);
  return kept ?? fetch(request);
}
