import { expect, it } from 'vitest';

import { backoff } from './backoff';

it('doubles, is spread, and has an end', () => {
  expect(backoff(0, 1)).toBe(500);
  expect(backoff(0, 0)).toBe(250);
  expect(backoff(3, 1)).toBe(4000);
  expect(backoff(1000, 1)).toBe(8000);
});
