/** What a push message shows, and where a tap on it leads. Pure. */
import { catalogues, languages, type Key } from './messages';

export interface Shown {
  title: string;
  text: string;
  lang: string;
  /** A newer one with the same tag takes its place. */
  tag: string;
  /** Within this page; where a tap leads. */
  path: string;
}

/** Texts of others run in their own direction, and cannot turn the words around them. */
const isolated = (text: string) => `\u2068${text}\u2069`;

/** Null for what is not known here. */
export function shown(said: unknown): Shown | null {
  const { kind, language, room, host } = record(said);
  const lang = languages.find((one) => one === language) ?? 'en';
  const say = (key: Key, name = '') => String(catalogues[lang][key]).replace('{name}', () => name);
  if (kind === 'test')
    return { title: say('test_title'), text: say('test_text'), lang, tag: 'test', path: '/settings' };
  const { id, title } = record(room);
  const { name } = record(host);
  if (kind !== 'room.started' || typeof id !== 'string' || !id) return null;
  return {
    title: say('started', isolated(text(name))),
    text: text(title),
    lang,
    tag: `room:${id}`,
    path: `/r/${encodeURIComponent(id)}`,
  };
}

/** Where a message of the worker may lead a page to. */
export function isPath(path: unknown): path is string {
  return typeof path === 'string' && (path.startsWith('/r/') || path === '/settings');
}

function record(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
