/** What the home page shows of what the server has answered. */
import type { Room } from './protocol/types';

/** Rooms of people one follows first, each room once, and each part in the order it came in. */
export function inOrder(followed: readonly Room[], ...pages: (readonly Room[])[]): Room[] {
  const rooms = new Map<string, Room>();
  for (const room of [...followed, ...pages.flat()]) if (!rooms.has(room.id)) rooms.set(room.id, room);
  return [...rooms.values()];
}
