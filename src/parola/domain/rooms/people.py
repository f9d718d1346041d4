"""Who leads the room beside the host, or in the host's place; who is invited, and who is put out."""

from __future__ import annotations

from datetime import datetime

from parola.domain.errors import Conflict, Forbidden, Invalid
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms.floor import turn_of_former_cohost
from parola.domain.rooms.rights import (
    Decided,
    above,
    can_be_here,
    each,
    live,
    moderator,
    not_ended,
    not_shut_out,
    one,
    only_administration,
    only_host,
    only_house,
)
from parola.domain.rooms.state import Lifecycle, Room

MOST_LISTENERS = 1_000_000


def remove(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    above(room, command)
    if command.target == room.host:
        raise Forbidden("not_above", "Nobody removes the host.")
    not_ended(room)
    if command.target in room.removed - room.visitors:
        return ()
    return one(e.PersonRemoved, room, command, command.target, now)


def put_out(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Nothing where the room is not live."""
    only_administration(command)
    if room.state is not Lifecycle.LIVE or command.target in room.removed - room.visitors:
        return ()
    if command.target == room.host:
        return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by),)
    return one(e.PersonRemoved, room, command, command.target, now)


def restore(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    moderator(room, command)
    not_ended(room)
    return one(e.PersonRestored, room, command, command.target, now) if command.target in room.removed else ()


def add_cohost(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    if command.target == room.host:
        raise Invalid.field("handle", "The host needs no co-hosting.")
    can_be_here(room, command.target)
    return () if command.target in room.cohosts else one(e.CohostAdded, room, command, command.target, now)


def remove_cohost(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    if command.target not in room.cohosts:
        return ()
    turn = turn_of_former_cohost(room, command.target, now)
    return one(e.CohostRemoved, room, command, command.target, now, **turn)


def name_successor(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    if command.target not in room.cohosts:
        raise Conflict("not_cohost", "Only a co-host can be named.")
    if room.successor == command.target:
        return ()
    return one(e.SuccessorNamed, room, command, command.target, now)


def drop_successor(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    if room.successor != command.target:
        return ()
    return one(e.SuccessorDropped, room, command, command.target, now)


def leave_host(room: Room, command: c.LeaveHost, now: datetime) -> Decided:
    """The room goes on with whom the host named, where they are there, and else it ends. That somebody is absent is
    only ever said of those who are known to be; who is in doubt is there."""
    only_house(command)
    if room.state is not Lifecycle.LIVE or room.host not in command.absent:
        return ()
    if room.acting is not None and room.acting not in command.absent:
        return ()
    if room.successor is not None and room.successor not in command.absent:
        return one(e.HostSucceeded, room, command, room.successor, now)
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by, reason="host_left"),)


def return_host(room: Room, command: c.ReturnHost, now: datetime) -> Decided:
    only_house(command)
    if room.state is not Lifecycle.LIVE or room.acting is None:
        return ()
    return (e.HostReturned(seq=room.seq + 1, at=now, by=command.by),)


def invite(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    not_shut_out(room, command.target)
    if command.target == room.host or command.target in room.invited:
        return ()
    return one(e.PersonInvited, room, command, command.target, now)


def uninvite(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Where entering needs the invitation, everything that rests on it is taken first, by events of its own: whoever
    folds them need not know what an invitation is."""
    only_host(room, command)
    not_ended(room)
    target = command.target
    if target not in room.invited:
        return ()
    held = [] if room.access.asks_nobody else _held(room, target)
    return each([*held, e.PersonUninvited], room, command, target, now)


def shut_out(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Before the last event, which names nobody to others, everything that they hold is taken as if it were given back
    or revoked: who listens need not learn of a block."""
    _own_block(room, command)
    not_ended(room)
    target = command.target
    if target in room.shut_out - room.visitors:
        return ()
    visit: list[type[e.PersonEvent]] = [e.VisitEnded] if target in room.visitors else []
    return each([*_held(room, target), *visit, e.PersonShutOut], room, command, target, now)


def let_in(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _own_block(room, command)
    not_ended(room)
    return one(e.PersonLetIn, room, command, command.target, now) if command.target in room.shut_out else ()


def visit(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """The host needs none."""
    only_administration(command)
    live(room)
    if command.target == room.host or command.target in room.visitors:
        return ()
    return one(e.VisitBegan, room, command, command.target, now)


def end_visit(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Takes what they hold where entering rested on the visit, as taking back an invitation does."""
    only_administration(command)
    if not room.is_visited_by(command.target):
        return ()
    held = [] if room.access.asks_nobody else _held(room, command.target)
    return each([*held, e.VisitEnded], room, command, command.target, now)


def vanish(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """By events that everybody knows already: whoever folds them need not know what an account is. The host's room
    goes another way: it ends."""
    if command.by != command.target:
        raise Forbidden("oneself_only", "Nobody deletes somebody else's account.")
    not_ended(room)
    if command.target == room.host:
        raise Conflict("host_floor", "The host always has the floor.")
    held = _held(room, command.target)
    if command.target in room.invited:
        held.append(e.PersonUninvited)
    if command.target in room.visitors:
        held.append(e.VisitEnded)
    return each(held, room, command, command.target, now)


def limit_listeners(room: Room, command: c.LimitListeners, now: datetime) -> Decided:
    only_host(room, command)
    not_ended(room)
    check_listeners(command.listeners_at_most)
    if command.listeners_at_most == room.listeners_at_most:
        return ()
    return (
        e.ListenersLimited(
            seq=room.seq + 1, at=now, by=command.by, listeners_at_most=command.listeners_at_most
        ),
    )


def check_listeners(at_most: int | None) -> None:
    if at_most is not None and not 1 <= at_most <= MOST_LISTENERS:
        raise Invalid.field("listeners_at_most", f"From 1 to {MOST_LISTENERS} listeners.")


def _held(room: Room, target: str) -> list[type[e.PersonEvent]]:
    """What takes from somebody all that they hold in the room; a turn goes with the floor, and with co-hosting goes
    being the successor, or in the host's place."""
    kinds: list[type[e.PersonEvent]] = []
    if room.has_hand(target):
        kinds.append(e.HandLowered)
    if room.is_offered(target):
        kinds.append(e.FloorDeclined)
    if room.has_floor(target):
        kinds.append(e.FloorRevoked)
    if target in room.cohosts:
        kinds.append(e.CohostRemoved)
    return kinds


def _own_block(room: Room, command: c.TargetedCommand) -> None:
    if command.target == room.host:
        raise Forbidden("not_above", "Nobody shuts the host out.")
    if command.by not in (room.host, command.target):
        raise Forbidden("host_only", "Only the host of the room may do this.")
