"""The one gate to a room: every call that names a room comes through here."""

from __future__ import annotations

import re

from parola.domain.errors import NotFound
from parola.domain.rooms import Room, check_entry
from parola.services.caller import Caller
from parola.store import Store

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Gate:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def enter(self, caller: Caller, room_id: str) -> Room:
        """The room, where the caller may enter it. Raises NotFound, Forbidden("removed")."""
        # What cannot be an id is asked for all the same, so that the answer takes as long as any.
        wanted = room_id if _ID.fullmatch(room_id) else "-"
        seen = await self._store.rooms.load_for(wanted, caller.account_id)
        if seen is None:
            raise NotFound()
        check_entry(seen.room, caller.account_id, seen.follows_host)
        return seen.room
