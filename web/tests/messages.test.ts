import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, it } from 'vitest';

// @ts-expect-error a plain script, which the build runs as well
import { faults, parametersOf } from '../scripts/messages.mjs';
import { catalogues as administration } from '../src/admin/messages';
import { catalogues } from '../src/language/messages';
import { catalogues as worker } from '../src/offline/messages';
import { catalogues as settings } from '../src/settings/messages';
import { catalogues as notices } from '../src/settings/notice-messages';

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.(ts|svelte)$/.test(entry.name) && !/messages\.ts$|\.test\.ts$/.test(entry.name) ? [path] : [];
  });
}

it('has every language complete', () => {
  expect(faults(catalogues)).toEqual([]);
  for (const one of [administration, settings, worker, notices]) expect(faults(one)).toEqual([]);
});

it('finds what is missing, too much, or differs', () => {
  const english = { a: 'x {name}', b: { one: '1', other: '{count}' } };
  expect(faults({ en: english, it: { a: 'y', c: 'z' } })).toEqual([
    'it lacks "b"',
    'it "a" takes other parameters than in en',
    'it has "c", which en has not',
  ]);
  expect(parametersOf(english.b)).toEqual(['count']);
});

it('says nothing that nobody says', () => {
  const text = sources(join(__dirname, '../src'))
    .map((path) => readFileSync(path, 'utf8'))
    .join('\n');
  const keys = [catalogues, administration, settings, worker, notices].flatMap(({ en }) => Object.keys(en));
  const unused = keys.filter((key) => !text.includes(`'${key}'`));
  expect(unused).toEqual([]);
});
