"""Turns and offers end when their time has come: a clock beside the domain, which decides whether it has.

Any number of web processes look at the same deadlines. They stand in the rooms themselves, so that a restart loses none
of them, and whoever comes second finds nothing left to end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from parola.domain import rooms as r
from parola.domain.errors import Refusal
from parola.services.clock import Clock
from parola.services.rooms import Rooms
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0


class Deadlines:
    """`run` goes on until it is cancelled; `look` is one round of it."""

    def __init__(self, store: Store, rooms: Rooms, now: Clock, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._rooms = rooms
        self._now = now
        self._monotonic = monotonic
        self._ends: dict[tuple[str, datetime], float] = {}
        """In monotonic seconds, reckoned when a deadline is first seen: a wall clock that jumps after that moves none
        of them."""
        self._ending: dict[str, asyncio.Task[None]] = {}

    async def run(self) -> None:
        while True:
            try:
                wait_s = await self.look()
            except StoreUnavailable:
                _log.warning("deadlines.store_away")
                wait_s = LOOK_EVERY_S
            except Exception:
                _log.exception("deadlines.failed")
                wait_s = LOOK_EVERY_S
            await asyncio.sleep(wait_s)

    async def look(self) -> float:
        """Begins to end what is over, and says in how many seconds to look again. Raises StoreUnavailable."""
        due = await self._store.rooms.due()
        wall, now = self._now(), self._monotonic()
        self._ends = {key: self._ends.get(key, now + (key[1] - wall).total_seconds()) for key in due.items()}
        for (room_id, due_at), at in self._ends.items():
            if at <= now and room_id not in self._ending:
                task = asyncio.create_task(self._end(room_id, due_at))
                self._ending[room_id] = task
        following = [at - now for at in self._ends.values() if at > now]
        return min(LOOK_EVERY_S, *following) if following else LOOK_EVERY_S

    async def ended(self) -> None:
        """Returns when all that was begun is done."""
        await asyncio.gather(*self._ending.values())

    async def _end(self, room_id: str, due_at: datetime) -> None:
        try:
            await self._sweep(room_id, due_at)
        finally:
            del self._ending[room_id]

    async def _sweep(self, room_id: str, due_at: datetime) -> None:
        try:
            carried = await self._rooms.come_about(room_id, r.Sweep(r.HOUSE), due_at)
            for event in carried.events:
                _log.info("deadline.over", room=room_id, seq=event.seq, type=r.type_name(event))
        except StoreUnavailable:
            _log.warning("deadlines.store_away", room=room_id)
        except Refusal as refusal:
            # The event stands; that it is silent is found by the owner itself within two seconds.
            _log.warning("deadline.refused", room=room_id, code=refusal.code)
        except Exception:
            _log.exception("deadline.failed", room=room_id)
