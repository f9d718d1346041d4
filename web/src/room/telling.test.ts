import { expect, it } from 'vitest';

import { aRoom, anEvent, person } from '../../tests/given';
import { telling } from './telling';

const key = (type: string, handle: string, by: string, me: string | null) =>
  telling(
    anEvent(3, type, handle, by),
    aRoom(me, { speakers: [{ ...person('bob'), muted: false, connected: true }] }),
    me,
  )?.key ?? null;

it('says to the one concerned what was done to them, and nothing of what they did themselves', () => {
  expect(key('floor.granted', 'bob', 'ada', 'bob')).toBe('said_you_have_floor');
  expect(key('floor.revoked', 'bob', 'ada', 'bob')).toBe('said_you_lost_floor');
  expect(key('speaker.muted', 'bob', 'ada', 'bob')).toBe('said_you_muted');
  expect(key('speaker.muted', 'bob', 'bob', 'bob')).toBeNull();
  expect(key('hand.lowered', 'bob', 'ada', 'bob')).toBe('said_hand_dismissed');
  expect(key('hand.lowered', 'bob', 'bob', 'bob')).toBeNull();
  expect(key('floor.declined', 'bob', 'ada', 'bob')).toBe('said_withdrawn');
});

it('tells everybody that the time is nearly over', () => {
  expect(telling(anEvent(3, 'room.closing'), aRoom(), null)).toEqual({
    key: 'said_closing',
    name: null,
    shown: true,
  });
});

it('says to the others who it was', () => {
  expect(telling(anEvent(3, 'floor.granted', 'bob'), aRoom(), null)).toEqual({
    key: 'said_has_floor',
    name: 'Bob',
    shown: false,
  });
  expect(key('floor.revoked', 'carla', 'ada', null)).toBeNull();
  expect(key('speaker.unmuted', 'bob', 'bob', null)).toBeNull();
});
