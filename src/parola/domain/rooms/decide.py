"""What a command does to a room: events, nothing because it already holds, or a refusal.

Invariant: only the host grants the floor. Rights are looked at before the state, so that a refusal teaches nobody
more than they may know.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from parola.domain.errors import Conflict, Forbidden, Invalid
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms.state import Access, Lifecycle, Room
from parola.domain.rooms.terms import Terms

Decided = tuple[e.Event, ...]


def create(
    room_id: str,
    host: str,
    title: str,
    access: Access,
    guests: bool,
    starts_at: datetime | None,
    now: datetime,
    capacity: int | None = None,
    terms: Terms | None = None,
) -> Decided:
    """A room that is live at once, under `terms`, or scheduled when `starts_at` is given: then it begins under those of
    its start. Guests belong only to open rooms."""
    created = e.RoomCreated(
        seq=1,
        at=now,
        by=host,
        room=room_id,
        title=title,
        access=access,
        guests=guests and access is Access.OPEN,
        starts_at=starts_at,
        capacity=capacity,
    )
    if starts_at is not None:
        return (created,)
    return (created, e.RoomStarted(seq=2, at=now, by=host, terms=terms))


def decide(room: Room, command: c.Command, now: datetime) -> Decided:
    """Raises Forbidden, Conflict or Invalid; () when the effect already holds."""
    if command.by in room.removed:
        raise Forbidden("removed", "You were removed from this room.")
    return _RULES[type(command)](room, command, now)


def _start(room: Room, command: c.Start, now: datetime) -> Decided:
    _only_host(room, command)
    if room.state is not Lifecycle.SCHEDULED:
        raise Conflict("not_scheduled", "Only a scheduled room can be started.")
    return (e.RoomStarted(seq=room.seq + 1, at=now, by=command.by, terms=command.terms),)


def _end(room: Room, command: c.Command, now: datetime) -> Decided:
    _only_host(room, command)
    if room.state is not Lifecycle.LIVE:
        raise Conflict("not_live", "This room is not live.")
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by),)


def _run_out(room: Room, command: c.Command, now: datetime) -> Decided:
    """Whoever looks second finds nothing left to do."""
    if command.by != c.HOUSE:
        raise Forbidden("house_only", "Nobody asks for this; it comes about.")
    if room.ends_at is None or room.wakes_at is None or now < room.wakes_at:
        return ()
    if now < room.ends_at:
        return (e.RoomClosing(seq=room.seq + 1, at=now, by=command.by, ends_at=room.ends_at),)
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by, reason="time_over"),)


def _close(room: Room, command: c.Command, now: datetime) -> Decided:
    _only_administration(command)
    _live(room)
    return (e.RoomEnded(seq=room.seq + 1, at=now, by=command.by),)


def _silence(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Nothing where there is nothing to hear of them. Co-hosting stays: it makes no sound."""
    _only_administration(command)
    if room.state is not Lifecycle.LIVE:
        return ()
    target = command.target
    kinds: list[type[e.PersonEvent]] = []
    if room.has_hand(target):
        kinds.append(e.HandLowered)
    if target in room.offers:
        kinds.append(e.FloorDeclined)
    if target == room.host and not room.is_muted(target):
        kinds.append(e.SpeakerMuted)
    elif target != room.host and room.has_floor(target):
        kinds.append(e.FloorRevoked)
    return _several(kinds, room, command, target, now)


def _raise_hand(room: Room, command: c.Command, now: datetime) -> Decided:
    _live(room)
    if room.has_floor(command.by):
        raise Conflict("has_floor", "You already have the floor.")
    if room.has_hand(command.by):
        return ()
    if room.hands_locked:
        raise Conflict("hands_locked", "No hands are taken in this room now.")
    return _one(e.HandRaised, room, command, command.by, now)


def _lower_hand(room: Room, command: c.Command, now: datetime) -> Decided:
    _live(room)
    return _one(e.HandLowered, room, command, command.by, now) if room.has_hand(command.by) else ()


def _dismiss_hand(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        _above(room, command)
    _live(room)
    return _one(e.HandLowered, room, command, command.target, now) if room.has_hand(command.target) else ()


def _lock_hands(room: Room, command: c.Command, now: datetime) -> Decided:
    _only_host(room, command)
    _not_ended(room)
    return () if room.hands_locked else (e.HandsLocked(seq=room.seq + 1, at=now, by=command.by),)


def _unlock_hands(room: Room, command: c.Command, now: datetime) -> Decided:
    _only_host(room, command)
    _not_ended(room)
    if room.terms is not None and not room.terms.policies.hands:
        raise Conflict("hands_off", "Rooms of this stage of the trial have no hands.")
    return (e.HandsUnlocked(seq=room.seq + 1, at=now, by=command.by),) if room.hands_locked else ()


def _grant(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _only_host(room, command)
    _live(room)
    target = command.target
    if target == room.host:
        raise Conflict("host_floor", "The host always has the floor.")
    if target in room.removed:
        raise Conflict("is_removed", "This person was removed from the room.")
    if room.has_floor(target) or (target in room.offers and not room.has_hand(target)):
        return ()
    _has_place(room, target)
    return _one(e.FloorGranted if room.has_hand(target) else e.FloorOffered, room, command, target, now)


def _accept(room: Room, command: c.Command, now: datetime) -> Decided:
    _live(room)
    _offered(room, command)
    if room.capacity is not None and len(room.speakers) >= room.capacity:
        raise Conflict("stage_full", "As many have the floor as may have it at once.")
    return _one(e.FloorGranted, room, command, command.by, now)


def _decline(room: Room, command: c.Command, now: datetime) -> Decided:
    _live(room)
    _offered(room, command)
    return _one(e.FloorDeclined, room, command, command.by, now)


def _revoke(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target == room.host and command.by == room.host:
        raise Conflict("host_floor", "The host always has the floor; mute yourself, or end the room.")
    if command.target != command.by:
        _above(room, command)
    _live(room)
    if room.has_floor(command.target):
        return _one(e.FloorRevoked, room, command, command.target, now)
    if command.target in room.offers:
        return _one(e.FloorDeclined, room, command, command.target, now)
    return ()


def _mute(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        _above(room, command)
    _live(room)
    if not room.has_floor(command.target):
        raise Conflict("not_speaking", "This person does not have the floor.")
    return () if room.is_muted(command.target) else _one(e.SpeakerMuted, room, command, command.target, now)


def _unmute(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    if command.target != command.by:
        raise Forbidden("speaker_only", "Nobody opens someone else's microphone.")
    _live(room)
    if not room.has_floor(command.by):
        raise Conflict("not_speaking", "You do not have the floor.")
    return _one(e.SpeakerUnmuted, room, command, command.by, now) if room.is_muted(command.by) else ()


def _mute_all(room: Room, command: c.Command, now: datetime) -> Decided:
    _moderator(room, command)
    _live(room)
    speaking = [s.account for s in room.speakers if not s.muted and not room.is_moderator(s.account)]
    return tuple(
        e.SpeakerMuted(seq=room.seq + 1 + i, at=now, by=command.by, account=account)
        for i, account in enumerate(speaking)
    )


def _remove(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _above(room, command)
    if command.target == room.host:
        raise Forbidden("not_above", "Nobody removes the host.")
    _not_ended(room)
    return () if command.target in room.removed else _one(e.PersonRemoved, room, command, command.target, now)


def _restore(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _moderator(room, command)
    _not_ended(room)
    return (
        _one(e.PersonRestored, room, command, command.target, now) if command.target in room.removed else ()
    )


def _add_cohost(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _only_host(room, command)
    _not_ended(room)
    if command.target == room.host:
        raise Invalid.field("handle", "The host needs no co-hosting.")
    if command.target in room.removed:
        raise Conflict("is_removed", "This person was removed from the room.")
    return () if command.target in room.cohosts else _one(e.CohostAdded, room, command, command.target, now)


def _remove_cohost(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _only_host(room, command)
    _not_ended(room)
    return _one(e.CohostRemoved, room, command, command.target, now) if command.target in room.cohosts else ()


def _invite(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    _only_host(room, command)
    _not_ended(room)
    if command.target == room.host or command.target in room.invited:
        return ()
    return _one(e.PersonInvited, room, command, command.target, now)


def _uninvite(room: Room, command: c.TargetedCommand, now: datetime) -> Decided:
    """Where entering needs the invitation, everything that rests on it is taken first, by events of its own: whoever
    folds them need not know what an invitation is."""
    _only_host(room, command)
    _not_ended(room)
    target = command.target
    if target not in room.invited:
        return ()
    held = room.access is not Access.OPEN
    kinds: list[type[e.PersonEvent]] = []
    if held and room.has_hand(target):
        kinds.append(e.HandLowered)
    if held and target in room.offers:
        kinds.append(e.FloorDeclined)
    if held and room.has_floor(target):
        kinds.append(e.FloorRevoked)
    if held and target in room.cohosts:
        kinds.append(e.CohostRemoved)
    kinds.append(e.PersonUninvited)
    return _several(kinds, room, command, target, now)


def _one(kind: type[e.PersonEvent], room: Room, command: c.Command, account: str, now: datetime) -> Decided:
    return (kind(seq=room.seq + 1, at=now, by=command.by, account=account),)


def _several(
    kinds: list[type[e.PersonEvent]], room: Room, command: c.Command, account: str, now: datetime
) -> Decided:
    return tuple(
        kind(seq=room.seq + 1 + i, at=now, by=command.by, account=account) for i, kind in enumerate(kinds)
    )


def _only_administration(command: c.Command) -> None:
    if command.by != c.ADMINISTRATION:
        raise Forbidden("administration_only", "Only the server's administration may do this.")


def _only_host(room: Room, command: c.Command) -> None:
    if command.by != room.host:
        raise Forbidden("host_only", "Only the host of the room may do this.")


def _moderator(room: Room, command: c.Command) -> None:
    if not room.is_moderator(command.by):
        raise Forbidden("moderator_only", "Only the host and co-hosts may do this.")


def _above(room: Room, command: c.TargetedCommand) -> None:
    _moderator(room, command)
    if command.by != room.host and command.by != command.target and room.is_moderator(command.target):
        raise Forbidden("not_above", "A co-host acts on neither the host nor another co-host.")


def _offered(room: Room, command: c.Command) -> None:
    if command.by not in room.offers:
        raise Conflict("nothing_offered", "Nobody has offered you the floor.")


def _has_place(room: Room, account: str) -> None:
    """An offer holds a place, so that who accepts it finds one."""
    if room.capacity is None:
        return
    promised = sum(other != account for other in room.offers)
    if len(room.speakers) + promised >= room.capacity:
        raise Conflict("stage_full", "As many have the floor as may have it at once.")


def _live(room: Room) -> None:
    if room.state is not Lifecycle.LIVE:
        raise Conflict("not_live", "This room is not live.")


def _not_ended(room: Room) -> None:
    if room.state is Lifecycle.ENDED:
        raise Conflict("not_live", "This room has ended.")


_RULES: dict[type[c.Command], Callable[[Room, Any, datetime], Decided]] = {
    c.Start: _start,
    c.End: _end,
    c.RunOut: _run_out,
    c.Close: _close,
    c.Silence: _silence,
    c.RaiseHand: _raise_hand,
    c.LowerHand: _lower_hand,
    c.DismissHand: _dismiss_hand,
    c.LockHands: _lock_hands,
    c.UnlockHands: _unlock_hands,
    c.Grant: _grant,
    c.Accept: _accept,
    c.Decline: _decline,
    c.Revoke: _revoke,
    c.Mute: _mute,
    c.Unmute: _unmute,
    c.MuteAll: _mute_all,
    c.Remove: _remove,
    c.Restore: _restore,
    c.AddCohost: _add_cohost,
    c.RemoveCohost: _remove_cohost,
    c.Invite: _invite,
    c.Uninvite: _uninvite,
}
"""Each rule takes the very class it stands beside."""
