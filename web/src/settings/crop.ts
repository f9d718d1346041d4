/** Which square of a picture is taken. Pure. */

export interface Crop {
  /** 1: as large a square as there is. */
  zoom: number;
  /** Where between both ends, 0 to 1. */
  x: number;
  y: number;
}

export const MIDDLE: Crop = { zoom: 1, x: 0.5, y: 0.5 };
export const MOST_ZOOM = 4;

export interface Square {
  left: number;
  top: number;
  side: number;
}

export function squareOf(width: number, height: number, { zoom, x, y }: Crop): Square {
  const side = Math.min(width, height) / between(zoom, 1, MOST_ZOOM);
  return { left: (width - side) * between(x, 0, 1), top: (height - side) * between(y, 0, 1), side };
}

/** After the picture was moved by so many parts of the square. */
export function moved(width: number, height: number, crop: Crop, right: number, down: number): Crop {
  const { side } = squareOf(width, height, crop);
  return {
    ...crop,
    x: width > side ? between(crop.x - (right * side) / (width - side), 0, 1) : crop.x,
    y: height > side ? between(crop.y - (down * side) / (height - side), 0, 1) : crop.y,
  };
}

function between(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
