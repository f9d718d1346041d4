"""What a browser's page does without anybody touching it: it follows the room's events, and comes back.

The rules are the web page's own: resume with Last-Event-ID after the stream is lost, connect anew after a `reconnect`
that names one's connection, and when nothing has come from the server for five seconds.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp

from bench.peer import Arrival, RawPeer
from bench.scene import Tone
from parola.client.api import Api, ProtocolError

SILENCE_S = 5.0
"""As long as a browser's ICE needs to call a path disconnected."""
_HANDSHAKE_S = 3.0


class Page:
    """`ear` and `mouth` are the connections of this moment; `events` everything lasting that was told, in order."""

    def __init__(self, api: Api, room_id: str, frequency: float | None = None) -> None:
        self.api = api
        self.room_id = room_id
        self.ear: RawPeer | None = None
        self.mouth: RawPeer | None = None
        self.events: list[tuple[int, str, dict[str, Any]]] = []
        self.arrivals: list[tuple[float, Arrival]] = []
        self.joins: list[float] = []
        """When a connection of the ear stood, each time."""
        self.refused: list[tuple[str, ProtocolError]] = []
        self.on_told: Callable[[int, str, dict[str, Any]], None] = lambda seq, kind, data: None
        self.on_arrival: Callable[[Arrival], None] = lambda arrival: None
        self._frequency = frequency
        self._last_id: str | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._renewing: dict[str, asyncio.Task[None]] = {}
        self._heard_at = 0.0

    async def open(self, listens: bool = True) -> None:
        """Returns when what it wishes is connected."""
        self._tasks.append(asyncio.create_task(self._follow()))
        wishes = [
            kind for kind, wished in (("whep", listens), ("whip", self._frequency is not None)) if wished
        ]
        for kind in wishes:
            await self.reconnect(kind)
        self._tasks.append(asyncio.create_task(self._watch()))
        if self._frequency is not None:
            self._tasks.append(asyncio.create_task(self._talk()))

    async def close(self) -> None:
        for task in [*self._tasks, *self._renewing.values()]:
            task.cancel()
        await asyncio.gather(*self._tasks, *self._renewing.values(), return_exceptions=True)
        for peer in (self.ear, self.mouth):
            if peer is not None:
                peer.close()

    async def reconnect(self, kind: str) -> None:
        """A new connection at once; returns when it stands."""
        self._renew(kind, 0.0)
        await self._renewing[kind]

    def sit(self, ear: RawPeer) -> None:
        """Listens from now on by a connection that was made for it."""
        self._take("whep", ear)

    def process_of(self, kind: str) -> str:
        peer = self.ear if kind == "whep" else self.mouth
        assert peer is not None
        return peer.location.rpartition("/")[2].partition(".")[0]

    def _id(self, peer: RawPeer | None) -> str:
        return peer.location.rpartition("/")[2] if peer is not None else ""

    async def _follow(self) -> None:
        while True:
            with contextlib.suppress(aiohttp.ClientError, OSError, TimeoutError):
                await self._read()
            await asyncio.sleep(random.uniform(1.0, 5.0))  # as the server's `retry:` says

    async def _read(self) -> None:
        headers = {"Authorization": f"Bearer {self.api.token}"} if self.api.token else {}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        url = f"{self.api.origin}/api/rooms/{self.room_id}/events"
        timeout = aiohttp.ClientTimeout(total=None, sock_read=38)
        async with aiohttp.ClientSession(timeout=timeout) as http, http.get(url, headers=headers) as answer:
            answer.raise_for_status()
            fields: dict[str, str] = {}
            async for raw in answer.content:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    self._told(fields)
                    fields = {}

    def _told(self, fields: dict[str, str]) -> None:
        data = json.loads(fields["data"])
        if "id" in fields:
            again, self._last_id = self._last_id is not None, fields["id"]
            self.events.append((int(fields["id"]), fields["event"], data))
            self.on_told(int(fields["id"]), fields["event"], data)
            if fields["event"] == "snapshot" and again:
                for kind in ("whep", "whip"):
                    self._renew(kind, 0.0)
        elif fields["event"] == "reconnect":
            for kind, peer in (("whep", self.ear), ("whip", self.mouth)):
                if data["connections"] == "all" or self._id(peer) in data["connections"]:
                    self._renew(kind, data["after_ms"] / 1000)

    async def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(0.25)
            if self.ear is not None and loop.time() - self._heard_at > SILENCE_S:
                self._heard_at = loop.time()
                self._renew("whep", 0.0)

    def _renew(self, kind: str, after_s: float) -> None:
        if kind == "whip" and self._frequency is None:
            return
        running = self._renewing.get(kind)
        if running is None or running.done():
            self._renewing[kind] = asyncio.create_task(self._connect(kind, after_s))

    async def _connect(self, kind: str, after_s: float) -> None:
        """Until it works, or the server says no for good."""
        await asyncio.sleep(after_s)
        pause = 0.25
        while True:
            try:
                async with asyncio.timeout(_HANDSHAKE_S):
                    peer = await RawPeer.connect(self.api, self.room_id, kind)
                break
            except ProtocolError as error:
                self.refused.append((kind, error))
                if error.status not in (429, 503):
                    return
            except (aiohttp.ClientError, OSError, TimeoutError):
                pass
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(4.0, pause * 2)
        self._take(kind, peer)

    def _take(self, kind: str, peer: RawPeer) -> None:
        if kind == "whip":
            before, self.mouth = self.mouth, peer
        else:
            before, self.ear = self.ear, peer
            self._heard_at = asyncio.get_running_loop().time()
            self.joins.append(self._heard_at)
            peer.on_arrival = self._heard
        if before is not None:
            before.close()

    def _heard(self, arrival: Arrival) -> None:
        self._heard_at = asyncio.get_running_loop().time()
        self.on_arrival(arrival)

    async def _talk(self) -> None:
        tone, loop = Tone(self._frequency or 0.0), asyncio.get_running_loop()
        begin, n = loop.time(), 0
        while True:
            n += 1
            packet = tone.packet()
            if self.mouth is not None:
                with contextlib.suppress(OSError):
                    self.mouth.speak(packet, dbov=13)
            await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))


@contextlib.asynccontextmanager
async def page(
    api: Api, room_id: str, frequency: float | None = None, listens: bool = True
) -> AsyncIterator[Page]:
    """One open page; with a `frequency` it speaks a tone without a pause."""
    made = Page(api, room_id, frequency)
    try:
        await made.open(listens)
        yield made
    finally:
        await made.close()
