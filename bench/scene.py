"""What several measurements need: people, a live room, sound in Opus packets, and how loud a packet is."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import numpy as np

from bench.peer import RawPeer
from parola.client.api import Api
from parola.media.codec import CodecError, Decoder, Encoder
from parola.rtp import opus
from tests.e2e.house import House, people

FRAME = 960
LOUD = 0.02
"""RMS of a decoded 20 ms that counts as sound: −34 dB."""


@contextlib.asynccontextmanager
async def live_room(house: House, *handles: str) -> AsyncIterator[tuple[str, list[Api]]]:
    """A room of the first, and everybody signed in."""
    async with people(house, *handles) as everyone:
        room = await everyone[0].call("POST", "/api/rooms", {"title": "Measured"})
        yield str(room["id"]), everyone


@contextlib.asynccontextmanager
async def peer(api: Api, room_id: str, kind: str, with_red: bool = False) -> AsyncIterator[RawPeer]:
    connected = await RawPeer.connect(api, room_id, kind, with_red)
    try:
        yield connected
    finally:
        connected.close()


class Tone:
    """Opus packets of a sine, as a browser's encoder would make them."""

    def __init__(self, frequency: float = 700.0, level: float = 0.3) -> None:
        self._encoder = Encoder()
        self._frequency = frequency
        self._level = level
        self._at = 0

    def packet(self, loud: bool = True) -> bytes:
        t = (np.arange(FRAME) + self._at) / 48_000
        self._at += FRAME
        level = self._level if loud else 0.0
        return self._encoder.encode((level * np.sin(2 * np.pi * self._frequency * t)).astype(np.float32))


async def talk(speaker: RawPeer) -> None:
    """A tone without a pause, in real time, until it is cancelled."""
    tone, loop = Tone(), asyncio.get_running_loop()
    begin, n = loop.time(), 0
    while True:
        speaker.speak(tone.packet(), dbov=13)
        n += 1
        await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))


class Ear:
    """Decodes what a listener gets and says how loud each packet is."""

    def __init__(self) -> None:
        self._decoder = Decoder()

    def rms(self, packet: bytes) -> float:
        if opus.is_dtx(packet):
            return 0.0
        try:
            pcm = self._decoder.decode(packet)
        except CodecError:
            return 0.0
        return float(np.sqrt(np.mean(pcm**2)))
