"""Twenty thousand people come and go within ten minutes, and nothing of them may stay."""

from __future__ import annotations

import asyncio
import contextlib
import os
import statistics
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.figures import Figure, quantile, spread
from bench.peer import RawPeer
from bench.scene import live_room, peer, talk
from fire.neighbour import neighbour
from parola.client.api import Api, ProtocolError
from tests.e2e.house import House, children, opened

JOINS = 20_000
SECONDS = 600.0
SETTLED_S = 120.0
STAYS_S = 1.0
AT_ONCE = 100
_LOOK_EVERY_S = 2.0


async def soak(folder: Path, joins: int = JOINS, seconds: float = SECONDS) -> list[Figure]:
    """Joins evenly spread over the time; everyone hears the program, stays a second, and leaves in good order, but for
    every tenth, who just goes away."""
    settled_s = SETTLED_S * seconds / SECONDS
    with opened(House(folder)) as house:
        async with (
            live_room(house, "ada", "carla") as (room_id, (ada, carla)),
            peer(ada, room_id, "whip") as mouth,
        ):
            talking = asyncio.create_task(talk(mouth))
            await _fill_the_pool(carla, room_id)
            async with neighbour(house.origin) as near:
                crowd = _Crowd(carla, room_id)
                watch = _Watch(house)
                watching = asyncio.create_task(watch.run())
                await crowd.come(joins, seconds)
                watching.cancel()
                heard = await near.end()
            talking.cancel()
    figures = [
        Figure(
            "soak: joins that failed", float(len(crowd.failed)), "", 0.0, f"of {joins}; {crowd.failed[:3]}"
        ),
        Figure(
            "soak: join to first packet, p95",
            quantile(crowd.seconds, 0.95),
            "s",
            1.0,
            spread(crowd.seconds, "s"),
        ),
        heard.figure("soak"),
    ]
    for name, samples in watch.samples.items():
        early = [s for s in samples if settled_s <= s.at < settled_s + max(60.0, 0.2 * seconds)]
        late = [s for s in samples if s.at >= seconds - max(60.0, 0.2 * seconds)]
        rss = [statistics.median(s.rss_mb for s in part) for part in (early, late)]
        fds = [min(s.descriptors for s in part) for part in (early, late)]
        figures += [
            Figure(
                f"soak: memory of {name} at the end over that after two minutes", 100 * (rss[1] / rss[0] - 1), "%",
                5.0, f"{rss[0]:.1f} to {rss[1]:.1f} MB, medians of a minute",
            ),
            Figure(
                f"soak: descriptors of {name} more at the end than after two minutes", float(fds[1] - fds[0]), "", 2.0,
                f"{fds[0]} to {fds[1]}, lowest of a minute, at most {max(s.descriptors for s in samples)}",
            ),
        ]  # fmt: skip
    return figures


class _Crowd:
    def __init__(self, api: Api, room_id: str) -> None:
        self.seconds: list[float] = []
        self.failed: list[str] = []
        self._api = api
        self._room_id = room_id

    async def come(self, joins: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        begin, visits = loop.time(), set[asyncio.Task[None]]()
        for n in range(joins):
            await asyncio.sleep(max(0.0, begin + n * seconds / joins - loop.time()))
            visit = asyncio.create_task(self._visit(polite=n % 10 != 0))
            visits.add(visit)
            visit.add_done_callback(visits.discard)
        await asyncio.gather(*visits)

    async def _visit(self, polite: bool) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(10):
                ear = await RawPeer.connect(self._api, self._room_id, "whep")
                with contextlib.closing(ear):
                    first = asyncio.Event()
                    ear.on_arrival = lambda arrival: first.set()
                    await first.wait()
                    self.seconds.append(loop.time() - began)
                    await asyncio.sleep(STAYS_S)
                    if polite:
                        await self._api.hang_up(ear.location)
        except (ProtocolError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self.failed.append(f"{type(error).__name__} {error}"[:80])


async def _fill_the_pool(api: Api, room_id: str) -> None:
    """The database's connections are opened as calls first meet one another, and then kept: that is done before it is
    looked whether descriptors become more."""
    for _ in range(5):
        await asyncio.gather(*(api.call("GET", f"/api/rooms/{room_id}") for _ in range(AT_ONCE)))


@dataclass(frozen=True, slots=True)
class _Sample:
    at: float
    rss_mb: float
    descriptors: int


@dataclass
class _Watch:
    house: House
    samples: dict[str, list[_Sample]] = field(default_factory=dict)

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        while True:
            for name, pid in self._processes():
                status = Path(f"/proc/{pid}/status").read_text()
                rss = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("VmRSS"))
                descriptors = len(os.listdir(f"/proc/{pid}/fd")) - _visited(self.house.http_port, pid)
                self.samples.setdefault(name, []).append(
                    _Sample(loop.time() - begin, rss / 1024, descriptors)
                )
            await asyncio.sleep(_LOOK_EVERY_S)

    def _processes(self) -> Iterator[tuple[str, int]]:
        below = children(self.house)
        yield "the media process", below["media"][0]
        yield "the web process", below["web"][0]


def _visited(port: int, pid: int) -> int:
    """Connections of HTTP clients: how many they keep open is their affair, and more whenever the machine stood still
    (proc_pid_net(5): local address, state 01 is established, inode)."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) == port and fields[3] == "01":
                inodes.add(f"socket:[{fields[9]}]")
    found = 0
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.readlink(descriptor) in inodes
    return found
