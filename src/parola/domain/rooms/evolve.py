"""What an event makes of a room. It never refuses: what has happened has happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from parola.domain.rooms import events as e
from parola.domain.rooms.state import Hand, Lifecycle, Room, Speaker


def evolve(room: Room | None, event: e.Event) -> Room:
    """The room after the event; AssertionError for a gap in `seq`, which is a bug in whoever folds."""
    if isinstance(event, e.RoomCreated):
        assert room is None, "a room is created once"
        return Room(
            id=event.room,
            host=event.by,
            title=event.title,
            access=event.access,
            guests=event.guests,
            state=Lifecycle.SCHEDULED,
            seq=event.seq,
            created_at=event.at,
            starts_at=event.starts_at,
            speakers=(Speaker(event.by),),
            capacity=event.capacity,
        )
    assert room is not None, "a room begins with its creation"
    assert event.seq == room.seq + 1, f"event {event.seq} does not follow {room.seq}"
    return replace(_apply(room, event), seq=event.seq)


def fold(room: Room | None, events: Iterable[e.Event]) -> Room:
    for event in events:
        room = evolve(room, event)
    assert room is not None, "nothing to fold"
    return room


def _apply(room: Room, event: e.Event) -> Room:
    match event:
        case e.RoomStarted():
            return _begun(room, event)
        case e.RoomClosing():
            return replace(room, closing=True)
        case e.RoomEnded():
            return replace(room, state=Lifecycle.ENDED, ended_at=event.at)
        case e.HandRaised():
            return replace(room, hands=(*room.hands, Hand(event.account, event.at)))
        case e.HandLowered():
            return _without_hand(room, event.account)
        case e.HandsLocked():
            return replace(room, hands_locked=True)
        case e.HandsUnlocked():
            return replace(room, hands_locked=False)
        case e.FloorOffered():
            return replace(room, offers=(*room.offers, event.account))
        case e.FloorDeclined():
            return _without_offer(room, event.account)
        case e.FloorGranted():
            asked = _without_offer(_without_hand(room, event.account), event.account)
            return replace(asked, speakers=(*asked.speakers, Speaker(event.account)))
        case e.FloorRevoked():
            return _without_floor(room, event.account)
        case e.SpeakerMuted():
            return _with_mute(room, event.account, True)
        case e.SpeakerUnmuted():
            return _with_mute(room, event.account, False)
        case e.PersonRemoved():
            return replace(_without_everything(room, event.account), removed=room.removed | {event.account})
        case e.PersonRestored():
            return replace(room, removed=room.removed - {event.account})
        case e.CohostAdded():
            return replace(room, cohosts=(*room.cohosts, event.account))
        case e.CohostRemoved():
            return replace(room, cohosts=tuple(c for c in room.cohosts if c != event.account))
        case e.PersonInvited():
            return replace(room, invited=room.invited | {event.account})
        case e.PersonUninvited():
            return replace(room, invited=room.invited - {event.account})
    raise AssertionError(f"no rule for {type(event).__name__}")


def _begun(room: Room, event: e.RoomStarted) -> Room:
    live = replace(room, state=Lifecycle.LIVE, started_at=event.at, terms=event.terms)
    if event.terms is None:
        return live
    policies = event.terms.policies
    capacity = min(policies.speakers_at_most, room.capacity or policies.speakers_at_most)
    return replace(live, capacity=capacity, hands_locked=room.hands_locked or not policies.hands)


def _without_hand(room: Room, account: str) -> Room:
    return replace(room, hands=tuple(h for h in room.hands if h.account != account))


def _without_offer(room: Room, account: str) -> Room:
    return replace(room, offers=tuple(o for o in room.offers if o != account))


def _without_floor(room: Room, account: str) -> Room:
    return replace(room, speakers=tuple(s for s in room.speakers if s.account != account))


def _without_everything(room: Room, account: str) -> Room:
    bare = _without_floor(_without_offer(_without_hand(room, account), account), account)
    return replace(bare, cohosts=tuple(c for c in bare.cohosts if c != account))


def _with_mute(room: Room, account: str, muted: bool) -> Room:
    return replace(
        room, speakers=tuple(replace(s, muted=muted) if s.account == account else s for s in room.speakers)
    )
