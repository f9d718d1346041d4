"""A neighbouring room that plays all the while, in a process of its own so that no scenario's work delays it.

`python -m fire.neighbour ORIGIN [AVOIDED_PROCESS…]` opens a room, speaks and listens, says on its first line where
that happens, and when its standard input ends, on its second, what was heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Any

import aiohttp

from bench.figures import Figure
from bench.peer import Arrival, RawPeer
from bench.scene import LOUD, Ear, Tone
from parola.client.api import Api

GAP_LIMIT_MS = 60.0
_TRIES = 40


@dataclass(slots=True)
class Heard:
    """`largest_gap_ms` between two packets of the program as the kernel got them; `own_lateness_ms` is how late this
    instrument itself was at worst, which is the machine's share in whatever it measured."""

    packets: int = 0
    loud: int = 0
    lost: int = 0
    largest_gap_ms: float = 0.0
    own_lateness_ms: float = 0.0

    def figure(self, scenario: str) -> Figure:
        note = (
            f"{self.packets} packets, {self.lost} lost, {self.packets - self.loud} quiet; "
            f"the instrument itself late by up to {self.own_lateness_ms:.0f} ms"
        )
        name = f"{scenario}: largest gap in the neighbouring room"
        return Figure(name, self.largest_gap_ms, "ms", GAP_LIMIT_MS, note)


class Neighbour:
    """`processes` are those it plays through."""

    def __init__(self, process: asyncio.subprocess.Process, first: dict[str, Any]) -> None:
        self._process = process
        self.room_id = str(first["room"])
        self.processes = frozenset(first["processes"])
        self.heard: Heard | None = None
        """What there was to hear; set when it has ended."""

    async def end(self) -> Heard:
        if self.heard is None:
            out, _ = await self._process.communicate(b"")
            self.heard = Heard(**json.loads(out))
        return self.heard


@contextlib.asynccontextmanager
async def neighbour(origin: str, avoid: Collection[str] = ()) -> AsyncIterator[Neighbour]:
    """Plays where none of the processes `avoid` is needed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fire.neighbour", origin, *avoid,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        made = Neighbour(process, json.loads(await process.stdout.readline()))
        await asyncio.sleep(0.5)
        yield made
        await made.end()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _play(origin: str, avoid: frozenset[str]) -> None:
    async with Api(origin) as host, Api(origin) as guest:
        await host.sign_up(f"neighbour_{secrets.token_hex(3)}", "Neighbour", "correct horse battery")
        speaker, listener, room_id = await _settle_down(host, guest, avoid)
        where = [_process(speaker), _process(listener)]
        print(json.dumps({"room": room_id, "processes": where}), flush=True)
        heard = Heard()
        talking = asyncio.create_task(_talk(speaker, heard))
        await asyncio.sleep(0.3)
        listener.on_arrival = _Meter(heard).arrived
        await _end_of_input()
        listener.on_arrival = None
        talking.cancel()
        print(json.dumps({name: getattr(heard, name) for name in heard.__slots__}), flush=True)


async def _settle_down(host: Api, guest: Api, avoid: frozenset[str]) -> tuple[RawPeer, RawPeer, str]:
    for _ in range(_TRIES):
        room_id = str((await host.call("POST", "/api/rooms", {"title": "The neighbours"}))["id"])
        speaker = await RawPeer.connect(host, room_id, "whip")
        following = asyncio.create_task(_follow(host, room_id))
        await asyncio.sleep(0.2)
        if _process(speaker) in avoid:
            following.cancel()
            await _leave(host, speaker)
            await host.call("POST", f"/api/rooms/{room_id}/end")
            continue
        for _ in range(_TRIES):
            listener = await RawPeer.connect(guest, room_id, "whep")
            if _process(listener) not in avoid:
                return speaker, listener, room_id
            await _leave(guest, listener)
    raise RuntimeError("there is no place for the neighbours")


async def _follow(host: Api, room_id: str) -> None:
    """As an open page does: a room that somebody follows has its listeners where its owner is."""
    url = f"{host.origin}/api/rooms/{room_id}/events"
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as http:
        async with http.get(url) as answer:
            await answer.read()


async def _leave(api: Api, peer: RawPeer) -> None:
    peer.close()
    await api.hang_up(peer.location)
    await asyncio.sleep(0.2)


def _process(peer: RawPeer) -> str:
    return peer.location.rpartition("/")[2].partition(".")[0]


class _Meter:
    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._ear = Ear()
        self._last: tuple[float, int] | None = None

    def arrived(self, arrival: Arrival) -> None:
        heard, sequence = self._heard, arrival.packet.sequence
        heard.packets += 1
        heard.loud += self._ear.rms(arrival.opus) > LOUD
        if self._last is not None:
            at, before = self._last
            heard.largest_gap_ms = max(heard.largest_gap_ms, (arrival.at - at) * 1000)
            heard.lost += max(0, ((sequence - before) & 0xFFFF) - 1)
        self._last = (arrival.at, sequence)


async def _talk(speaker: RawPeer, heard: Heard) -> None:
    tone, loop = Tone(440.0), asyncio.get_running_loop()
    begin, n = loop.time(), 0
    while True:
        speaker.speak(tone.packet(), dbov=13)
        n += 1
        await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))
        heard.own_lateness_ms = max(heard.own_lateness_ms, (loop.time() - begin - n * 0.02) * 1000)


async def _end_of_input() -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    await reader.read()


if __name__ == "__main__":
    with contextlib.suppress(PermissionError):
        os.nice(-10)  # an instrument that is late measures itself
    asyncio.run(_play(sys.argv[1], frozenset(sys.argv[2:])))
