"""The one gate to a room: every call that names a room comes through here."""

from __future__ import annotations

import re

from parola.domain.errors import NotFound
from parola.domain.rooms import Lifecycle, Room, check_entry, may_know
from parola.projection import Projections
from parola.services.caller import Caller
from parola.store import Seen, Store

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Gate:
    def __init__(self, store: Store, projections: Projections) -> None:
        self._store = store
        self._projections = projections

    async def admit(self, caller: Caller, room_id: str) -> Room:
        """As `enter`, for those who come to hear: a live open room that this process follows is known without SQL, or a
        crowd would ask it the same thing once for each. Only a yes is said from memory, and it is none for good: the
        stream ends when the projection learns better, and the media process asks its own, which has confirmed every
        removal before that was answered."""
        room = self._projections.fresh(room_id)
        account = caller.account_id
        if room is None or not room.access.asks_nobody or room.state is not Lifecycle.LIVE:
            return await self.enter(caller, room_id)
        if not room.guests if account is None else self._may_be_barred(room, account):
            return await self.enter(caller, room_id)
        return room

    async def enter(self, caller: Caller, room_id: str) -> Room:
        """The room, where the caller may enter it. Raises NotFound, Forbidden("removed")."""
        seen = await self._known(caller, room_id)
        check_entry(seen.room, caller.account_id, seen.ties)
        return seen.room

    async def know(self, caller: Caller, room_id: str) -> Room:
        """The room, where the caller may know of it: also after they were removed from it. Raises NotFound."""
        seen = await self._known(caller, room_id)
        if not may_know(seen.room, caller.account_id, seen.ties):
            raise NotFound()
        return seen.room

    async def _known(self, caller: Caller, room_id: str) -> Seen:
        # What cannot be an id is asked for all the same, so that the answer takes as long as any.
        wanted = room_id if _ID.fullmatch(room_id) else "-"
        seen = await self._store.rooms.load_for(wanted, caller.account_id)
        if seen is None:
            raise NotFound()
        return seen

    def _may_be_barred(self, room: Room, account: str) -> bool:
        """Blocks of before the room was live are those of its host, those of since then stand in the room."""
        watched = self._projections.watched(room.id)
        known = watched.barred if watched is not None else None
        return known is None or account in known or account in room.removed or account in room.shut_out
