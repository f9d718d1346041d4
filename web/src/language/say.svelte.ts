/** Words in the reader's language. `say` reads a reactive choice, so that what is on the page changes with it. */
import { keep, recallKept } from '../kept';
import { catalogues, languages, type Key, type Language, type Message, type Parameters } from './messages';

const STORED = 'parola.language';

let chosen = $state<Language>(initial());

export function language(): Language {
  return chosen;
}

export function choose(next: Language): void {
  chosen = next;
  document.documentElement.lang = next;
  keep(STORED, next);
}

/** The first of the browser's languages that we have, else English. */
export function preferred(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const base = tag.toLowerCase().split('-')[0];
    const found = languages.find((one) => one === base);
    if (found) return found;
  }
  return 'en';
}

export function say<K extends Key>(
  key: K,
  ...given: Parameters[K] extends undefined ? [] : [Parameters[K]]
): string {
  return fill(catalogues[chosen][key], given[0]);
}

/** A message of any catalogue in the chosen language, with `given` in its places. */
export function fill(message: Message, given: object = {}): string {
  const values = given as Record<string, string | number>;
  const text =
    typeof message === 'string'
      ? message
      : (message[pluralOf[chosen](Number(values['count']))] ?? message.other);
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    return typeof value === 'number' ? figure(value) : (value ?? whole);
  });
}

/** As Intl.PluralRules has it for whole numbers, whose first use takes a cheap phone a tenth of a second. */
export const pluralOf: Record<Language, (count: number) => 'one' | 'other'> = { en: singular, it: singular };

function singular(count: number): 'one' | 'other' {
  return count === 1 ? 'one' : 'other';
}

/** Likewise: small numbers are written alike everywhere. */
function figure(value: number): string {
  if (Number.isInteger(value) && value >= 0 && value < 1000) return String(value);
  return new Intl.NumberFormat(locale()).format(value);
}

/** The browser's own kind of the chosen language, since a country writes times its own way. */
function locale(): string {
  return navigator.languages?.find((tag) => tag.toLowerCase().split('-')[0] === chosen) ?? chosen;
}

/** Hours and minutes, as the reader's language writes them. */
export function clock(time: string): string {
  return new Intl.DateTimeFormat(locale(), { hour: 'numeric', minute: '2-digit' }).format(Date.parse(time));
}

export function dayAndClock(time: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'full', timeStyle: 'short' }).format(
    Date.parse(time),
  );
}

export function day(time: string): string {
  return new Intl.DateTimeFormat(locale(), { dateStyle: 'medium' }).format(Date.parse(time));
}

/** Day and time of what is to come; the year only where it is another one. */
export function soon(time: string, now: number = Date.now()): string {
  const at = Date.parse(time);
  const yearOf = new Intl.DateTimeFormat('en', { year: 'numeric' });
  const year = yearOf.format(at) === yearOf.format(now) ? {} : ({ year: 'numeric' } as const);
  return new Intl.DateTimeFormat(locale(), {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    hour: 'numeric',
    minute: '2-digit',
    ...year,
  }).format(at);
}

/** Hours and whole minutes; what is shorter counts as one minute. */
export function howLong(ms: number): string {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  const parts = { hour: Math.floor(minutes / 60), minute: minutes % 60 };
  const said = Object.entries(parts)
    .filter(([, count]) => count > 0)
    .map(([unit, count]) =>
      new Intl.NumberFormat(locale(), { style: 'unit', unit, unitDisplay: 'short' }).format(count),
    );
  return new Intl.ListFormat(locale(), { type: 'unit', style: 'short' }).format(said);
}

/** "Ada, Bob and Carla". */
export function enumerate(names: string[]): string {
  return new Intl.ListFormat(locale()).format(names);
}

export function percent(part: number): string {
  return new Intl.NumberFormat(locale(), { style: 'percent', maximumFractionDigits: 1 }).format(part);
}

function initial(): Language {
  const stored = recallKept(STORED);
  const first = preferred([...(stored ? [stored] : []), ...(navigator.languages ?? [navigator.language])]);
  document.documentElement.lang = first;
  return first;
}
