"""Who may know of a room, and who may enter it: the one gate that everything else asks."""

from __future__ import annotations

from parola.domain.errors import Forbidden, NotFound
from parola.domain.rooms.state import Access, Room


def may_know(room: Room, account: str | None, follows_host: bool) -> bool:
    if account is None:
        return room.access is Access.OPEN and room.guests
    if (
        room.access is Access.OPEN
        or account == room.host
        or account in room.cohosts
        or account in room.invited
    ):
        return True
    return room.access is Access.FOLLOWERS and follows_host


def check_entry(room: Room, account: str | None, follows_host: bool) -> None:
    """NotFound for whom the room does not exist, Forbidden("removed") for whom it no longer does."""
    if not may_know(room, account, follows_host):
        raise NotFound()
    if account is not None and account in room.removed:
        raise Forbidden("removed", "You were removed from this room.")
