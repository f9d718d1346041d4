"""What a media process tells the others without being asked: who is connected, who talks how loudly, and frames.

Everything goes through one queue, so that it leaves in the order in which it was said; with the bus away the newest is
dropped and counted, since what is late is worth nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Iterable

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import Levels, Presence, PresentListener, PresentSpeaker
from parola.media.listener import Listener
from parola.media.speaker import Speaker

_WAITING = 2000


class Reports:
    """`send` takes a message without waiting; `run` passes them on. What is dropped is counted in `dropped`."""

    def __init__(self, process_id: str, bus: Bus, dropped: Counter[str]) -> None:
        self._process_id = process_id
        self._bus = bus
        self._dropped = dropped
        self._outbox: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_WAITING)

    async def run(self) -> None:
        while True:
            subject, data = await self._outbox.get()
            with contextlib.suppress(BusUnavailable):
                await self._bus.publish(subject, data)

    def send(self, subject: str, data: bytes) -> None:
        try:
            self._outbox.put_nowait((subject, data))
        except asyncio.QueueFull:
            self._dropped["bus_full"] += 1

    def levels(self, room_id: str, levels: dict[str, float]) -> None:
        self.send(subjects.room_passing(room_id), Levels(room_id, levels).to_bytes())

    def presence(self, room_id: str, listeners: Iterable[Listener], speakers: Iterable[Speaker]) -> None:
        """Everybody who is connected to a room here; nobody is worth saying, too."""
        told = Presence(
            self._process_id,
            room_id,
            [PresentListener(x.connection_id, x.account_id) for x in listeners if x.peer.is_connected],
            [PresentSpeaker(x.connection_id, x.account_id) for x in speakers if x.peer.is_connected],
        )
        self.send(subjects.PRESENCE, told.to_bytes())
