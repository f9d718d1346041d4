import { createHash } from 'node:crypto';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync, gzipSync } from 'node:zlib';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

const server = process.env['PAROLA_URL'] ?? 'http://localhost:8080';
const WORKER = 'sw.js';

/** Tells the service worker which build it belongs to and of what that consists. */
function withBuild(): Plugin {
  return {
    name: 'parola:build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const worker = bundle[WORKER];
      if (worker?.type !== 'chunk') throw new Error(`the build has no ${WORKER}`);
      // Browsers start it as a plain script: what it shares with the page would be a part that it has to import.
      if (worker.imports.length) throw new Error(`${WORKER} imports ${worker.imports.join()}`);
      const files = readdirSync('public', { recursive: true, withFileTypes: true })
        .filter((one) => one.isFile())
        .map((one) => join(one.parentPath, one.name))
        .sort();
      const built = Object.keys(bundle).filter(
        // Nobody keeps the administration's part but who has loaded it.
        (name) =>
          name.startsWith('assets/') && !name.startsWith('assets/AdminPage') && !name.endsWith('.map'),
      );
      const hash = createHash('sha256').update(worker.code);
      for (const file of files) hash.update(file).update(readFileSync(file));
      for (const one of Object.values(bundle))
        if (one !== worker) hash.update(one.fileName).update(one.type === 'asset' ? one.source : one.code);
      const kept = files.map((file) => file.replace('public', '')).filter((path) => !path.endsWith('.map'));
      const parts = [...built.map((name) => `/${name}`), ...kept].sort();
      worker.code = worker.code
        .replace('__BUILD__', hash.digest('hex').slice(0, 16))
        .replace('__PARTS__', JSON.stringify(parts));
    },
  };
}

/** Packs what a phone loads, once for all: `name.br` and `name.gz` beside each, where that is worth a name. */
function packed(): Plugin {
  return {
    name: 'parola:packed',
    enforce: 'post',
    writeBundle({ dir = '' }) {
      for (const one of readdirSync(dir, { recursive: true, withFileTypes: true })) {
        if (!one.isFile() || !/\.(js|css|html|svg|webmanifest)$/.test(one.name)) continue;
        const file = join(one.parentPath, one.name);
        const plain = readFileSync(file);
        const small = { br: brotliCompressSync(plain), gz: gzipSync(plain, { level: 9 }) };
        for (const [ending, bytes] of Object.entries(small))
          if (bytes.length < 0.9 * plain.length) writeFileSync(`${file}.${ending}`, bytes);
      }
    },
  };
}

export default defineConfig({
  plugins: [svelte(), withBuild(), packed()],
  // Without this, Vitest would mount Svelte's server build.
  ...(process.env['VITEST'] ? { resolve: { conditions: ['browser'] } } : {}),
  build: {
    outDir: '../src/parola/page',
    emptyOutDir: true,
    // The page is served under `default-src 'self'`, which refuses data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rollupOptions: {
      input: { index: 'index.html', worker: 'src/offline/worker.ts' },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'worker' ? WORKER : 'assets/[name]-[hash].js'),
      },
    },
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
  // Vitest would leave one core of two to nobody.
  test: { maxWorkers: '100%', include: ['src/**/*.test.ts', 'tests/**/*.test.ts'], restoreMocks: true },
});
