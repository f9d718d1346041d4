// Makes src/language/messages.ts out of messages/*.json, and likewise catalogues of their own for what few load (the
// administration, settings, how one is told) and for the service worker: every key typed with its parameters, and a
// refusal when a language lacks a key, has one too many, or names other parameters than English does.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Messages are a text, or `{one, other, …}` by plural category of the parameter `count`. */
export function parametersOf(message) {
  const texts = typeof message === 'string' ? [message] : Object.values(message);
  const names = new Set(texts.flatMap((text) => [...text.matchAll(/\{(\w+)\}/g)].map((found) => found[1])));
  if (typeof message !== 'string') names.add('count');
  return [...names].sort();
}

/** What is wrong with the catalogues, in words; empty when nothing is. */
export function faults(catalogues) {
  const english = catalogues.en;
  const found = [];
  for (const [language, catalogue] of Object.entries(catalogues)) {
    for (const key of Object.keys(english)) if (!(key in catalogue)) found.push(`${language} lacks "${key}"`);
    for (const [key, message] of Object.entries(catalogue)) {
      if (!(key in english)) found.push(`${language} has "${key}", which en has not`);
      else if (parametersOf(message).join() !== parametersOf(english[key]).join())
        found.push(`${language} "${key}" takes other parameters than in en`);
      if (typeof message !== 'string' && !('other' in message))
        found.push(`${language} "${key}" has no "other"`);
    }
  }
  return found;
}

export function render(catalogues) {
  const parameters = Object.entries(catalogues.en).map(([key, message]) => {
    const names = parametersOf(message);
    const fields = names.map((name) => `${name}: ${name === 'count' ? 'number' : 'string | number'}`);
    return `  ${key}: ${names.length ? `{ ${fields.join('; ')} }` : 'undefined'};`;
  });
  return [
    '// Made by scripts/messages.mjs from messages/*.json; do not edit.',
    `export const languages = ${JSON.stringify(Object.keys(catalogues))} as const;`,
    'export type Language = (typeof languages)[number];',
    'export type Message = string | { readonly other: string; readonly [category: string]: string };',
    `export interface Parameters {\n${parameters.join('\n')}\n}`,
    'export type Key = keyof Parameters;',
    `export const catalogues: Record<Language, Record<Key, Message>> = ${JSON.stringify(catalogues, null, 2)};`,
    '',
  ].join('\n');
}

function make(folder, module) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
  const catalogues = Object.fromEntries(
    files.sort().map((name) => [name.slice(0, -5), JSON.parse(readFileSync(join(folder, name), 'utf8'))]),
  );
  const wrong = faults(catalogues);
  if (wrong.length) {
    console.error(wrong.join('\n'));
    process.exit(1);
  }
  const target = join(root, module);
  const text = render(catalogues);
  let before = '';
  try {
    before = readFileSync(target, 'utf8');
  } catch {
    // Not made yet.
  }
  if (before !== text) writeFileSync(target, text);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  make(join(root, 'messages'), 'src/language/messages.ts');
  make(join(root, 'messages/admin'), 'src/admin/messages.ts');
  make(join(root, 'messages/settings'), 'src/settings/messages.ts');
  make(join(root, 'messages/notices'), 'src/settings/notice-messages.ts');
  make(join(root, 'messages/worker'), 'src/offline/messages.ts');
}
