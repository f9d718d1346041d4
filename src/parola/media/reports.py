"""What a media process tells the others without being asked: who is connected, who talks how loudly, and frames.

Everything goes through one queue, so that it leaves in the order in which it was said; with the bus away the newest is
dropped and counted, since what is late is worth nothing. Who is connected can be asked for again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import Levels, MessageError, NeverUp, PresenceOrder
from parola.media.listener import Listener
from parola.media.presence import PresenceBook
from parola.media.speaker import Speaker

_WAITING = 2000


class Reports:
    """`send` takes a message without waiting; `run` passes them on. What is dropped is counted in `dropped`."""

    def __init__(self, process_id: str, bus: Bus, dropped: Counter[str]) -> None:
        self._bus = bus
        self._dropped = dropped
        self._book = PresenceBook(process_id)
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

    def presence_changed(self, connection: Listener | Speaker, is_here: bool) -> None:
        """It has come up, or is gone."""
        room_id, connection_id = connection.room.room_id, connection.connection_id
        if is_here:
            self._book.came(room_id, connection_id, connection.account_id, isinstance(connection, Speaker))
        else:
            self._book.went(room_id, connection_id)

    def never_up(self, listener: Listener) -> None:
        body = NeverUp(listener.room.room_id, listener.account_id, listener.address)
        self.send(subjects.NEVER_UP, body.to_bytes())

    async def tell_presence(self) -> None:
        """To be called a few times a second: what has changed since."""
        for changed in self._book.changes():
            self.send(subjects.PRESENCE, changed.to_bytes())

    async def tell_presence_heads(self) -> None:
        """To be called every few seconds: whoever has missed something notices, and that this process lives."""
        self.send(subjects.PRESENCE, self._book.heads().to_bytes())

    async def presence_order(self, message: Message) -> None:
        """Tells all of some rooms to one who asks, a page in each turn of the loop."""
        with contextlib.suppress(MessageError, BusUnavailable):
            order = PresenceOrder.from_bytes(message.data)
            for room_id in order.rooms:
                with contextlib.closing(self._book.pages(room_id)) as pages:
                    for page in pages:
                        await self._bus.publish(order.reply_to, page.to_bytes())
                        await asyncio.sleep(0)
