"""What an event makes of a room. It never refuses: what has happened has happened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from parola.domain.rooms import events as e
from parola.domain.rooms.state import Hand, Lifecycle, Offer, Rest, Room, Speaker, Turn, Turns


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
            listeners_at_most=event.listeners_at_most,
            removed=frozenset(event.removed),
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
            # Who spoke stays; who would have liked to is nobody's business any more.
            return replace(room, state=Lifecycle.ENDED, ended_at=event.at, hands=(), offers=())
        case e.TurnsSet():
            return _with_turns(room, Turns(event.soft_s, event.hard_s), event.at)
        case e.TurnsLifted():
            return _with_turns(room, None, event.at)
        case e.StageSized():
            return replace(room, capacity=event.capacity)
        case e.ListenersLimited():
            return replace(room, listeners_at_most=event.listeners_at_most)
        case e.HandsLocked() | e.HandsUnlocked():
            return replace(room, hands_locked=isinstance(event, e.HandsLocked))
        case e.HandsSlowed():
            return replace(room, hands_pause_s=event.pause_s)
        case e.HandsUnslowed():
            return replace(room, hands_pause_s=None, rests=())
        case e.HostReturned():
            return replace(room, acting=None)
        case e.PersonEvent():
            return _apply_to_person(room, event)
    raise AssertionError(f"no rule for {type(event).__name__}")


def _begun(room: Room, event: e.RoomStarted) -> Room:
    live = replace(room, state=Lifecycle.LIVE, started_at=event.at, terms=event.terms)
    if event.terms is None:
        return live
    policies = event.terms.policies
    capacity = min(policies.speakers_at_most, room.capacity or policies.speakers_at_most)
    return replace(live, capacity=capacity, hands_locked=room.hands_locked or not policies.hands)


def _apply_to_person(room: Room, event: e.PersonEvent) -> Room:
    account = event.account
    match event:
        case e.HandRaised():
            return replace(room, hands=(*room.hands, Hand(account, event.at, event.note)))
        case e.HandNoted():
            noted = (replace(h, note=event.note) if h.account == account else h for h in room.hands)
            return replace(room, hands=tuple(noted))
        case e.HandLowered():
            return _at_rest(_without_hand(room, account), account, event.at)
        case e.FloorOffered():
            offers = _without_offer(room, account).offers
            return replace(room, offers=(*offers, Offer(account, event.expires_at)))
        case e.FloorDeclined():
            return _without_offer(room, account)
        case e.FloorGranted():
            asked = _without_offer(_without_hand(room, account), account)
            speaker = Speaker(account, by_next=event.by_next, turn=_turn(event))
            return replace(asked, speakers=(*asked.speakers, speaker))
        case e.FloorRevoked():
            return _at_rest(_without_floor(room, account), account, event.at)
        case e.SpeakerMuted() | e.SpeakerUnmuted():
            return _with_speaker(room, account, muted=isinstance(event, e.SpeakerMuted))
        case e.PersonRemoved():
            bare = _without_visit(_without_everything(room, account), account)
            return replace(bare, removed=room.removed | {account})
        case e.PersonRestored():
            return replace(room, removed=room.removed - {account})
        case e.CohostAdded():
            return _with_speaker(replace(room, cohosts=(*room.cohosts, account)), account, turn=None)
        case e.CohostRemoved():
            return _with_speaker(_without_cohost(room, account), account, turn=_turn(event))
        case e.SuccessorNamed():
            return replace(room, successor=account)
        case e.SuccessorDropped():
            return replace(room, successor=None)
        case e.HostSucceeded():
            return replace(room, acting=account)
        case e.PersonInvited():
            return replace(room, invited=room.invited | {account})
        case e.PersonUninvited():
            return replace(room, invited=room.invited - {account})
        case e.PersonShutOut():
            return replace(_without_visit(room, account), shut_out=room.shut_out | {account})
        case e.PersonLetIn():
            return replace(room, shut_out=room.shut_out - {account})
        case e.VisitBegan():
            return replace(room, visitors=room.visitors | {account})
        case e.VisitEnded():
            return _without_visit(room, account)
    raise AssertionError(f"no rule for {type(event).__name__}")


def _turn(event: e.FloorGranted | e.CohostRemoved) -> Turn | None:
    if event.soft_at is None or event.hard_at is None:
        return None
    return Turn(event.at, event.soft_at, event.hard_at)


def _with_turns(room: Room, turns: Turns | None, at: datetime) -> Room:
    turn = turns.beginning(at) if turns is not None else None
    speakers = (s if room.is_moderator(s.account) else replace(s, turn=turn) for s in room.speakers)
    return replace(room, turns=turns, speakers=tuple(speakers))


def _at_rest(room: Room, account: str, at: datetime) -> Room:
    """Rests that are over go with whatever puts another one to rest, so that they never grow beyond one pause's."""
    if room.hands_pause_s is None:
        return room
    rest = Rest(account, at + timedelta(seconds=room.hands_pause_s))
    return replace(room, rests=(*(r for r in room.rests if r.account != account and r.until > at), rest))


def _without_hand(room: Room, account: str) -> Room:
    return replace(room, hands=tuple(h for h in room.hands if h.account != account))


def _without_offer(room: Room, account: str) -> Room:
    return replace(room, offers=tuple(o for o in room.offers if o.account != account))


def _without_floor(room: Room, account: str) -> Room:
    return replace(room, speakers=tuple(s for s in room.speakers if s.account != account))


def _without_cohost(room: Room, account: str) -> Room:
    """Who is in the host's place, or is to be, is a co-host."""
    return replace(
        room,
        cohosts=tuple(c for c in room.cohosts if c != account),
        successor=None if room.successor == account else room.successor,
        acting=None if room.acting == account else room.acting,
    )


def _without_visit(room: Room, account: str) -> Room:
    return replace(room, visitors=room.visitors - {account})


def _without_everything(room: Room, account: str) -> Room:
    bare = _without_floor(_without_offer(_without_hand(room, account), account), account)
    return _without_cohost(bare, account)


def _with_speaker(room: Room, account: str, **changes: object) -> Room:
    changed = (replace(s, **changes) if s.account == account else s for s in room.speakers)  # type: ignore[arg-type]
    return replace(room, speakers=tuple(changed))
