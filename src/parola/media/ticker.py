"""The 20 ms beat of the rooms that sound. A silent room has no timer and costs nothing.

Rooms are staggered over the 20 ms by their id, so that a process with many of them works evenly instead of in bursts.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from typing import Protocol

import prometheus_client as prometheus
import structlog

_log = structlog.get_logger(__name__)

TICK_S = 0.02
SKIP_AFTER_S = 0.06
"""Being late by up to three ticks is made up for at once; what is later than that is left out."""
STALL_S = 2.0
"""A process that stood still this long may have lost its rooms to another one in the meantime."""

_LATE_S = (0.001, 0.002, 0.003, 0.004, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.04, 0.06, 0.1, 0.25, 1.0)


class Ticking(Protocol):
    room_id: str

    def tick(self, tick: int, now: float) -> bool: ...


class Ticker:
    """Calls `tick(number, now)` of each awake room until that answers False. Numbers count 20 ms of the clock."""

    def __init__(self, monotonic: Callable[[], float], on_stall: Callable[[], None]) -> None:
        self.lateness = prometheus.Histogram(
            "parola_media_tick_late_seconds",
            "How late rooms' ticks came",
            registry=None,
            buckets=_LATE_S,
        )
        self._late_s = 0.0
        self._monotonic = monotonic
        self._on_stall = on_stall
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def wake(self, room: Ticking) -> None:
        phase = self._phase(room)
        number = int((self._monotonic() - phase) / TICK_S) + 1
        self._schedule(room, number)

    def take_lateness(self) -> float:
        """The worst, in seconds, since this was last asked."""
        worst, self._late_s = self._late_s, 0.0
        return worst

    def is_awake(self) -> bool:
        """Whether any room sounds."""
        return bool(self._timers)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def _phase(self, room: Ticking) -> float:
        return zlib.crc32(room.room_id.encode()) % 20 / 1000

    def _schedule(self, room: Ticking, number: int) -> None:
        earlier = self._timers.get(room.room_id)
        if earlier is not None:
            earlier.cancel()
        delay = self._phase(room) + number * TICK_S - self._monotonic()
        loop = asyncio.get_running_loop()
        self._timers[room.room_id] = loop.call_later(max(0.0, delay), self._fire, room, number)

    def _fire(self, room: Ticking, number: int) -> None:
        now = self._monotonic()
        late = now - (self._phase(room) + number * TICK_S)
        self._late_s = max(self._late_s, late)
        self.lateness.observe(late)
        if late > STALL_S:
            self._on_stall()
        if late > SKIP_AFTER_S:
            number += int(late / TICK_S)
        del self._timers[room.room_id]
        try:
            wants_more = room.tick(number, now)
        except Exception:
            # One room's failure must never stop another's beat, nor its own.
            _log.exception("tick.failed", room=room.room_id)
            wants_more = True
        if wants_more:
            self._schedule(room, number + 1)
