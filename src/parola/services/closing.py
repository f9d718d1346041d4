"""Rooms whose time is over by their terms are warned, and end: a clock beside the domain, which decides whether it is.

Any number of web processes look at the same rooms; whoever comes second finds nothing left to do.
"""

from __future__ import annotations

import asyncio

import structlog

from parola.domain import rooms as r
from parola.domain.errors import Refusal
from parola.services.again import look_again
from parola.services.clock import Clock
from parola.services.rooms import Rooms
from parola.store import Store

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0


class Closing:
    """`run` goes on until it is cancelled; `look` is one round of it."""

    def __init__(self, store: Store, rooms: Rooms, now: Clock) -> None:
        self._store = store
        self._rooms = rooms
        self._now = now

    async def run(self) -> None:
        await look_again("closing", self.look, LOOK_EVERY_S)

    async def look(self) -> None:
        """Returns when everything that is over by now is warned or ended. Raises StoreUnavailable."""
        await asyncio.gather(*(self._end(id) for id in await self._store.rooms.awake(self._now())))

    async def _end(self, room_id: str) -> None:
        try:
            carried = await self._rooms.come_about(room_id, r.RunOut(r.HOUSE))
        except Refusal as refusal:
            # The event stands; that it is silent is found by the owner itself within two seconds.
            _log.warning("closing.refused", room=room_id, code=refusal.code)
            return
        for event in carried.events:
            _log.info("closing.over", room=room_id, seq=event.seq, type=r.type_name(event))
