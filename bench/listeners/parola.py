"""Parola as a server under test: a real `parola serve`, rooms and floor over its public protocol."""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path

import aiohttp

from bench.listeners import sdp
from bench.listeners.signalling import Local, NotRun, Remote
from parola.client.api import Api
from tests.e2e.house import House, children, give_floor

_TRIES = 5


class Parola:
    """`packet_ms`: 20, 40, … 120 for packets of that length and no other; None leaves the choice to the server."""

    def __init__(self, packet_ms: int | None = None, media_processes: int = 1) -> None:
        self.name = "Parola" if packet_ms is None else f"Parola, {packet_ms} ms"
        self.packet_ms = packet_ms or 120
        self._setting = "auto" if packet_ms is None else str(packet_ms)
        self._media_processes = media_processes
        self._house: House | None = None

    @property
    def house(self) -> House:
        assert self._house is not None
        return self._house

    async def start(self, folder: Path) -> None:
        environment = {"PAROLA_LIMITS": "off", "PAROLA_PACKET_MS": self._setting}
        self._house = House(folder, self._media_processes, environment)
        try:
            await asyncio.to_thread(self._house.start)
        except AssertionError as error:
            raise NotRun(str(error).splitlines()[0]) from error

    async def stop(self) -> None:
        if self._house is not None:
            await asyncio.to_thread(self._house.stop)

    def pids(self) -> list[int]:
        assert self.house.process is not None
        return [self.house.process.pid, *(pid for found in children(self.house).values() for pid in found)]

    def media_pids(self) -> list[int]:
        return children(self.house)["media"]

    async def room(self, speakers: int) -> ParolaRoom:
        stage = [await self.house.person(f"speaker{n}") for n in range(speakers)]
        room = await stage[0].call("POST", "/api/rooms", {"title": "Measured"})
        for guest in stage[1:]:
            await give_floor(stage[0], guest, room["id"])
        return ParolaRoom(self.house.origin, str(room["id"]), stage)


class MediaAlone(Parola):
    """Charged for its media processes and nothing else."""

    def pids(self) -> list[int]:
        return self.media_pids()


class ParolaRoom:
    """Whoever opens it has the floor, and gives it to the other speakers."""

    streams = 1

    def __init__(self, origin: str, room_id: str, stage: list[Api]) -> None:
        self._origin = origin
        self._room_id = room_id
        self._stage = stage

    def listening(self) -> ParolaWay:
        return ParolaWay(self._origin, self._room_id, "whep", None)

    def speaking(self, speaker: int) -> ParolaWay:
        return ParolaWay(self._origin, self._room_id, "whip", self._stage[speaker].token)

    async def close(self) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for api in self._stage:
                await stack.enter_async_context(api)


class ParolaWay:
    """WHEP as a guest, or WHIP with a speaker's token."""

    def __init__(self, origin: str, room_id: str, kind: str, token: str | None) -> None:
        self._url = f"{origin}/api/rooms/{room_id}/{kind}"
        self._origin = origin
        self._direction = "recvonly" if kind == "whep" else "sendonly"
        self._headers = {"Content-Type": "application/sdp"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._http: aiohttp.ClientSession | None = None

    async def join(self, local: Local) -> tuple[Remote, object]:
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))
        offer = sdp.offer(local, self._direction).encode()
        for _ in range(_TRIES):
            async with self._http.post(self._url, data=offer, headers=self._headers) as answer:
                text = await answer.text()
                if answer.status == 201:
                    return sdp.answered(text), answer.headers["Location"]
                if answer.status != 503:
                    break
            # As the page does.
            await asyncio.sleep(float(answer.headers.get("Retry-After", 1)) * random.uniform(1, 1.5))
        raise ConnectionRefusedError(f"{answer.status} {text[:200]}")

    async def leave(self, handle: object) -> None:
        assert self._http is not None
        async with self._http.delete(f"{self._origin}{handle}", headers=self._headers):
            pass

    async def close(self) -> None:
        if self._http is not None:
            await self._http.close()
