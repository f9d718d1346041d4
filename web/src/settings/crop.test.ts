import { expect, it } from 'vitest';

import { MIDDLE, moved, squareOf } from './crop';

it('takes the middle of what is not square', () => {
  expect(squareOf(600, 400, MIDDLE)).toEqual({ left: 100, top: 0, side: 400 });
  expect(squareOf(400, 600, { ...MIDDLE, y: 1 })).toEqual({ left: 0, top: 200, side: 400 });
});

it('never takes more than there is', () => {
  for (const zoom of [0, 1, 2.5, 9]) {
    for (const at of [-1, 0, 0.3, 1, 2]) {
      const { left, top, side } = squareOf(500, 300, { zoom, x: at, y: at });
      expect(Math.min(left, top)).toBeGreaterThanOrEqual(0);
      expect(left + side).toBeLessThanOrEqual(500 + 1e-9);
      expect(top + side).toBeLessThanOrEqual(300 + 1e-9);
      expect(side).toBeGreaterThan(0);
    }
  }
});

it('goes with the hand, and stops at the edge', () => {
  const right = moved(600, 400, MIDDLE, 0.25, 0.25);
  expect(squareOf(600, 400, right)).toEqual({ left: 0, top: 0, side: 400 });
  expect(moved(600, 400, right, 1, 0).x).toBe(0);
  const back = moved(600, 400, right, -0.25, 0);
  expect(squareOf(600, 400, back).left).toBeCloseTo(100);
});
