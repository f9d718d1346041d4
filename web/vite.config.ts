import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

const server = process.env['PAROLA_URL'] ?? 'http://localhost:8080';

export default defineConfig({
  plugins: [svelte()],
  // Without this, Vitest would mount Svelte's server build.
  ...(process.env['VITEST'] ? { resolve: { conditions: ['browser'] } } : {}),
  build: {
    outDir: '../src/parola/page',
    emptyOutDir: true,
    // The page is served under `default-src 'self'`, which refuses data: addresses.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': { target: server, changeOrigin: false } } },
  test: { include: ['src/**/*.test.ts', 'tests/**/*.test.ts'], restoreMocks: true },
});
