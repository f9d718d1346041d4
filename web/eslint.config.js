import js from '@eslint/js';
import svelte from 'eslint-plugin-svelte';
import globals from 'globals';
import ts from 'typescript-eslint';

import svelteConfig from './svelte.config.js';

export default ts.config(
  { ignores: ['dist/', 'coverage/', 'src/**/messages.ts', 'src/settings/notice-messages.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...svelte.configs.recommended,
  { languageOptions: { globals: { ...globals.browser } } },
  { files: ['scripts/**', 'tests/**', '*.config.*'], languageOptions: { globals: { ...globals.node } } },
  {
    files: ['**/*.svelte', '**/*.svelte.ts'],
    languageOptions: { parserOptions: { parser: ts.parser, extraFileExtensions: ['.svelte'], svelteConfig } },
    rules: {
      // A strict Content-Security-Policy refuses style attributes; `style:` directives go through the CSSOM.
      'no-restricted-syntax': [
        'error',
        { selector: 'SvelteAttribute[key.name="style"]', message: 'no style attributes' },
      ],
      'svelte/no-at-html-tags': 'error',
      'svelte/button-has-type': 'error',
    },
  },
  // The file that the layers rest on: the protocol knows nothing of the room, nor the room of the media.
  {
    files: ['src/protocol/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        { patterns: ['**/room/*', '**/media/*', '**/components/*', '**/pages/*'] },
      ],
    },
  },
  {
    files: ['src/media/**'],
    rules: {
      'no-restricted-imports': ['error', { patterns: ['**/room/*', '**/components/*', '**/pages/*'] }],
    },
  },
  {
    files: ['src/room/**'],
    rules: { 'no-restricted-imports': ['error', { patterns: ['**/components/*', '**/pages/*'] }] },
  },
);
