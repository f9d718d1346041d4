/** What an event means to the one who is there: a sentence to read out, and whether it should also be seen. Pure. */
import type { Key } from '../language/messages';
import type { Room, RoomEvent, TurnWarning } from '../protocol/types';

export interface Telling {
  key: Key;
  name: string | null;
  /** It concerns the reader so much that it is shown as well. */
  shown: boolean;
}

export function telling(event: RoomEvent, before: Room, me: string | null): Telling | null {
  const mine = me !== null && event.handle === me;
  const byMe = me !== null && event.by === me;
  const name = event.name ?? event.handle ?? '';
  const others = (key: Key): Telling => ({ key, name, shown: false });
  const own = (key: Key): Telling => ({ key, name: null, shown: true });
  switch (event.type) {
    case 'room.started':
      return own('said_started');
    case 'room.closing':
      return own('said_closing');
    case 'hand.raised':
      return mine ? null : others('said_hand');
    case 'hand.lowered':
      if (!mine || byMe) return null;
      return own(event.reason === 'away' ? 'said_hand_away' : 'said_hand_dismissed');
    // An offer and a grant change the bar at the thumb before one's eyes, so they are only read out.
    case 'floor.offered':
      return mine ? { ...own('said_you_offered'), shown: false } : others('said_offered');
    case 'floor.declined':
      if (event.reason === 'expired') return mine ? own('said_offer_expired') : others('said_expired');
      if (mine) return byMe ? null : own('said_withdrawn');
      return event.by === event.handle ? others('said_declined') : null;
    case 'floor.granted':
      return mine ? { ...own('said_you_have_floor'), shown: false } : others('said_has_floor');
    case 'floor.revoked':
      if (!before.speakers.some((one) => one.handle === event.handle))
        return mine ? own('said_withdrawn') : null;
      if (mine) return own(event.reason === 'turn_over' ? 'said_turn_over' : 'said_you_lost_floor');
      return others('said_lost_floor');
    case 'speaker.muted':
      if (mine) return byMe ? null : own('said_you_muted');
      return others('said_muted');
    case 'person.removed':
      return mine ? null : others('said_removed');
    case 'cohost.added':
      return mine ? own('said_you_cohost') : others('said_cohost');
    case 'host.succeeded':
      return mine ? own('said_you_lead') : others('said_leads');
    case 'host.returned':
      return { key: 'said_host_back', name: before.host.name, shown: false };
    default:
      return null;
  }
}

/** A turn that is over soon: whoever speaks sees it, whoever leads the room may hear it. */
export function ending({ handle }: TurnWarning, room: Room, me: string | null): Telling | null {
  if (handle === me) return { key: 'said_your_turn_ends', name: null, shown: true };
  if (!room.you.may_grant) return null;
  const name = room.speakers.find((one) => one.handle === handle)?.name ?? handle;
  return { key: 'said_turn_ends', name, shown: false };
}
