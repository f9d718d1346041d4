/** What the page's service worker does with a request. Pure. */

export type Handling =
  /** None of its business: the browser asks the server, as without a worker. */
  | 'network'
  /** An address that people open: the server's answer, or the shell where none comes. Never kept. */
  | 'document'
  /** A part of this very build: what was kept when the build was installed. */
  | 'part';

export interface Asked {
  method: string;
  mode: string;
  url: string;
}

export function handling(asked: Asked, origin: string, parts: ReadonlySet<string>): Handling {
  const url = new URL(asked.url);
  if (asked.method !== 'GET' || url.origin !== origin || isApi(url.pathname)) return 'network';
  if (asked.mode === 'navigate') return 'document';
  return parts.has(url.pathname) && url.search === '' ? 'part' : 'network';
}

/** Rooms, people and sound are what they are at this moment, and nobody's but the asker's. */
function isApi(path: string): boolean {
  return path === '/api' || path.startsWith('/api/');
}
