/**
 * A room as the page knows it: snapshot plus events. Pure.
 *
 * The invariant: folding the lasting events onto an old snapshot gives the new one, apart from what is passing
 * (`audience`, `connected`). `you` is worked out here for one reader, whose handle comes as an argument.
 */
import type { Access, Person, Role, Room, RoomEvent, Turn, You } from '../protocol/types';

export type Folded =
  | { kind: 'folded'; room: Room }
  /** Nothing new: the event was in the snapshot already. */
  | { kind: 'known' }
  /** Something was missed; only a fresh snapshot helps. */
  | { kind: 'gap' };

export function fold(room: Room, event: RoomEvent, me: string | null): Folded {
  if (event.seq <= room.seq) return { kind: 'known' };
  if (event.seq !== room.seq + 1 || isVeiled(room, event)) return { kind: 'gap' };
  const next = { ...evolve(room, event), seq: event.seq };
  return { kind: 'folded', room: { ...next, you: youIn(next, me) } };
}

/** Whom the host no longer invites is not told to everyone, yet it may empty a place on the stage. */
function isVeiled(room: Room, event: RoomEvent): boolean {
  return event.type === 'person.uninvited' && !event.handle && !asksNobody(room.access);
}

function evolve(room: Room, event: RoomEvent): Room {
  const handle = event.handle ?? '';
  const who = { handle, name: event.name ?? handle, picture: event.picture ?? null };
  switch (event.type) {
    case 'room.started':
      return begun(room, event);
    case 'room.closing':
      return { ...room, ends_at: event.ends_at ?? null };
    case 'room.ended':
      return {
        ...room,
        state: 'ended',
        ended_at: event.at,
        ends_at: null,
        visitors: [],
        hands: [],
        offers: [],
        offers_until: {},
      };
    case 'hand.raised':
      return {
        ...withoutHand(room, handle),
        hands: [...room.hands, { ...who, raised_at: event.raised_at ?? event.at, note: event.note ?? '' }],
      };
    case 'hand.noted':
      return {
        ...room,
        hands: room.hands.map((one) => (one.handle === handle ? { ...one, note: event.note ?? '' } : one)),
      };
    case 'hand.lowered':
      return withoutHand(room, handle);
    case 'hands.locked':
      return { ...room, hands_locked: true };
    case 'hands.unlocked':
      return { ...room, hands_locked: false };
    case 'hands.slowed':
      return { ...room, hands_pause_s: event.pause_s ?? null };
    case 'hands.unslowed':
      return { ...room, hands_pause_s: null };
    case 'turns.set':
      return withTurns(room, event);
    case 'turns.lifted':
      return { ...room, turns: null, speakers: room.speakers.map((one) => ({ ...one, turn: null })) };
    case 'stage.sized':
      return { ...room, capacity: event.capacity ?? null };
    case 'floor.offered':
      return withOffer(room, handle, event.expires_at);
    case 'floor.declined':
      return withoutOffer(room, handle);
    case 'floor.granted':
      return withFloor(withoutHand(withoutOffer(room, handle), handle), who, event.turn ?? null);
    case 'floor.revoked':
      return withoutFloor(withoutOffer(room, handle), handle);
    case 'speaker.muted':
      return withMute(room, handle, true);
    case 'speaker.unmuted':
      return withMute(room, handle, false);
    case 'person.removed':
      return withoutVisit(withoutEverything(room, handle), handle);
    // Taking back an invitation acts like a removal where an invitation is what one enters by.
    case 'person.uninvited':
      return asksNobody(room.access) ? room : withoutEverything(room, handle);
    case 'cohost.added':
      return withTurn(
        { ...room, cohosts: [...room.cohosts.filter((known) => known !== handle), handle] },
        handle,
        null,
      );
    case 'cohost.removed':
      return withTurn(withoutCohost(room, handle), handle, event.turn ?? null);
    case 'successor.named':
      return { ...room, successor: handle };
    case 'successor.dropped':
      return { ...room, successor: null };
    case 'host.succeeded':
      return { ...room, acting_host: handle };
    case 'host.returned':
      return { ...room, acting_host: null };
    case 'visit.began':
      return { ...room, visitors: [...withoutVisit(room, handle).visitors, who] };
    case 'visit.ended':
      return withoutVisit(room, handle);
    case 'listeners.limited':
      return { ...room, listeners_at_most: event.listeners_at_most ?? null };
    // Whom a block keeps out is nobody else's business: what they held was taken by events before.
    default:
      return room;
  }
}

/** Whether the address is all one needs to enter: guests may come, and no invitation is needed. */
export function asksNobody(access: Access): boolean {
  return access === 'open' || access === 'link';
}

function begun(room: Room, event: RoomEvent): Room {
  const most = event.capacity ?? null;
  return {
    ...room,
    state: 'live',
    started_at: event.at,
    capacity:
      most === null || room.capacity === null ? (most ?? room.capacity) : Math.min(most, room.capacity),
    hands_locked: room.hands_locked || event.hands === false,
    ends_at: event.ends_at ?? null,
  };
}

/** Passing: who of the speakers has a live connection. */
export function withPresence(room: Room, handle: string, connected: boolean): Room {
  const speakers = room.speakers.map((one) => (one.handle === handle ? { ...one, connected } : one));
  return { ...room, speakers };
}

/** What the reader is in this room. */
export function youIn(room: Room, me: string | null): You {
  const speaker = room.speakers.find((one) => one.handle === me);
  return {
    role: roleIn(room, me),
    may_speak: room.state === 'live' && speaker !== undefined,
    hand: room.hands.some((one) => one.handle === me),
    muted: speaker?.muted ?? false,
    offered: me !== null && room.offers.includes(me),
    may_grant: me !== null && (room.host.handle === me || room.acting_host === me),
    // Whom the reader has blocked, the snapshot alone can tell.
    warning: room.you.warning,
  };
}

export function roleIn(room: Room, handle: string | null): Role {
  if (handle === null) return 'guest';
  if (room.host.handle === handle) return 'host';
  if (room.cohosts.includes(handle)) return 'cohost';
  return room.speakers.some((one) => one.handle === handle) ? 'speaker' : 'listener';
}

/** May someone of this role mute, revoke or remove that person? The server decides; the page only spares a refusal. */
export function mayModerate(room: Room, role: Role, target: string): boolean {
  if (target === room.host.handle) return false;
  if (role === 'host') return true;
  return role === 'cohost' && !room.cohosts.includes(target);
}

function withFloor(room: Room, who: Person, turn: Turn | null): Room {
  if (room.speakers.some((one) => one.handle === who.handle)) return room;
  return { ...room, speakers: [...room.speakers, { ...who, muted: false, connected: false, turn }] };
}

/** Those who lead the room have no turn; everybody else's begins with the event. */
function withTurns(room: Room, event: RoomEvent): Room {
  const { soft_s = 0, hard_s = 0, turn = null } = event;
  const speakers = room.speakers.map((one) => (isLeading(room, one.handle) ? one : { ...one, turn }));
  return { ...room, turns: { soft_s, hard_s }, speakers };
}

function isLeading(room: Room, handle: string): boolean {
  return room.host.handle === handle || room.cohosts.includes(handle);
}

function withTurn(room: Room, handle: string, turn: Turn | null): Room {
  return { ...room, speakers: room.speakers.map((one) => (one.handle === handle ? { ...one, turn } : one)) };
}

function withOffer(room: Room, handle: string, until: string | undefined): Room {
  const bare = withoutOffer(room, handle);
  return {
    ...bare,
    offers: [...bare.offers, handle],
    offers_until: until ? { ...bare.offers_until, [handle]: until } : bare.offers_until,
  };
}

function withMute(room: Room, handle: string, muted: boolean): Room {
  return { ...room, speakers: room.speakers.map((one) => (one.handle === handle ? { ...one, muted } : one)) };
}

function withoutHand(room: Room, handle: string): Room {
  return { ...room, hands: room.hands.filter((one) => one.handle !== handle) };
}

function withoutOffer(room: Room, handle: string): Room {
  const until = Object.entries(room.offers_until ?? {}).filter(([one]) => one !== handle);
  return {
    ...room,
    offers: room.offers.filter((one) => one !== handle),
    offers_until: Object.fromEntries(until),
  };
}

function withoutFloor(room: Room, handle: string): Room {
  return { ...room, speakers: room.speakers.filter((one) => one.handle !== handle) };
}

function withoutVisit(room: Room, handle: string): Room {
  return { ...room, visitors: room.visitors.filter((one) => one.handle !== handle) };
}

function withoutEverything(room: Room, handle: string): Room {
  return withoutCohost(withoutFloor(withoutOffer(withoutHand(room, handle), handle), handle), handle);
}

/** Who is in the host's place, or is to be, is a co-host. */
function withoutCohost(room: Room, handle: string): Room {
  return {
    ...room,
    cohosts: room.cohosts.filter((one) => one !== handle),
    successor: room.successor === handle ? null : room.successor,
    acting_host: room.acting_host === handle ? null : room.acting_host,
  };
}
