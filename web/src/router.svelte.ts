/** The addresses of the page: `/`, with `?q=` while one searches, `/r/{id}`, `/@handle`, `/i/{code}`, `/settings`,
 * `/welcome`, where one comes from elsewhere, `/link`, `/confirm` and `/unsubscribe/{token}`, where mailed links lead,
 * `/admin/{part}`. */

export type Route =
  | { page: 'home' }
  | { page: 'room'; id: string }
  | { page: 'profile'; handle: string }
  | { page: 'invite'; code: string }
  | { page: 'settings' }
  | { page: 'welcome' }
  | { page: 'link' }
  | { page: 'confirm' }
  | { page: 'unsubscribe'; token: string }
  | { page: 'admin'; part: string }
  | { page: 'unknown' };

const ALONE = ['settings', 'welcome', 'link', 'confirm'] as const;

function isAlone(step: string): step is (typeof ALONE)[number] {
  return (ALONE as readonly string[]).includes(step);
}

export function route(path: string): Route {
  const steps = path.split('/').filter(Boolean).map(decode);
  const [first, second] = steps;
  if (first === undefined) return { page: 'home' };
  if (first === 'r' && second && steps.length === 2) return { page: 'room', id: second };
  if (first === 'i' && second && steps.length === 2) return { page: 'invite', code: second };
  if (isAlone(first) && steps.length === 1) return { page: first };
  if (first === 'unsubscribe' && second && steps.length === 2) return { page: 'unsubscribe', token: second };
  if (first === 'admin' && steps.length <= 2) return { page: 'admin', part: second ?? 'people' };
  if (first.startsWith('@') && first.length > 1 && steps.length === 1)
    return { page: 'profile', handle: first.slice(1) };
  return { page: 'unknown' };
}

function decode(step: string): string {
  try {
    return decodeURIComponent(step);
  } catch {
    return step;
  }
}

/** `words`: what is searched for. */
export const here = $state(address());

window.addEventListener('popstate', () => Object.assign(here, address()));

export function go(path: string): void {
  if (path !== window.location.pathname || window.location.search) history.pushState(null, '', path);
  Object.assign(here, { path, words: '' });
  window.scrollTo(0, 0);
}

/** Keeps the words in the address, for whoever comes back to it, reloads it or shares it. No new place to go back to. */
export function keepWords(words: string): void {
  const search = words ? `?q=${encodeURIComponent(words)}` : '';
  if (search !== window.location.search) history.replaceState(history.state, '', here.path + search);
}

/** Follows plain clicks on our own links without loading the page anew. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
  if (link.hash || route(link.pathname).page === 'unknown') return;
  event.preventDefault();
  go(link.pathname);
}

function address() {
  const { pathname, search } = window.location;
  return { path: pathname, words: new URLSearchParams(search).get('q') ?? '' };
}
