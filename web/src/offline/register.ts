import { go, route } from '../router.svelte';

/** Lets the page open without a network next time, and be installed. Only what was built has a worker. */
export function keepForOffline(): void {
  if (!import.meta.env.PROD || !('serviceWorker' in navigator)) return;
  navigator.serviceWorker.addEventListener('message', (event: MessageEvent<{ go?: unknown } | null>) => {
    const path = event.data?.go;
    if (typeof path === 'string' && route(path).page !== 'unknown') go(path);
  });
  // Not in the way of the first sound.
  window.addEventListener('load', () => {
    navigator.serviceWorker.register('/sw.js', { updateViaCache: 'none' }).catch(() => undefined);
  });
}
