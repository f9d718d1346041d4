"""Hands: raised with a note or without, lowered, also where one has gone, locked, slow."""

from __future__ import annotations

import math
from datetime import datetime

from parola.domain.errors import Conflict, Invalid
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms.rights import Decided, above, live, not_ended, one, only_granting, only_house
from parola.domain.rooms.state import Lifecycle, Room

PAUSES_S = (5, 3600)
"""The shortest and the longest that a hand may be made to rest."""
MOST = 300
"""Nobody calls up as many, and each page is told of all of them before it shows anything."""


def raise_hand(room: Room, command: c.RaiseHand, now: datetime) -> Decided:
    live(room)
    if room.has_floor(command.by):
        raise Conflict("has_floor", "You already have the floor.")
    hand = room.hand(command.by)
    if hand is not None:
        if command.note is None or command.note == hand.note:
            return ()
        return one(e.HandNoted, room, command, command.by, now, note=command.note)
    if room.hands_locked:
        raise Conflict("hands_locked", "No hands are taken in this room now.")
    if (seconds := _rests_for(room, command.by, now)) > 0:
        raise Conflict("slow_hands", f"You may raise your hand again in {seconds} s.", seconds)
    if len(room.hands) >= MOST:
        raise Conflict("hands_full", f"{MOST} hands are up already.")
    return one(e.HandRaised, room, command, command.by, now, note=command.note or "")


def lower_hand(room: Room, command: c.Command, now: datetime) -> Decided:
    live(room)
    return one(e.HandLowered, room, command, command.by, now) if room.has_hand(command.by) else ()


def dismiss_hand(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        above(room, command)
    live(room)
    return one(e.HandLowered, room, command, command.target, now) if room.has_hand(command.target) else ()


def lower_hands(room: Room, command: c.LowerHands, now: datetime) -> Decided:
    """Whoever finds it second finds no hand; who is in doubt is there."""
    only_house(command)
    if room.state is not Lifecycle.LIVE:
        return ()
    gone = [hand.account for hand in room.hands if hand.account in command.absent]
    return tuple(
        e.HandLowered(seq=room.seq + 1 + i, at=now, by=command.by, account=account, reason="away")
        for i, account in enumerate(gone)
    )


def lock_hands(room: Room, command: c.Command, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    return () if room.hands_locked else (e.HandsLocked(seq=room.seq + 1, at=now, by=command.by),)


def unlock_hands(room: Room, command: c.Command, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    if room.terms is not None and not room.terms.policies.hands:
        raise Conflict("hands_off", "Rooms of this stage of the trial have no hands.")
    return (e.HandsUnlocked(seq=room.seq + 1, at=now, by=command.by),) if room.hands_locked else ()


def slow_hands(room: Room, command: c.SlowHands, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    if not PAUSES_S[0] <= command.pause_s <= PAUSES_S[1]:
        raise Invalid.field("pause_s", f"A pause has {PAUSES_S[0]} to {PAUSES_S[1]} seconds.")
    if room.hands_pause_s == command.pause_s:
        return ()
    return (e.HandsSlowed(seq=room.seq + 1, at=now, by=command.by, pause_s=command.pause_s),)


def unslow_hands(room: Room, command: c.Command, now: datetime) -> Decided:
    only_granting(room, command)
    not_ended(room)
    if room.hands_pause_s is None:
        return ()
    return (e.HandsUnslowed(seq=room.seq + 1, at=now, by=command.by),)


def _rests_for(room: Room, account: str, now: datetime) -> int:
    """Seconds; those who lead the room wait for nothing."""
    if room.is_moderator(account):
        return 0
    until = max((rest.until for rest in room.rests if rest.account == account), default=now)
    return math.ceil((until - now).total_seconds())
