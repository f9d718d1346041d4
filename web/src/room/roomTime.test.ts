import { expect, it } from 'vitest';

import { roomTime } from './roomTime';

it.each([
  [0, '0:00'],
  [-5, '0:00'],
  [65_999, '1:05'],
  [3_600_000, '1:00:00'],
  [37_025_000, '10:17:05'],
])('says %i ms as %s', (ms, said) => {
  expect(roomTime(ms)).toBe(said);
});
