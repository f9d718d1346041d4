"""Whom a host removes from all their rooms: those that are there now, and those to come."""

from __future__ import annotations

from parola.domain import rooms
from parola.domain.errors import Conflict, Invalid, NotFound
from parola.domain.moments import milliseconds
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.everywhere import in_each
from parola.services.people import People
from parola.services.rooms import Rooms
from parola.store import PeoplePage, Store

MOST = 1000
"""Each of a host's new rooms carries them all."""


class KeepingOut:
    def __init__(self, store: Store, people: People, rooms: Rooms, now: Clock) -> None:
        self._store = store
        self._people = people
        self._rooms = rooms
        self._now = now

    async def keep_out(self, caller: Caller, handle: str) -> None:
        """Answers when they are silent in each of the caller's rooms, and out of it. Raises NotSignedIn, NotFound,
        Invalid, Conflict("too_many_kept_out"); Unavailable("not_confirmed", "not_done") where nobody could say
        so: it stands."""
        me = caller.signed_in().account.id
        person = (await self._people.find(handle)).id
        if person == me:
            raise Invalid.field("handle", "Nobody removes themselves.")
        if not await self._store.kept_out.add(me, person, MOST, milliseconds(self._now())):
            raise Conflict("too_many_kept_out", f"At most {MOST} people.")
        # A room that is opened at this moment has read the list after this, or is among these.
        await self._in_each(me, rooms.Remove(me, person))

    async def let_back(self, caller: Caller, handle: str) -> None:
        """Also into the rooms that are there. Raises NotSignedIn, NotFound where they are not on the list."""
        me = caller.signed_in().account.id
        person = (await self._people.find(handle)).id
        if not await self._store.kept_out.remove(me, person):
            raise NotFound()
        await self._in_each(me, rooms.Restore(me, person))

    async def list(self, caller: Caller, cursor: str | None, limit: int) -> PeoplePage:
        """Raises NotSignedIn, Invalid."""
        me = caller.signed_in().account.id
        return await self._people.page(self._store.kept_out.page(me, cursor, limit))

    async def _in_each(self, host: str, command: rooms.Remove | rooms.Restore) -> None:
        ids = await self._store.rooms.unfinished_of(host)
        await in_each([(room_id, command) for room_id in ids], self._rooms.come_about)
