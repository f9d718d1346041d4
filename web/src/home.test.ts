import { expect, it } from 'vitest';

import { aRoom } from '../tests/given';
import { inOrder } from './home';

const rooms = (ids: string) => [...ids].map((id) => aRoom('eva', { id }));
const ids = (found: ReturnType<typeof inOrder>) => found.map((room) => room.id).join('');

it('puts those first whom one follows, and nothing twice', () => {
  expect(ids(inOrder(rooms('c'), rooms('abc'), rooms('bd')))).toBe('cabd');
});

it('shows a room of someone one follows even where it is on a later page', () => {
  expect(ids(inOrder(rooms('d'), rooms('a')))).toBe('da');
});
