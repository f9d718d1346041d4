"""A media process is killed while its room sounds: everybody hears again, and nobody does anything."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from bench.figures import Figure, quantile, spread
from bench.peer import Arrival
from bench.scene import LOUD, Ear
from fire.machines import Town, town
from fire.neighbour import neighbour
from fire.page import Page, page
from tests.e2e.house import eventually, people

KILLS = 20
PROCESSES = 4


async def media_killed(folder: Path, kills: int = KILLS) -> list[Figure]:
    """The owner of a room dies, again and again. One listener is on another edge and must hear the same stream go on;
    one is on the edge that dies too, and comes back by `reconnect`, as the speaker does."""
    async with town(folder, media_processes=PROCESSES) as town_:
        async with people(town_.houses[0], "ada", "bob", "carla") as (ada, bob, carla):
            room_id = str((await ada.call("POST", "/api/rooms", {"title": "The owner dies"}))["id"])
            async with (
                page(ada, room_id, frequency=700.0, listens=False) as speaker,
                page(bob, room_id) as elsewhere,
                page(carla, room_id) as beside,
            ):
                elsewhere_s: list[float] = []
                beside_s: list[float] = []
                gaps: list[Figure] = []
                for _ in range(kills):
                    await _all_alive(town_)
                    owner = speaker.process_of("whip")
                    other = next(process_id for process_id in town_.media() if process_id != owner)
                    elsewhere.sit(await town_.listen_at(bob, room_id, other))
                    beside.sit(await town_.listen_at(carla, room_id, owner))
                    async with neighbour(town_.origin, avoid=[owner]) as near:
                        ears = [_Waiting(elsewhere), _Waiting(beside)]
                        await asyncio.sleep(0.5)
                        os.kill(town_.media()[owner], signal.SIGKILL)
                        waits = [await ear.heard_again() for ear in ears]
                        await asyncio.sleep(0.5)
                        heard = await near.end()
                    gaps.append(heard.figure("media process killed"))
                    elsewhere_s.append(waits[0])
                    beside_s.append(waits[1])
                    assert ears[0].unbroken, "the stream on another edge did not go on as it was"
    worst = max(gaps, key=lambda figure: figure.value)
    return [
        Figure(
            "media process killed: sound back on another edge, same stream, p95",
            quantile(elsewhere_s, 0.95), "s", 2.0, spread(elsewhere_s, "s"),
        ),
        Figure(
            "media process killed: sound back for those who were connected to it, p95",
            quantile(beside_s, 0.95), "s", 2.0, spread(beside_s, "s"),
        ),
        worst,
    ]  # fmt: skip


class _Waiting:
    """From the making of this on: when a page hears something loud again after it has heard nothing for a while."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._ear = Ear()
        self._began = asyncio.get_running_loop().time()
        self._last_loud = float("inf")
        self._silent_for = 0.0
        self._again = asyncio.Event()
        self._stream: tuple[int, int, int] | None = None
        self.unbroken = True
        page.on_arrival = self._arrived

    async def heard_again(self) -> float:
        """Seconds without sound, from the last loud packet before to the first after."""
        try:
            await asyncio.wait_for(self._again.wait(), 20)
        finally:
            self._page.on_arrival = lambda arrival: None
        return self._silent_for

    def _arrived(self, arrival: Arrival) -> None:
        packet = arrival.packet
        now = (packet.ssrc, packet.sequence, packet.timestamp)
        if self._stream is not None:
            ssrc, sequence, timestamp = self._stream
            step = (packet.timestamp - timestamp) & 0xFFFFFFFF
            goes_on = packet.ssrc == ssrc and (packet.sequence - sequence) & 0xFFFF == 1
            # Forward by whole ticks, and by no more than the time that has passed.
            self.unbroken = self.unbroken and goes_on and 0 < step <= 20 * 48_000 and step % 960 == 0
        self._stream = now
        if self._ear.rms(arrival.opus) <= LOUD:
            return
        if arrival.at - self._last_loud > 0.1:
            self._silent_for = arrival.at - self._last_loud
            self._again.set()
        self._last_loud = arrival.at


async def _all_alive(where: Town) -> None:
    """A child that dies again and again is started again after longer and longer pauses."""
    await eventually(lambda: len(where.media()) == PROCESSES, 30)
    await asyncio.sleep(3.0)  # it imports, beats, and is seen
