"""Listening and speaking with aiortc: an independent implementation of WebRTC, so that ours is not its own judge."""

from __future__ import annotations

import asyncio
import contextlib
import fractions
import wave
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError
from numpy.typing import NDArray

from parola.client.api import Api

RATE = 48_000
FRAME = 960
CONNECT_TIMEOUT_S = 10.0

Pcm = NDArray[np.int16]


class ConnectionFailed(Exception):
    """No media connection within ten seconds: most often UDP does not pass."""


def read_audio(path: Path) -> Pcm:
    """Any audio file that FFmpeg reads, as 48 kHz mono int16. Raises ValueError with the reason."""
    parts = []
    try:
        with av.open(str(path)) as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
            for frame in container.decode(audio=0):
                parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
            parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    except (av.FFmpegError, IndexError, OSError) as error:
        raise ValueError(f"cannot read {path}: {error}") from error
    return np.concatenate(parts) if parts else np.zeros(0, np.int16)


class Clip(AudioStreamTrack):
    """Sound that is sent in real time; silence when it is over, unless it repeats."""

    def __init__(self, pcm: Pcm, repeat: bool = False) -> None:
        super().__init__()
        self.over = asyncio.Event()
        self._pcm = pcm
        self._repeat = repeat
        self._at = 0
        self._frames = 0
        self._begun: float | None = None

    def play(self, pcm: Pcm) -> None:
        """Goes on with other sound from the next frame."""
        self._pcm, self._at = pcm, 0
        self.over.clear()

    async def recv(self) -> av.AudioFrame:
        loop = asyncio.get_running_loop()
        self._begun = self._begun if self._begun is not None else loop.time()
        await asyncio.sleep(max(0.0, self._begun + self._frames * FRAME / RATE - loop.time()))
        samples = self._next()
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        frame.pts = self._frames * FRAME
        frame.time_base = fractions.Fraction(1, RATE)
        self._frames += 1
        return frame

    def _next(self) -> Pcm:
        samples = self._pcm[self._at : self._at + FRAME]
        self._at += FRAME
        if self._at >= len(self._pcm):
            if self._repeat and len(self._pcm):
                self._at = 0
            else:
                self.over.set()
        return np.pad(samples, (0, FRAME - len(samples)))


@contextlib.asynccontextmanager
async def speaking(api: Api, room_id: str, track: MediaStreamTrack) -> AsyncIterator[Mouth]:
    """Sends `track` into the room for as long as the context lasts. Raises ProtocolError, ConnectionFailed."""
    connection = RTCPeerConnection()
    connection.addTransceiver(track, direction="sendonly")
    async with _exchanged(connection, api, room_id, "whip") as location:
        yield Mouth(connection, location)


@contextlib.asynccontextmanager
async def listening(api: Api, room_id: str) -> AsyncIterator[Ear]:
    """Hears the room's program for as long as the context lasts. Raises ProtocolError, ConnectionFailed."""
    connection = RTCPeerConnection()
    connection.addTransceiver("audio", direction="recvonly")
    ear = Ear(connection)
    async with _exchanged(connection, api, room_id, "whep") as location:
        ear.location = location
        try:
            yield ear
        finally:
            ear.stop()


@dataclass(frozen=True, slots=True)
class Mouth:
    """A speaker's connection, and its address at the server."""

    connection: RTCPeerConnection
    location: str


class Ear:
    """What is heard: 48 kHz mono int16, as it comes."""

    def __init__(self, connection: RTCPeerConnection) -> None:
        self.connection = connection
        self.location = ""
        self._parts: list[Pcm] = []
        self._task: asyncio.Task[None] | None = None
        connection.on("track", self._start)

    @property
    def heard(self) -> Pcm:
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.int16)

    def forget(self) -> None:
        self._parts.clear()

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    def _start(self, track: MediaStreamTrack) -> None:
        self._task = asyncio.ensure_future(self._run(track))

    async def _run(self, track: MediaStreamTrack) -> None:
        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                self._parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]


def save(pcm: Pcm, path: Path) -> None:
    """A 48 kHz mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())


@contextlib.asynccontextmanager
async def _exchanged(connection: RTCPeerConnection, api: Api, room_id: str, kind: str) -> AsyncIterator[str]:
    location = None
    connected = asyncio.Event()

    @connection.on("connectionstatechange")
    def changed() -> None:
        if connection.connectionState == "connected":
            connected.set()

    try:
        await connection.setLocalDescription(await connection.createOffer())
        answer, location = await api.exchange(room_id, kind, connection.localDescription.sdp)
        await connection.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        try:
            await asyncio.wait_for(connected.wait(), CONNECT_TIMEOUT_S)
        except TimeoutError as error:
            raise ConnectionFailed(
                "no media connection within ten seconds; does UDP pass between here and the server?"
            ) from error
        yield location
    finally:
        await connection.close()
        if location is not None:
            with contextlib.suppress(Exception):
                await api.hang_up(location)
