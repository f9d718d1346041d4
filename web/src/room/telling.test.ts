import { expect, it } from 'vitest';

import { anEvent, aRoom, aSpeaker } from '../../tests/given';
import { ending, telling } from './telling';

const key = (type: string, handle: string, by: string, me: string | null) =>
  telling(anEvent(3, type, handle, by), aRoom(me, { speakers: [aSpeaker('bob')] }), me)?.key ?? null;

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

it('says why the floor, an offer or a hand is gone', () => {
  const told = (type: string, reason: string, me: string | null) =>
    telling(
      anEvent(3, type, 'bob', '', { reason }),
      aRoom(me, { speakers: [aSpeaker('bob')], offers: ['bob'] }),
      me,
    );
  expect(told('floor.revoked', 'turn_over', 'bob')).toMatchObject({ key: 'said_turn_over', shown: true });
  expect(told('floor.revoked', 'next', 'bob')?.key).toBe('said_you_lost_floor');
  expect(told('floor.revoked', 'turn_over', null)?.key).toBe('said_lost_floor');
  expect(told('floor.declined', 'expired', 'bob')).toMatchObject({ key: 'said_offer_expired', shown: true });
  expect(told('floor.declined', 'expired', 'ada')).toMatchObject({ key: 'said_expired', name: 'Bob' });
  expect(told('hand.lowered', 'away', 'bob')).toMatchObject({ key: 'said_hand_away', shown: true });
  expect(told('hand.lowered', 'away', 'ada')).toBeNull();
});

it('says who leads the room now', () => {
  const succeeded = anEvent(3, 'host.succeeded', 'bob', '');
  expect(telling(succeeded, aRoom('bob'), 'bob')).toMatchObject({ key: 'said_you_lead', shown: true });
  expect(telling(succeeded, aRoom(null), null)).toMatchObject({
    key: 'said_leads',
    name: 'Bob',
    shown: false,
  });
  const back = anEvent(4, 'host.returned', undefined, '');
  expect(telling(back, aRoom(null), null)).toMatchObject({ key: 'said_host_back', name: 'Ada' });
});

it('warns the one whose turn is over soon, and tells who leads', () => {
  const speakers = [aSpeaker('ada'), aSpeaker('bob')];
  const warned = (me: string | null) => ending({ handle: 'bob', left_s: 30 }, aRoom(me, { speakers }), me);
  expect(warned('bob')).toEqual({ key: 'said_your_turn_ends', name: null, shown: true });
  expect(warned('ada')).toEqual({ key: 'said_turn_ends', name: 'Bob', shown: false });
  expect(warned('carla')).toBeNull();
  expect(warned(null)).toBeNull();
});
