"""The floor: granted, offered, called up, taken, muted; how many have it at once, and for how long."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from parola.domain.errors import Conflict, Forbidden, Invalid
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms.rights import (
    Decided,
    above,
    can_be_here,
    each,
    live,
    moderator,
    not_ended,
    one,
    only_administration,
    only_granting,
    only_house,
)
from parola.domain.rooms.state import Lifecycle, Room

TURNS_S = (10, 7200)
"""The shortest and the longest turn."""
CAPACITIES = (1, 500)
"""The smallest and the largest stage; the smallest holds the host."""


def grant(room: Room, command: c.Grant, now: datetime) -> Decided:
    only_granting(room, command)
    live(room)
    target = command.target
    if target == room.host:
        raise Conflict("host_floor", "The host always has the floor.")
    can_be_here(room, target)
    if room.has_floor(target):
        return ()
    offer = room.offer(target)
    if not room.has_hand(target) and offer is not None and offer.is_open(now):
        return ()
    _has_place(room, target, now)
    if room.has_hand(target):
        return one(e.FloorGranted, room, command, target, now, **_turn(room, target, now))
    expires_at = now + timedelta(seconds=command.offer_s)
    return one(e.FloorOffered, room, command, target, now, expires_at=expires_at)


def next_hand(room: Room, command: c.Next, now: datetime) -> Decided:
    """Whom an earlier `next` called up goes, unless they lead the room by now; whom the host granted by name stays."""
    only_granting(room, command)
    live(room)
    if command.hand is not None and room.has_floor(command.hand):
        return ()
    if not room.hands:
        raise Conflict("no_hands", "No hand is up.")
    first = room.hands[0].account
    if command.hand not in (None, first):
        raise Conflict("not_next", "Somebody else's hand is the first.")
    going = [s.account for s in room.speakers if s.by_next and not room.is_moderator(s.account)]
    _has_place(room, first, now, len(going))
    revoked = [
        e.FloorRevoked(seq=room.seq + 1 + i, at=now, by=command.by, account=account, reason="next")
        for i, account in enumerate(going)
    ]
    granted = e.FloorGranted(
        seq=room.seq + 1 + len(going),
        at=now,
        by=command.by,
        account=first,
        by_next=True,
        **_turn(room, first, now),
    )
    return (*revoked, granted)


def accept(room: Room, command: c.Command, now: datetime) -> Decided:
    live(room)
    offer = room.offer(command.by)
    if offer is None:
        raise Conflict("nothing_offered", "Nobody has offered you the floor.")
    if not offer.is_open(now):
        raise Conflict("offer_expired", "The offer has expired.")
    if room.capacity is not None and len(room.speakers) >= room.capacity:
        raise Conflict("stage_full", "As many have the floor as may have it at once.")
    return one(e.FloorGranted, room, command, command.by, now, **_turn(room, command.by, now))


def decline(room: Room, command: c.Command, now: datetime) -> Decided:
    live(room)
    if not room.is_offered(command.by):
        raise Conflict("nothing_offered", "Nobody has offered you the floor.")
    return one(e.FloorDeclined, room, command, command.by, now)


def revoke(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target == room.host and command.by == room.host:
        raise Conflict("host_floor", "The host always has the floor; mute yourself, or end the room.")
    if command.target != command.by:
        above(room, command)
    live(room)
    if room.has_floor(command.target):
        return one(e.FloorRevoked, room, command, command.target, now)
    if room.is_offered(command.target):
        return one(e.FloorDeclined, room, command, command.target, now)
    return ()


def mute(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        above(room, command)
    live(room)
    if not room.has_floor(command.target):
        raise Conflict("not_speaking", "This person does not have the floor.")
    return () if room.is_muted(command.target) else one(e.SpeakerMuted, room, command, command.target, now)


def unmute(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        raise Forbidden("speaker_only", "Nobody opens someone else's microphone.")
    live(room)
    if not room.has_floor(command.by):
        raise Conflict("not_speaking", "You do not have the floor.")
    return one(e.SpeakerUnmuted, room, command, command.by, now) if room.is_muted(command.by) else ()


def mute_all(room: Room, command: c.Command, now: datetime) -> Decided:
    moderator(room, command)
    live(room)
    speaking = [s.account for s in room.speakers if not s.muted and not room.is_moderator(s.account)]
    return tuple(
        e.SpeakerMuted(seq=room.seq + 1 + i, at=now, by=command.by, account=account)
        for i, account in enumerate(speaking)
    )


def set_turns(room: Room, command: c.SetTurns, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    shortest, longest = TURNS_S
    if not shortest <= command.hard_s <= longest:
        raise Invalid.field("hard_s", f"A turn has {shortest} to {longest} seconds.")
    if not 1 <= command.soft_s <= command.hard_s:
        raise Invalid.field("soft_s", "The warning comes within the turn.")
    turns = room.turns
    if turns is not None and (turns.soft_s, turns.hard_s) == (command.soft_s, command.hard_s):
        return ()
    return (
        e.TurnsSet(seq=room.seq + 1, at=now, by=command.by, soft_s=command.soft_s, hard_s=command.hard_s),
    )


def lift_turns(room: Room, command: c.Command, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    return (e.TurnsLifted(seq=room.seq + 1, at=now, by=command.by),) if room.turns is not None else ()


def size_stage(room: Room, command: c.SizeStage, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    smallest, largest = CAPACITIES
    if room.terms is not None:
        largest = min(largest, room.terms.policies.speakers_at_most)
    if not smallest <= command.capacity <= largest:
        raise Invalid.field("capacity", f"A stage holds {smallest} to {largest} speakers.")
    if room.capacity == command.capacity:
        return ()
    return (e.StageSized(seq=room.seq + 1, at=now, by=command.by, capacity=command.capacity),)


def sweep(room: Room, command: c.Sweep, now: datetime) -> Decided:
    """Whoever sweeps second finds nothing left."""
    only_house(command)
    if room.due_at is None:
        return ()
    over: list[tuple[type[e.FloorDeclined | e.FloorRevoked], str, str]] = [
        (e.FloorDeclined, offer.account, "expired") for offer in room.offers if not offer.is_open(now)
    ]
    over += [
        (e.FloorRevoked, s.account, "turn_over")
        for s in room.speakers
        if s.turn is not None and s.turn.hard_at <= now
    ]
    return tuple(
        kind(seq=room.seq + 1 + i, at=now, by=command.by, account=account, reason=reason)
        for i, (kind, account, reason) in enumerate(over)
    )


def silence(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Nothing where there is nothing to hear of them. Co-hosting stays: it makes no sound."""
    only_administration(command)
    if room.state is not Lifecycle.LIVE:
        return ()
    target = command.target
    kinds: list[type[e.PersonEvent]] = []
    if room.has_hand(target):
        kinds.append(e.HandLowered)
    if room.is_offered(target):
        kinds.append(e.FloorDeclined)
    if target == room.host and not room.is_muted(target):
        kinds.append(e.SpeakerMuted)
    elif target != room.host and room.has_floor(target):
        kinds.append(e.FloorRevoked)
    return each(kinds, room, command, target, now)


def turn_of_former_cohost(room: Room, account: str, now: datetime) -> dict[str, Any]:
    """Where they have the floor: who leads the room no more has a turn like everybody."""
    if room.turns is None or not room.has_floor(account):
        return {}
    turn = room.turns.beginning(now)
    return {"soft_at": turn.soft_at, "hard_at": turn.hard_at}


def _turn(room: Room, account: str, now: datetime) -> dict[str, Any]:
    if room.turns is None or room.is_moderator(account):
        return {}
    turn = room.turns.beginning(now)
    return {"soft_at": turn.soft_at, "hard_at": turn.hard_at}


def _has_place(room: Room, account: str, now: datetime, going: int = 0) -> None:
    """An offer holds a place as long as it is open, so that who accepts it finds one."""
    if room.capacity is None:
        return
    promised = sum(offer.account != account and offer.is_open(now) for offer in room.offers)
    if len(room.speakers) - going + promised >= room.capacity:
        raise Conflict("stage_full", "As many have the floor as may have it at once.")
