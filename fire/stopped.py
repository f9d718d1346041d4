"""An owner stands still for twenty seconds, as a machine does that is short of memory, and then goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from pathlib import Path

from bench.figures import Figure
from bench.peer import RawPeer
from bench.scene import Tone
from fire.listened import Listened
from fire.machines import town
from fire.neighbour import neighbour
from fire.page import page
from tests.e2e.house import give_floor, people

STOPPED_S = 20.0
TONES = {"bob": 1500.0, "ada": 700.0}


async def owner_stopped(folder: Path, stopped_s: float = STOPPED_S) -> list[Figure]:
    """Ada's page goes over to the next owner. Bob's client does not: it sends on to the old one, whose listener is
    there, too. What the old one lets through after it was replaced is a second owner that is heard."""
    async with (
        town(folder, media_processes=3) as where,
        people(where.houses[0], "ada", "bob", "carla") as who,
    ):
        ada, bob, carla = who
        room_id = str((await ada.call("POST", "/api/rooms", {"title": "The owner stands still"}))["id"])
        await give_floor(ada, bob, room_id)
        async with page(ada, room_id, frequency=TONES["ada"], listens=False) as speaker:
            owner = speaker.process_of("whip")
            other = next(process_id for process_id in where.media() if process_id != owner)
            stubborn = await where.speak_at(bob, room_id, owner)
            at_old = Listened(await where.listen_at(carla, room_id, owner), TONES)
            at_new = Listened(await where.listen_at(carla, room_id, other), TONES)
            talking = asyncio.create_task(_talk(stubborn))
            async with neighbour(where.origin, avoid=[owner]) as near:
                await asyncio.sleep(1.0)
                assert at_old.times("bob"), "bob is not heard at all"
                assert at_old.times("ada"), "ada is not heard at all"
                stopped = time.time()
                os.kill(where.media()[owner], signal.SIGSTOP)
                try:
                    await asyncio.sleep(stopped_s)
                finally:
                    os.kill(where.media()[owner], signal.SIGCONT)
                resumed = time.time()
                await asyncio.sleep(5.0)
                heard = await near.end()
            talking.cancel()
            replaced = speaker.process_of("whip")
            assert replaced != owner, "nobody took the room over"
    after = [at for at in at_new.times("ada") if at > stopped + 0.5]
    second = at_old.times("bob", since=resumed) + at_new.times("bob", since=after[0] if after else stopped)
    return [
        Figure(
            f"owner stopped for {stopped_s:.0f} s and resumed: packets of the old owner heard after the new one's",
            float(len(second)), "", 0.0,
            f"{len(at_old.times('ada', since=resumed))} of the new one's heard by the old one's listener afterwards",
        ),
        Figure(
            "owner stopped: sound back elsewhere, by another owner",
            after[0] - stopped if after else float("inf"), "s", 8.0, "one run",
        ),
        heard.figure("owner stopped"),
    ]  # fmt: skip


async def _talk(speaker: RawPeer) -> None:
    tone, loop = Tone(TONES["bob"]), asyncio.get_running_loop()
    begin, n = loop.time(), 0
    while True:
        with contextlib.suppress(OSError):
            speaker.speak(tone.packet(), dbov=13)
        n += 1
        await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))
