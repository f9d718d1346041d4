"""Fifteen thousand open pages on one web process, and a live room: how long until the last of them sees who has the
floor now, and whether the sound is late because of it. `python -m bench.streams [COUNT]`."""

from __future__ import annotations

import asyncio
import contextlib
import json
import multiprocessing
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from itertools import pairwise
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

from bench.figures import Figure, quantile, spread, table
from bench.machine import describe
from bench.scene import live_room, peer, talk
from bench.ticks import late_ticks, worst_since
from tests.e2e.house import House, children, handle_of, opened

COUNT = 15_000
TRIES = 8
PACKET_MS = 20.0


async def open_streams(house: House, count: int = COUNT) -> list[Figure]:
    (web,) = children(house)["web"]
    (media,) = children(house)["media"]
    async with (
        live_room(house, "ada", "bob") as (room_id, (ada, bob)),
        peer(ada, room_id, "whip") as speaker,
        peer(bob, room_id, "whep") as listener,
    ):
        talking = asyncio.create_task(talk(speaker))
        handle = await handle_of(bob)
        floor, hand = f"/api/rooms/{room_id}/floor/{handle}", f"/api/rooms/{room_id}/hands/me"
        before = _rss_kb(web)
        began = time.monotonic()
        async with _pages(house.http_port, room_id, count) as pages:
            assert pages.stdout is not None
            assert await pages.stdout.readline() == b"open\n"
            opening_s = time.monotonic() - began
            each_kb = (_rss_kb(web) - before) / count
            late_before = late_ticks(house.origin)
            await asyncio.sleep(0.5)  # to say its figures keeps a media process busy for some milliseconds
            first = len(listener.arrivals)
            web_cpu, media_cpu = _cpu_s(web), _cpu_s(media)
            with _bare_ticker() as bare:
                waits = []
                for _ in range(TRIES):
                    await bob.call("PUT", hand)
                    await asyncio.sleep(1.0)
                    asked = time.monotonic()
                    await ada.call("PUT", floor)
                    got = json.loads(await asyncio.wait_for(pages.stdout.readline(), 60))
                    waits.append([(at - asked) * 1000 for at in got])
                    await ada.call("DELETE", floor)
                    await asyncio.sleep(1.0)
            web_cpu, media_cpu = _cpu_s(web) - web_cpu, _cpu_s(media) - media_cpu
            arrivals = [arrival.at for arrival in listener.arrivals[first:]]
            late = worst_since(late_before, late_ticks(house.origin))
        talking.cancel()
    gaps = [(b - a) * 1000 - PACKET_MS for a, b in pairwise(arrivals)]
    everyone = [wait for one in waits for wait in one]
    lasts = [max(one) for one in waits]
    about = f"{count} streams, opened in {opening_s:.1f} s ({count / opening_s:.0f}/s)"
    cpu = f"CPU of web {web_cpu:.1f} s and media {media_cpu:.1f} s meanwhile"
    return [
        Figure(
            "floor change seen by the last of all pages, worst", max(lasts), "ms", 1000, spread(lasts, "ms")
        ),
        Figure(
            "floor change seen by a page, p99", quantile(everyone, 0.99), "ms", 1000, spread(everyone, "ms")
        ),
        Figure(
            "a listener's packets meanwhile, the worst later than even", max(gaps), "ms", bare[0] + 5,
            f"{spread(gaps, 'ms')}; bare ticker: worst {bare[0]:.1f}, p99.9 {bare[1]:.1f} ms; "
            f"media ticks at most {late:.0f} ms late, with the reading of that figure itself",
        ),
        Figure("web process's memory for a stream", each_kb, "KB", 16, f"{about}; {cpu}"),
    ]  # fmt: skip


@contextlib.asynccontextmanager
async def _pages(port: int, room_id: str, count: int) -> AsyncIterator[Process]:
    arguments = (sys.executable, "-m", "bench.pages", str(port), room_id, str(count))
    process = await asyncio.create_subprocess_exec(*arguments, stdout=PIPE, limit=1 << 24)
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


class _bare_ticker(contextlib.AbstractContextManager[list[float]]):  # noqa: N801
    """A process that does nothing but wake every 20 ms: [worst, p99.9] lateness in ms when it has ended."""

    def __enter__(self) -> list[float]:
        spawn = multiprocessing.get_context("spawn")
        self._stop = spawn.Value("i", 0)
        self._ours, theirs = spawn.Pipe()
        self._process = spawn.Process(target=_tick, args=(self._stop, theirs), daemon=True)
        self._process.start()
        self._found: list[float] = []
        return self._found

    def __exit__(self, *_: object) -> None:
        self._stop.value = 1
        self._found += self._ours.recv()
        self._process.join()


def _tick(stop: Synchronized[int], out: Any) -> None:
    late, due = [], time.monotonic() + 0.5
    while not stop.value:
        time.sleep(max(0.0, due - time.monotonic()))
        late.append((time.monotonic() - due) * 1000)
        due = max(due + 0.02, time.monotonic())
    out.send([max(late), quantile(late, 0.999)])


def _rss_kb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return float(next(line.split()[1] for line in lines if line.startswith("VmRSS")))


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    print(describe(), flush=True)
    with tempfile.TemporaryDirectory(prefix="parola-bench-") as folder, opened(House(Path(folder))) as house:
        figures = asyncio.run(open_streams(house, count))
    for figure in figures:
        print(f"  {figure.line()}")
    print()
    print(table(figures))


if __name__ == "__main__":
    main()
