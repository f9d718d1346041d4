"""Blocks and hushes. A block holds both ways, and at once: also in rooms that are open while it is made."""

from __future__ import annotations

from parola.domain import rooms
from parola.domain.errors import Invalid, NotFound
from parola.domain.moments import milliseconds
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.everywhere import in_each
from parola.services.people import People
from parola.services.rooms import Rooms
from parola.store import PeoplePage, Store


class Blocking:
    def __init__(self, store: Store, people: People, rooms: Rooms, now: Clock) -> None:
        self._store = store
        self._people = people
        self._rooms = rooms
        self._now = now

    async def block(self, caller: Caller, handle: str) -> None:
        """Answers when neither hears the other in the other's rooms any more. Raises NotSignedIn, NotFound, Invalid;
        Unavailable("not_confirmed", "not_done") when nobody could say so, and the block stands."""
        me = caller.signed_in().account.id
        other = (await self._people.visible(caller, handle)).id
        if me == other:
            raise Invalid.field("handle", "Nobody blocks themselves.")
        await self._store.relations.block(me, other, milliseconds(self._now()))
        # What lies open from now on is the gate's: it asks SQL, where the block is.
        await in_each(
            [
                (room_id, rooms.ShutOut(me, whom))
                for host, whom in ((me, other), (other, me))
                for room_id in await self._store.rooms.to_shut_out(host, whom)
            ],
            self._rooms.come_about,
        )

    async def unblock(self, caller: Caller, handle: str) -> None:
        """Raises NotSignedIn, NotFound, Invalid."""
        me = caller.signed_in().account.id
        account = await self._store.accounts.by_handle(handle)
        if account is None or account.id == me:
            raise NotFound() if account is None else Invalid.field("handle", "Nobody blocks themselves.")
        other = account.id
        standing = await self._store.relations.standing(me, other)
        if not standing.blocked:
            await self._people.visible(caller, handle)  # who has blocked the caller is nobody to them
        await self._store.relations.unblock(me, other)
        if await self._store.relations.is_blocked(me, other):
            return
        await in_each(
            [
                (room_id, rooms.LetIn(me, whom))
                for host, whom in ((me, other), (other, me))
                for room_id in await self._store.rooms.shut_out_of(host, whom)
            ],
            self._rooms.come_about,
        )

    async def blocked(self, caller: Caller, cursor: str | None, limit: int) -> PeoplePage:
        """Raises NotSignedIn, Invalid."""
        me = caller.signed_in().account.id
        return await self._people.page(self._store.relations.blocked_by(me, cursor, limit))

    async def hush(self, caller: Caller, handle: str) -> None:
        """Raises NotSignedIn, NotFound, Invalid."""
        me, other = await self._pair(caller, handle)
        await self._store.relations.hush(me, other, milliseconds(self._now()))

    async def unhush(self, caller: Caller, handle: str) -> None:
        """Raises NotSignedIn, NotFound, Invalid."""
        await self._store.relations.unhush(*await self._pair(caller, handle))

    async def hushed(self, caller: Caller, cursor: str | None, limit: int) -> PeoplePage:
        """Raises NotSignedIn, Invalid."""
        me = caller.signed_in().account.id
        return await self._people.page(self._store.relations.hushed_by(me, cursor, limit))

    async def _pair(self, caller: Caller, handle: str) -> tuple[str, str]:
        me = caller.signed_in().account.id
        other = (await self._people.visible(caller, handle)).id
        if me == other:
            raise Invalid.field("handle", "Nobody hushes themselves.")
        return me, other
