"""What a live room costs in which nobody talks: many of them, against none, in the same processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

from bench.figures import Figure
from bench.peer import RawPeer
from bench.scene import peer
from tests.e2e.house import House, people

ROOMS = 40
SECONDS = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")


async def silent_room(house: House) -> list[Figure]:
    """Each room has its host on stage with a silent microphone (DTX, as browsers do) and one listener."""
    async with people(house, "ada", "carla") as (ada, carla), contextlib.AsyncExitStack() as stack:
        await asyncio.sleep(2)
        before = await _cpu_share(house)
        speakers = []
        for i in range(ROOMS):
            room = await ada.call("POST", "/api/rooms", {"title": f"Silent room {i}"})
            speakers.append(await stack.enter_async_context(peer(ada, room["id"], "whip")))
            await stack.enter_async_context(peer(carla, room["id"], "whep"))
        await asyncio.sleep(3)
        silent = asyncio.create_task(_keep_silent(speakers))
        share = await _cpu_share(house)
        silent.cancel()
    each = (share - before) / ROOMS * 100
    note = f"{ROOMS} rooms {share:.1%} of a core, none {before:.1%}, over {SECONDS:.0f} s; all processes but the bus"
    return [Figure("room with nobody talking", each, "% of a core", 0.1, note)]


async def _keep_silent(speakers: list[RawPeer]) -> None:
    """A browser in DTX sends an empty packet every 400 ms."""
    while True:
        for speaker in speakers:
            speaker.speak(b"\xf8", dbov=127, skip=20)
        await asyncio.sleep(0.4)


async def _cpu_share(house: House) -> float:
    """Of one core, over the measured time."""
    assert house.process is not None
    processes = [int(p) for p in _children(house.process.pid)]
    before = sum(map(_cpu_seconds, processes))
    await asyncio.sleep(SECONDS)
    return (sum(map(_cpu_seconds, processes)) - before) / SECONDS


def _children(pid: int) -> list[str]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [p for p in found if "nats" not in Path(f"/proc/{p}/comm").read_text()]


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS
