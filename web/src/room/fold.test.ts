import { describe, expect, it } from 'vitest';

import { aHand, anEvent, aRoom, aSpeaker, AT } from '../../tests/given';
import type { Room, RoomEvent } from '../protocol/types';
import { fold, mayModerate, withPresence } from './fold';

function after(room: Room, me: string | null, ...events: RoomEvent[]): Room {
  return events.reduce((now, event) => {
    const folded = fold(now, event, me);
    if (folded.kind !== 'folded') throw new Error(folded.kind);
    return folded.room;
  }, room);
}

describe('fold', () => {
  it('follows a hand to the floor and back', () => {
    let room = after(
      aRoom('bob'),
      'bob',
      anEvent(3, 'hand.raised', 'carla'),
      anEvent(4, 'hand.raised', 'bob'),
    );
    expect(room.hands.map((one) => one.handle)).toEqual(['carla', 'bob']);
    expect(room.hands[1]?.raised_at).toBe(AT);
    expect(room.you).toMatchObject({ role: 'listener', hand: true, may_speak: false });

    room = after(room, 'bob', anEvent(5, 'floor.granted', 'bob'));
    expect(room.hands.map((one) => one.handle)).toEqual(['carla']);
    expect(room.speakers[1]).toEqual(aSpeaker('bob', { picture: null, connected: false }));
    expect(room.you).toMatchObject({ role: 'speaker', hand: false, may_speak: true, muted: false });

    room = after(room, 'bob', anEvent(6, 'speaker.muted', 'bob'));
    expect(room.you.muted).toBe(true);
    room = after(room, 'bob', anEvent(7, 'speaker.unmuted', 'bob'), anEvent(8, 'floor.revoked', 'bob'));
    expect(room.speakers.map((one) => one.handle)).toEqual(['ada']);
    expect(room.you).toMatchObject({ role: 'listener', may_speak: false, muted: false });
  });

  it('locks hands and opens them again, and leaves those that are up', () => {
    const locked = after(aRoom(), null, anEvent(3, 'hand.raised', 'bob'), anEvent(4, 'hands.locked'));
    expect(locked.hands_locked).toBe(true);
    expect(locked.hands.map((one) => one.handle)).toEqual(['bob']);
    expect(after(locked, null, anEvent(5, 'hands.unlocked')).hands_locked).toBe(false);
  });

  it('begins under the terms of its start, is warned, and ends', () => {
    const planned = aRoom(null, { state: 'scheduled', started_at: null, capacity: 9 });
    const begun = after(planned, null, {
      ...anEvent(3, 'room.started'),
      capacity: 4,
      hands: false,
      ends_at: AT,
    });
    expect(begun).toMatchObject({ state: 'live', capacity: 4, hands_locked: true, ends_at: AT });
    const small = after({ ...planned, capacity: 2 }, null, { ...anEvent(3, 'room.started'), capacity: 4 });
    expect(small).toMatchObject({ capacity: 2, hands_locked: false, ends_at: null });
    const closing = after(begun, null, { ...anEvent(4, 'room.closing'), ends_at: AT });
    expect(closing.ends_at).toBe(AT);
    expect(after(closing, null, anEvent(5, 'room.ended'))).toMatchObject({ state: 'ended', ends_at: null });
    const asked = after(begun, null, anEvent(4, 'hand.raised', 'bob'), anEvent(5, 'room.ended'));
    expect(asked.hands).toEqual([]);
  });

  it('offers, and takes the offer away by answer, withdrawal or grant', () => {
    const offered = after(aRoom('bob'), 'bob', anEvent(3, 'floor.offered', 'bob'));
    expect(offered.you.offered).toBe(true);
    for (const type of ['floor.declined', 'floor.revoked', 'floor.granted', 'person.removed'])
      expect(after(offered, 'bob', anEvent(4, type, 'bob')).offers).toEqual([]);
  });

  it('takes everything from whoever is removed', () => {
    const room = after(
      aRoom(null, { hands: [aHand('bob')], offers: ['bob'], cohosts: ['bob'] }),
      null,
      anEvent(3, 'floor.granted', 'carla'),
      anEvent(4, 'person.removed', 'bob'),
      anEvent(5, 'person.removed', 'carla'),
    );
    expect(room).toMatchObject({ hands: [], offers: [], cohosts: [] });
    expect(room.speakers).toHaveLength(1);
  });

  it('treats a taken back invitation as a removal where one enters by it', () => {
    const speakers = [aSpeaker('bob')];
    const gone = anEvent(3, 'person.uninvited', 'bob');
    expect(after(aRoom(null, { access: 'invited', speakers }), null, gone).speakers).toEqual([]);
    expect(after(aRoom(null, { access: 'open', speakers }), null, gone).speakers).toEqual(speakers);
  });

  it('starts, appoints, and ends', () => {
    const room = after(
      aRoom('bob', { state: 'scheduled', started_at: null }),
      'bob',
      anEvent(3, 'room.started'),
      anEvent(4, 'cohost.added', 'bob'),
    );
    expect(room).toMatchObject({ state: 'live', started_at: AT, cohosts: ['bob'], you: { role: 'cohost' } });
    const ended = after(room, 'bob', anEvent(5, 'cohost.removed', 'bob'), anEvent(6, 'room.ended'));
    expect(ended).toMatchObject({ state: 'ended', ended_at: AT, cohosts: [], you: { role: 'listener' } });
  });

  const turn = { began_at: AT, soft_at: '2026-03-04T05:07:37.890Z', hard_at: '2026-03-04T05:08:07.890Z' };

  it('keeps what each hand wants to ask', () => {
    const asked = after(aRoom(), null, anEvent(3, 'hand.raised', 'bob', 'bob', { note: 'why?' }));
    expect(asked.hands[0]?.note).toBe('why?');
    expect(after(asked, null, anEvent(4, 'hand.noted', 'bob', 'bob', { note: '' })).hands[0]?.note).toBe('');
    expect(after(aRoom(), null, anEvent(3, 'hand.raised', 'bob')).hands[0]?.note).toBe('');
  });

  it('times the turns of those who do not lead, until they are lifted', () => {
    const room = after(
      aRoom(null, { cohosts: ['carla'], speakers: [aSpeaker('ada'), aSpeaker('bob'), aSpeaker('carla')] }),
      null,
      anEvent(3, 'turns.set', undefined, 'ada', { soft_s: 90, hard_s: 120, turn }),
    );
    expect(room.turns).toEqual({ soft_s: 90, hard_s: 120 });
    expect(room.speakers.map((one) => one.turn)).toEqual([null, turn, null]);
    const leading = after(room, null, anEvent(4, 'cohost.added', 'bob'));
    expect(leading.speakers[1]?.turn).toBeNull();
    const former = after(leading, null, anEvent(5, 'cohost.removed', 'bob', 'ada', { turn }));
    expect(former.speakers[1]?.turn).toEqual(turn);
    const lifted = after(former, null, anEvent(6, 'turns.lifted'));
    expect([lifted.turns, lifted.speakers[1]?.turn]).toEqual([null, null]);
    const granted = after(room, null, anEvent(4, 'floor.granted', 'dora', 'ada', { turn }));
    expect(granted.speakers[3]?.turn).toEqual(turn);
  });

  it('knows how the room runs, and until when an offer stands', () => {
    const room = after(
      aRoom(),
      null,
      anEvent(3, 'stage.sized', undefined, 'ada', { capacity: 3 }),
      anEvent(4, 'hands.slowed', undefined, 'ada', { pause_s: 60 }),
      anEvent(5, 'floor.offered', 'bob', 'ada', { expires_at: AT }),
    );
    expect(room).toMatchObject({ capacity: 3, hands_pause_s: 60, offers_until: { bob: AT } });
    const over = after(
      room,
      null,
      anEvent(6, 'floor.declined', 'bob', '', { reason: 'expired' }),
      anEvent(7, 'hands.unslowed'),
    );
    expect(over).toMatchObject({ hands_pause_s: null, offers: [], offers_until: {} });
  });

  it('lets whom the host named grant, until the host is back or they lead no more', () => {
    const led = after(
      aRoom('bob', { cohosts: ['bob'] }),
      'bob',
      anEvent(3, 'successor.named', 'bob'),
      anEvent(4, 'host.succeeded', 'bob', ''),
    );
    expect(led).toMatchObject({ successor: 'bob', acting_host: 'bob' });
    expect(led.you).toMatchObject({ role: 'cohost', may_grant: true });
    const back = after(led, 'bob', anEvent(5, 'host.returned', undefined, ''));
    expect([back.acting_host, back.you.may_grant]).toEqual([null, false]);
    for (const type of ['cohost.removed', 'person.removed'])
      expect(after(led, 'bob', anEvent(5, type, 'bob'))).toMatchObject({
        successor: null,
        acting_host: null,
      });
    expect(after(back, 'bob', anEvent(6, 'successor.dropped', 'bob')).successor).toBeNull();
  });

  it('folds a room that an older server has told of', () => {
    const { offers_until, acting_host, turns, ...old } = aRoom('bob');
    expect([offers_until, acting_host, turns]).toEqual([{}, null, null]);
    const room = after(
      old as Room,
      'bob',
      anEvent(3, 'floor.offered', 'bob'),
      anEvent(4, 'floor.granted', 'bob'),
    );
    expect(room.you).toMatchObject({ may_speak: true, may_grant: false });
  });

  it('moves only seq for events it does not know', () => {
    const room = aRoom();
    expect(after(room, null, anEvent(3, 'reaction.pinned', 'bob'))).toEqual({ ...room, seq: 3 });
  });

  it('knows what it has and notices what it lacks', () => {
    expect(fold(aRoom(), anEvent(2, 'room.ended'), null)).toEqual({ kind: 'known' });
    expect(fold(aRoom(), anEvent(4, 'room.ended'), null)).toEqual({ kind: 'gap' });
  });

  it('needs a snapshot where an event does not say whom it took away', () => {
    const room = aRoom(null, { access: 'invited' });
    expect(fold(room, anEvent(3, 'person.uninvited'), null)).toEqual({ kind: 'gap' });
  });

  it('is as if told once when told the same from an earlier snapshot', () => {
    const events = [
      anEvent(3, 'hand.raised', 'bob'),
      anEvent(4, 'floor.offered', 'carla'),
      anEvent(5, 'floor.granted', 'bob'),
      anEvent(6, 'speaker.muted', 'bob'),
      anEvent(7, 'floor.granted', 'carla'),
      anEvent(8, 'hand.lowered', 'dora'),
      anEvent(9, 'hands.locked'),
      anEvent(10, 'turns.set', undefined, 'ada', { soft_s: 90, hard_s: 120, turn }),
      anEvent(11, 'hand.raised', 'dora', 'dora', { note: 'why?' }),
      anEvent(12, 'hand.noted', 'dora', 'dora', { note: 'how?' }),
      anEvent(13, 'stage.sized', undefined, 'ada', { capacity: 3 }),
      anEvent(14, 'hands.slowed', undefined, 'ada', { pause_s: 60 }),
      anEvent(15, 'cohost.added', 'carla'),
      anEvent(16, 'successor.named', 'carla'),
      anEvent(17, 'host.succeeded', 'carla', ''),
      anEvent(18, 'floor.offered', 'eva', 'carla', { expires_at: AT }),
      anEvent(19, 'host.returned', undefined, ''),
    ];
    const whole = after(aRoom('bob'), 'bob', ...events);
    for (let cut = 0; cut <= events.length; cut++) {
      const snapshot = after(aRoom('bob'), 'bob', ...events.slice(0, cut));
      let room = snapshot;
      for (const event of events) {
        const folded = fold(room, event, 'bob');
        if (folded.kind === 'folded') room = folded.room;
      }
      expect(room).toEqual(whole);
    }
  });
});

it('marks who is connected', () => {
  expect(withPresence(aRoom(), 'ada', true).speakers[0]?.connected).toBe(true);
  expect(withPresence(aRoom(), 'nobody', true)).toEqual(aRoom());
});

it('lets co-hosts act on those below them only', () => {
  const room = aRoom('bob', { cohosts: ['bob', 'carla'] });
  expect(mayModerate(room, 'cohost', 'dora')).toBe(true);
  expect(mayModerate(room, 'cohost', 'carla')).toBe(false);
  expect(mayModerate(room, 'host', 'carla')).toBe(true);
  expect(mayModerate(room, 'host', 'ada')).toBe(false);
  expect(mayModerate(room, 'speaker', 'dora')).toBe(false);
});

it('knows a new limit of listeners, and keeps the warning that only a snapshot tells', () => {
  const before = aRoom('eva', { listeners_at_most: 5 });
  const room = { ...before, you: { ...before.you, warning: 'blocked_on_stage' as const } };
  const folded = fold(room, { ...anEvent(3, 'listeners.limited'), listeners_at_most: 9 }, 'eva');
  expect(folded).toMatchObject({
    kind: 'folded',
    room: { listeners_at_most: 9, you: { warning: 'blocked_on_stage' } },
  });
});

it('moves on where somebody was shut out whom nobody names', () => {
  const room = aRoom('eva');
  const folded = fold(room, anEvent(3, 'person.shut_out', undefined, ''), 'eva');
  expect(folded).toEqual({ kind: 'folded', room: { ...room, seq: 3 } });
});

it('knows which administrators may listen, until their visit, the room or their part in it ends', () => {
  const visited = fold(aRoom('eva'), anEvent(3, 'visit.began', 'root', ''), 'eva');
  expect(visited).toMatchObject({ room: { visitors: [{ handle: 'root' }] } });
  if (visited.kind !== 'folded') return;
  for (const type of ['visit.ended', 'person.removed', 'room.ended']) {
    expect(fold(visited.room, anEvent(4, type, 'root'), 'eva')).toMatchObject({ room: { visitors: [] } });
  }
});
