/** This browser as one that is told where no page is open (Push API). Nothing is asked of anybody but at a tap. */
import { forget, keep, recallKept } from '../kept';
import { wishes } from './wishes';

/** `refused`: by the person, to the browser, which will not ask again. */
export type Standing = 'cannot' | 'refused' | 'off' | 'on';

/** Whose wish it was, so that signing in again brings it back and nobody else gets it. */
const KEPT = 'parola.push';

/** Where this browser stands, of those that the server knows. */
export async function standing(known: readonly { id: string }[]): Promise<Standing> {
  const registration = await registered();
  if (!registration) return 'cannot';
  if (Notification.permission === 'denied') return 'refused';
  const subscription = await registration.pushManager.getSubscription();
  if (!subscription || Notification.permission !== 'granted') return 'off';
  const id = await idOf(subscription);
  return known.some((one) => one.id === id) ? 'on' : 'off';
}

/** To be called from a tap: browsers ask only then. Throws where the browser cannot reach its push service. */
export async function turnOn(handle: string): Promise<Standing> {
  const registration = await registered();
  if (!registration) return 'cannot';
  const said = await Notification.requestPermission();
  if (said !== 'granted') return said === 'denied' ? 'refused' : 'off';
  const key = await wishes.key();
  const before = await registration.pushManager.getSubscription();
  // One that was made for another key of this server would bring nothing.
  if (before && keyOf(before) !== key) await before.unsubscribe();
  const options = { userVisibleOnly: true, applicationServerKey: key };
  await tell(await registration.pushManager.subscribe(options));
  keep(KEPT, handle);
  return 'on';
}

export async function turnOff(): Promise<void> {
  forget(KEPT);
  const subscription = await (await registered())?.pushManager.getSubscription();
  if (!subscription) return;
  await wishes.unsubscribe(await idOf(subscription));
  await subscription.unsubscribe();
}

/** Says again that this browser is to be told, where the same person wanted it before. */
export async function renew(handle: string): Promise<void> {
  if (recallKept(KEPT) !== handle) return;
  const registration = await registered();
  if (!registration || Notification.permission !== 'granted') return;
  const subscription = await registration.pushManager.getSubscription();
  if (subscription) await tell(subscription);
}

async function registered(): Promise<ServiceWorkerRegistration | undefined> {
  if (!('serviceWorker' in navigator) || !('PushManager' in window) || !('Notification' in window))
    return undefined;
  return navigator.serviceWorker.getRegistration();
}

async function tell(subscription: PushSubscription): Promise<void> {
  const { endpoint, keys } = subscription.toJSON();
  await wishes.subscribe({
    endpoint: endpoint ?? '',
    keys: { p256dh: keys?.['p256dh'] ?? '', auth: keys?.['auth'] ?? '' },
  });
}

/** As the server calls it: the SHA-256 of the endpoint. */
export async function idOf({ endpoint }: { endpoint: string }): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(endpoint));
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

function keyOf(subscription: PushSubscription): string {
  const bytes = new Uint8Array(subscription.options.applicationServerKey ?? new ArrayBuffer(0));
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
