"""What a command does to a room: events, nothing because it already holds, or a refusal.

Invariant: only the host grants the floor, and where the host has gone, the co-host whom the host named for that. Rights
are looked at before the state, so that a refusal teaches nobody more than they may know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from parola.domain.errors import Conflict, Forbidden, NotFound
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms import floor, hands, people
from parola.domain.rooms.rights import (
    Decided,
    live,
    only_administration,
    only_granting,
    only_host,
    only_house,
)
from parola.domain.rooms.state import Access, Lifecycle, Room
from parola.domain.rooms.terms import Terms


def create(
    room_id: str,
    host: str,
    title: str,
    access: Access,
    guests: bool,
    starts_at: datetime | None,
    now: datetime,
    capacity: int | None = None,
    listeners_at_most: int | None = None,
    terms: Terms | None = None,
    removed: frozenset[str] = frozenset(),
) -> Decided:
    """A room that is live at once, under `terms`, or scheduled when `starts_at` is given: then it begins under those of
    its start. Guests come only where the address is enough. `removed` are whom the host keeps out of all their rooms.
    Raises Invalid."""
    people.check_listeners(listeners_at_most)
    created = e.RoomCreated(
        seq=1,
        at=now,
        by=host,
        room=room_id,
        title=title,
        access=access,
        guests=guests and access.asks_nobody,
        starts_at=starts_at,
        capacity=capacity,
        listeners_at_most=listeners_at_most,
        removed=tuple(sorted(removed)),
    )
    if starts_at is not None:
        return (created,)
    return (created, e.RoomStarted(seq=2, at=now, by=host, terms=terms))


def decide(room: Room, command: c.Command, now: datetime) -> Decided:
    """Raises Forbidden, NotFound, Conflict or Invalid; () when the effect already holds."""
    if isinstance(command, c.ShutOut | c.LetIn | c.Vanish):
        return _RULES[type(command)](
            room, command, now
        )  # also by those to whom the room does not exist any more
    if command.by in room.shut_out:
        raise NotFound()
    if command.by in room.removed:
        raise Forbidden("removed", "You were removed from this room.")
    return _RULES[type(command)](room, command, now)


def _start(room: Room, command: c.Start, now: datetime) -> Decided:
    only_host(room, command)
    if room.state is not Lifecycle.SCHEDULED:
        raise Conflict("not_scheduled", "Only a scheduled room can be started.")
    return (e.RoomStarted(seq=room.seq + 1, at=now, by=command.by, terms=command.terms),)


def _end(room: Room, command: c.Command, now: datetime) -> Decided:
    """Before its start it is called off."""
    only_granting(room, command)
    if room.state is Lifecycle.ENDED:
        raise Conflict("not_live", "This room has ended.")
    reason = "called_off" if room.state is Lifecycle.SCHEDULED else None
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by, reason=reason),)


def _run_out(room: Room, command: c.Command, now: datetime) -> Decided:
    """Whoever looks second finds nothing left to do."""
    only_house(command)
    if room.ends_at is None or room.wakes_at is None or now < room.wakes_at:
        return ()
    if now < room.ends_at:
        return (e.RoomClosing(seq=room.seq + 1, at=now, by=command.by, ends_at=room.ends_at),)
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by, reason="time_over"),)


def _close(room: Room, command: c.Command, now: datetime) -> Decided:
    only_administration(command)
    live(room)
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by),)


_RULES: dict[type[c.Command], Callable[[Room, Any, datetime], Decided]] = {
    c.Start: _start,
    c.End: _end,
    c.RunOut: _run_out,
    c.Close: _close,
    c.RaiseHand: hands.raise_hand,
    c.LowerHand: hands.lower_hand,
    c.DismissHand: hands.dismiss_hand,
    c.LowerHands: hands.lower_hands,
    c.LockHands: hands.lock_hands,
    c.UnlockHands: hands.unlock_hands,
    c.SlowHands: hands.slow_hands,
    c.UnslowHands: hands.unslow_hands,
    c.Grant: floor.grant,
    c.Next: floor.next_hand,
    c.Accept: floor.accept,
    c.Decline: floor.decline,
    c.Revoke: floor.revoke,
    c.Mute: floor.mute,
    c.Unmute: floor.unmute,
    c.MuteAll: floor.mute_all,
    c.SetTurns: floor.set_turns,
    c.LiftTurns: floor.lift_turns,
    c.SizeStage: floor.size_stage,
    c.Sweep: floor.sweep,
    c.Silence: floor.silence,
    c.PutOut: people.put_out,
    c.Remove: people.remove,
    c.Restore: people.restore,
    c.AddCohost: people.add_cohost,
    c.RemoveCohost: people.remove_cohost,
    c.NameSuccessor: people.name_successor,
    c.DropSuccessor: people.drop_successor,
    c.LeaveHost: people.leave_host,
    c.ReturnHost: people.return_host,
    c.Invite: people.invite,
    c.Uninvite: people.uninvite,
    c.ShutOut: people.shut_out,
    c.LetIn: people.let_in,
    c.Visit: people.visit,
    c.EndVisit: people.end_visit,
    c.Vanish: people.vanish,
    c.LimitListeners: people.limit_listeners,
}
"""Each rule takes the very class it stands beside."""
