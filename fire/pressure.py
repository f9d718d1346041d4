"""More people come than a media process can serve: those who are there hear on, the others are told to come later.

The listeners are real ones, who only do not read what they get: for them to hear would take more of this machine than
to speak to them takes of the server. Packets are of 20 ms, the dearest: with longer ones the process is full only with
more people than one test can bring.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from bench.figures import Figure, quantile, spread
from bench.peer import RawPeer
from fire.neighbour import GAP_LIMIT_MS, neighbour
from parola.client.api import Api, ProtocolError
from tests.e2e.house import House, children, opened, people

JOINS_A_SECOND = 50
MOST = 8000
REFUSED_FOR_S = 8.0
LOSS_LIMIT = 0.001
AGAIN_LIMIT_S = 10.0


async def pressure(folder: Path) -> list[Figure]:
    with _own_core() as cores, opened(House(folder, environment={"PAROLA_PACKET_MS": "20"})) as house:
        (media,) = children(house)["media"]
        for thread in Path(f"/proc/{media}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)
        async with neighbour(house.origin) as music, people(house, "guest") as (guest,), _Crowd() as crowd:
            full_at = await _fill(guest, music.room_id, crowd)
            refused = await _keep_asking(guest, music.room_id, crowd)
            again_s = await _leave_and_wait(guest, music.room_id, crowd)
        heard = music.heard
        assert heard is not None
        return [
            Figure(
                "pressure: largest gap for somebody who listens while the process fills up and refuses",
                heard.largest_gap_ms,
                "ms",
                GAP_LIMIT_MS,
                f"{heard.packets} packets; the instrument itself late by up to {heard.own_lateness_ms:.0f} ms",
            ),
            Figure(
                "pressure: their loss",
                heard.lost / max(1, heard.packets + heard.lost),
                "",
                LOSS_LIMIT,
                f"{heard.lost} of {heard.packets + heard.lost}",
            ),
            Figure(
                "pressure: share of newcomers who are refused with 503 while it is full",
                refused["full"] / max(1, refused.total()),
                "",
                0.9,
                f"{dict(refused)}; full with {full_at} listeners",
                at_least=True,
            ),
            Figure(
                "pressure: the refusal itself",
                quantile(crowd.answers_s or [math.inf], 0.95) * 1000,
                "ms",
                1000,
                spread([s * 1000 for s in crowd.answers_s or [math.inf]], "ms"),
            ),
            Figure(
                "pressure: joins work again after half of the crowd has gone",
                again_s,
                "s",
                AGAIN_LIMIT_S,
                "n 1",
            ),
        ]


@contextlib.contextmanager
def _own_core() -> Iterator[set[int]]:
    """Everything that starts meanwhile keeps off one core, which is for the media process: the crowd must not take from
    it by its own work what it is to take by being there."""
    everywhere = os.sched_getaffinity(0)
    first, *others = sorted(everywhere)
    os.sched_setaffinity(0, others or everywhere)
    try:
        yield {first}
    finally:
        os.sched_setaffinity(0, everywhere)


class _Crowd:
    """Everybody who got in; on the way out they all leave."""

    def __init__(self) -> None:
        self.peers: list[RawPeer] = []
        self.answers_s: list[float] = []

    async def __aenter__(self) -> _Crowd:
        return self

    async def __aexit__(self, *_: object) -> None:
        for peer in self.peers:
            peer.close()

    async def join(self, api: Api, room_id: str) -> str:
        """What came of it: in, or the code of the refusal."""
        began = time.monotonic()
        try:
            peer = await RawPeer.connect(api, room_id, "whep")
        except ProtocolError as error:
            self.answers_s.append(time.monotonic() - began)
            return error.code
        except TimeoutError:
            return "timeout"
        asyncio.get_running_loop().remove_reader(peer.sock.fileno())
        self.peers.append(peer)
        return "in"


@contextlib.asynccontextmanager
async def _paced(a_second: float) -> AsyncIterator[None]:
    began = time.monotonic()
    yield
    await asyncio.sleep(max(0.0, 1 / a_second - (time.monotonic() - began)))


async def _fill(api: Api, room_id: str, crowd: _Crowd) -> int:
    """How many were in when nobody got in any more: a process that hiccups refuses somebody now and then, too."""
    joining: set[asyncio.Task[str]] = set()
    in_a_row = 0
    while len(crowd.peers) < MOST and in_a_row < 2 * JOINS_A_SECOND:
        async with _paced(JOINS_A_SECOND):
            joining.add(asyncio.create_task(crowd.join(api, room_id)))
            for task in [task for task in joining if task.done()]:
                joining.discard(task)
                in_a_row = in_a_row + 1 if task.result() == "full" else 0
    await asyncio.gather(*joining)
    return len(crowd.peers)


async def _keep_asking(api: Api, room_id: str, crowd: _Crowd) -> Counter[str]:
    found: Counter[str] = Counter()
    until = time.monotonic() + REFUSED_FOR_S
    while time.monotonic() < until:
        async with _paced(5):
            found[await crowd.join(api, room_id)] += 1
    return found


async def _leave_and_wait(api: Api, room_id: str, crowd: _Crowd) -> float:
    """Seconds until somebody gets in again."""
    half = len(crowd.peers) // 2
    leaving, crowd.peers = crowd.peers[:half], crowd.peers[half:]
    for at in range(0, half, 20):
        await asyncio.gather(*(_leave(api, peer) for peer in leaving[at : at + 20]))
    began = time.monotonic()
    while await crowd.join(api, room_id) != "in":
        await asyncio.sleep(0.2)
        if time.monotonic() - began > 60:
            break
    return time.monotonic() - began


async def _leave(api: Api, peer: RawPeer) -> None:
    location, sock = peer.location, peer.sock
    peer.close()
    assert sock.fileno() == -1
    await api.hang_up(location)
