"""Human speech through bad networks, either way: how intelligible it is, and how long it is away.

Intelligibility is STOI against the clean original, after both encodings. A gap is a stretch in which the original
speaks and what was heard is 20 dB quieter. The speaker encodes as a browser does: hybrid Opus with in-band FEC at
32 kbit/s.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import statistics
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from bench.figures import Figure
from bench.peer import RawPeer
from bench.quality import said_and_heard
from bench.scene import live_room
from fire.neighbour import neighbour
from fire.relay import Bursts, Conditions, Relay, relay
from parola.client.api import Api, ProtocolError
from parola.client.webrtc import read_audio
from parola.media.codec import Encoder
from tests.e2e.hearing import RATE, Sound, intelligibility, offset
from tests.e2e.house import House, opened
from tools.speech import Clip, clips

AT_ONCE = 6
FRAME = RATE // 50
_TRIES = 60
_TRIES_OF_A_CLIP = 4
STOOD_STILL_S = 0.04
"""The server's buffers are made for less, and its ticker leaves out what is 50 ms late."""


@dataclass(frozen=True, slots=True)
class Row:
    """One network, on the speaker's side, the listener's or both; `copies` is the speaker's RED."""

    name: str
    least: float
    up: Conditions = field(default_factory=Conditions)
    down: Conditions = field(default_factory=Conditions)
    copies: int = 1


LOSS = Conditions(delay=0.02, loss=0.3)
BURSTS = Conditions(delay=0.02, bursts=Bursts(begin=0.05, end=0.35))
JITTER = Conditions(delay=0.02, jitter=0.05)
REORDERING = Conditions(delay=0.02, reordered=0.1, behind=0.03)
DUPLICATION = Conditions(delay=0.02, duplicated=0.2)
ROWS = (
    Row("no impairment", 0.97),
    Row("30 % random loss towards a listener", 0.92, down=LOSS),
    Row("30 % random loss from a speaker", 0.92, up=LOSS),
    Row("30 % random loss from a speaker who sends two copies", 0.92, up=LOSS, copies=2),
    Row("12.5 % loss in bursts of 3 packets towards a listener", 0.90, down=BURSTS),
    Row("12.5 % loss in bursts of 3 packets from a speaker", 0.90, up=BURSTS),
    Row("50 ms jitter both ways", 0.95, up=JITTER, down=JITTER),
    Row("10 % of packets 30 ms late, both ways", 0.95, up=REORDERING, down=REORDERING),
    Row("20 % of packets twice, both ways", 0.97, up=DUPLICATION, down=DUPLICATION),
)


async def impairment(
    folder: Path, rows: tuple[Row, ...] = ROWS, spoken: dict[str, Clip] | None = None
) -> list[Figure]:
    found = spoken or clips()
    figures = []
    with in_front(), opened(House(folder)) as house:
        async with neighbour(house.origin) as near:
            for row in rows:
                figures.append(await _scored(house, row, found))
            heard = await near.end()
    return [*figures, heard.figure("bad networks")]


@contextlib.contextmanager
def in_front() -> Iterator[None]:
    """What is judged is the network, so nobody else on this machine may make server or client late. Only root can."""
    before = os.getpriority(os.PRIO_PROCESS, 0)
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    yield
    os.setpriority(os.PRIO_PROCESS, 0, before)


async def _scored(house: House, row: Row, found: dict[str, Clip]) -> Figure:
    turn = asyncio.Semaphore(AT_ONCE)

    async def through(number: int, original: Sound) -> Sound:
        async with turn:
            return await _undisturbed(lambda: _through(house, original, row, seed=number))

    originals = [read_audio(clip.microphone).astype(np.float64) / 32768 for clip in found.values()]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(through(n, original)) for n, original in enumerate(originals)]
    heard = [task.result() for task in tasks]
    scores = [intelligibility(*pair) for pair in zip(originals, heard, strict=True)]
    gaps = [longest_gap(*pair) for pair in zip(originals, heard, strict=True)]
    origin = next(iter(found.values())).origin
    note = (
        f"{len(scores)} clips of {origin} speech, {min(scores):.3f} to {max(scores):.3f}; "
        f"longest gap {max(gaps) * 1000:.0f} ms, median {statistics.median(gaps) * 1000:.0f} ms"
    )
    return Figure(f"{row.name}: STOI, median", statistics.median(scores), "", row.least, note, at_least=True)


async def _undisturbed(said: Callable[[], Awaitable[Sound]]) -> Sound:
    """Said again where this machine stood still meanwhile: that would be scored as the network's doing."""
    for _ in range(_TRIES_OF_A_CLIP):
        async with watched() as lateness:
            heard = await said()
        if lateness.worst_s < STOOD_STILL_S:
            break
    return heard


@dataclass
class Lateness:
    worst_s: float = 0.0


@contextlib.asynccontextmanager
async def watched() -> AsyncIterator[Lateness]:
    """How late a timer of this process comes, at worst."""
    lateness, loop = Lateness(), asyncio.get_running_loop()

    async def watch() -> None:
        while True:
            due = loop.time() + 0.01
            await asyncio.sleep(0.01)
            lateness.worst_s = max(lateness.worst_s, loop.time() - due)

    task = asyncio.create_task(watch())
    try:
        yield lateness
    finally:
        task.cancel()


async def _through(house: House, original: Sound, row: Row, seed: int) -> Sound:
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay(seed=seed) as above,
        relay(seed=seed + 1000) as below,
    ):
        speaker = await connected(ada, room_id, "whip", above)
        listener = await connected(carla, room_id, "whep", below)
        try:
            # Joining through it is another matter: what is judged is the sound.
            _spoil(above, row.up)
            _spoil(below, row.down)
            return await said_and_heard(speaker, listener, original, row.copies, BrowserEncoder())
        finally:
            speaker.close()
            listener.close()


async def connected(api: Api, room_id: str, kind: str, between: Relay) -> RawPeer:
    """Through the relay. A busy machine refuses newcomers for a moment: as any client, it comes again."""
    for _ in range(_TRIES):
        try:
            return await RawPeer.connect(api, room_id, kind, via=between.behind)
        except ProtocolError as error:
            if error.status != 503:
                raise
        await asyncio.sleep(1)
    raise TimeoutError("the server takes nobody")


def _spoil(one: Relay, conditions: Conditions) -> None:
    """A lossy way loses the reports that go back on it, too."""
    one.up = one.down = conditions


def longest_gap(original: Sound, heard: Sound) -> float:
    """Seconds. Receivers stretch and shorten pauses: a frame counts as heard where it is loud within 60 ms of it."""
    start = offset(original, heard)
    aligned = np.pad(heard, (max(0, -start), 0))[max(0, start) :]
    aligned = np.pad(aligned, (0, max(0, len(original) - len(aligned))))[: len(original)]
    spoken, received = _levels(original), _levels(aligned)
    around = np.pad(received, 3, constant_values=-120.0)
    loudest = np.max([around[i : i + len(received)] for i in range(7)], axis=0)
    missing = (spoken > spoken.max() - 25) & (loudest < spoken - 20)
    longest = run = 0
    for is_missing in missing:
        run = run + 1 if is_missing else 0
        longest = max(longest, run)
    return longest * FRAME / RATE


def _levels(sound: Sound) -> Sound:
    """dB of each 20 ms."""
    frames = sound[: len(sound) // FRAME * FRAME].reshape(-1, FRAME)
    levels: Sound = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    return levels


class BrowserEncoder(Encoder):
    """As Chromium sets libopus for a voice: VoIP, 32 kbit/s, complexity 9, FEC for the loss that it was told of."""

    def __init__(self, loss: int = 20) -> None:
        super().__init__()
        self._library.opus_encoder_destroy(self._state)
        error = ctypes.c_int()
        self._state = self._library.opus_encoder_create(RATE, 1, 2048, ctypes.byref(error))
        assert error.value == 0
        for request, value in ((4002, 32_000), (4010, 9), (4024, 3001), (4012, 1), (4014, loss)):
            assert self._library.opus_encoder_ctl(self._state, request, ctypes.c_int(value)) == 0
