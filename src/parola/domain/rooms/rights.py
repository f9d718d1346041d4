"""Who may do what to whom, and when: asked by every rule before it looks at anything else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from parola.domain.errors import Conflict, Forbidden, NotFound
from parola.domain.rooms import commands as c
from parola.domain.rooms import events as e
from parola.domain.rooms.state import Lifecycle, Room

Decided = tuple[e.Event, ...]


def one(
    kind: type[e.PersonEvent], room: Room, command: c.Command, account: str, now: datetime, **more: Any
) -> Decided:
    """The one event that a command leads to."""
    return (kind(seq=room.seq + 1, at=now, by=command.by, account=account, **more),)


def each(
    kinds: list[type[e.PersonEvent]], room: Room, command: c.Command, account: str, now: datetime
) -> Decided:
    """Several events that concern one person, in their order."""
    return tuple(
        kind(seq=room.seq + 1 + i, at=now, by=command.by, account=account) for i, kind in enumerate(kinds)
    )


def only_host(room: Room, command: c.Command) -> None:
    """What outlasts the room's being led by somebody else."""
    check_host(room, command.by)


def check_host(room: Room, account: str) -> None:
    if account != room.host:
        raise Forbidden("host_only", "Only the host of the room may do this.")


def only_granting(room: Room, command: c.Command) -> None:
    """The host, or who is in the host's place."""
    if not room.grants(command.by):
        raise Forbidden("host_only", "Only the host of the room may do this.")


def only_house(command: c.Command) -> None:
    if command.by != c.HOUSE:
        raise Forbidden("house_only", "Nobody asks for this; it comes about.")


def only_administration(command: c.Command) -> None:
    if command.by != c.ADMINISTRATION:
        raise Forbidden("administration_only", "Only the server's administration may do this.")


def moderator(room: Room, command: c.Command) -> None:
    if not room.is_moderator(command.by):
        raise Forbidden("moderator_only", "Only the host and co-hosts may do this.")


def above(room: Room, command: c.TargetedCommand) -> None:
    moderator(room, command)
    if command.by != room.host and command.by != command.target and room.is_moderator(command.target):
        raise Forbidden("not_above", "A co-host acts on neither the host nor another co-host.")


def can_be_here(room: Room, target: str) -> None:
    not_shut_out(room, target)
    if target in room.removed:
        raise Conflict("is_removed", "This person was removed from the room.")


def not_shut_out(room: Room, target: str) -> None:
    """Where a block stands, either is nobody to the other."""
    if target in room.shut_out:
        raise NotFound()


def live(room: Room) -> None:
    if room.state is not Lifecycle.LIVE:
        raise Conflict("not_live", "This room is not live.")


def not_ended(room: Room) -> None:
    if room.state is Lifecycle.ENDED:
        raise Conflict("not_live", "This room has ended.")
