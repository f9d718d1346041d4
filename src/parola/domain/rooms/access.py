"""Who may know of a room, and who may enter it: the one gate that everything else asks."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain.errors import Forbidden, NotFound
from parola.domain.rooms.state import Access, Lifecycle, Room


@dataclass(frozen=True, slots=True)
class Ties:
    """How somebody stands to a room's host. `blocked` is true whichever of the two has blocked the other; `private` is
    what the host's account is."""

    follows: bool = False
    followed: bool = False
    blocked: bool = False
    private: bool = False


NO_TIES = Ties()


def may_know(room: Room, account: str | None, ties: Ties) -> bool:
    if account is not None and (account == room.host or room.is_visited_by(account)):
        return True
    if ties.blocked or account in room.shut_out:
        return False
    if ties.private and room.state is Lifecycle.ENDED and not ties.follows:
        return False
    if account is None:
        return room.access.asks_nobody and room.guests
    if room.access.asks_nobody or account in room.cohosts or account in room.invited:
        return True
    if room.access is Access.FOLLOWERS:
        return ties.follows
    return room.access is Access.MUTUALS and ties.follows and ties.followed


def check_entry(room: Room, account: str | None, ties: Ties) -> None:
    """NotFound for whom the room does not exist, Forbidden("removed") for whom it no longer does."""
    if not may_know(room, account, ties):
        raise NotFound()
    if account is not None and account in room.removed and not room.is_visited_by(account):
        raise Forbidden("removed", "You were removed from this room.")
