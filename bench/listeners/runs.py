"""One server measured once: started, filled with listeners, listened to, charged for it."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.listeners.charge import Usage, memory_kb, usage
from bench.listeners.crowd import Crowd, Heard, Join, gathered
from bench.listeners.peers.http_crowd import HttpCrowd, reading
from bench.listeners.sampling import Sample
from bench.listeners.signalling import HttpStream, Room, Server
from bench.listeners.stage import talking
from bench.listeners.ticker import Lateness, ticking


@dataclass(frozen=True, slots=True)
class Plan:
    """`calm` listeners join one after the other, `pace` a second; then the others as fast as they get in, `at_once` at
    a time. They listen for `settle_s` before `seconds` are measured."""

    listeners: int
    speakers: int = 1
    seconds: float = 10.0
    settle_s: float = 11.0
    calm: int = 100
    pace: float = 25.0
    at_once: int = 32


@dataclass(frozen=True, slots=True)
class Burst:
    """Joins as fast as they go; `cpu_s` is what they cost the server."""

    joins: int
    seconds: float
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Listened:
    """What was heard in a time, what it cost, how long it was, and how late a bare ticker was beside it."""

    heard: Heard
    sample: Sample
    usage: Usage
    seconds: float
    ticker: Lateness


@dataclass(frozen=True, slots=True)
class Run:
    """`waits_ms`: from the offer to the first packet, of the calm joins; `idle_kb` and `full_kb`: memory before the
    first listener and at the end."""

    server: str
    plan: Plan
    joined: int
    failures: tuple[str, ...]
    waits_ms: tuple[float, ...]
    burst: Burst
    idle_kb: int
    full_kb: int
    listened: Listened

    @property
    def us_per_packet(self) -> float:
        return self.listened.usage.charged_s / max(1, self.listened.heard.delivered.packets) * 1e6

    @property
    def us_per_listener_second(self) -> float:
        return self.listened.usage.charged_s / max(1, self.joined) / self.listened.seconds * 1e6

    @property
    def per_core(self) -> float:
        """Listeners that one core would serve at this price; none where more than 0.1 % of the sound was missing."""
        return 1e6 / self.us_per_listener_second if self.listened.heard.delivered.loss <= 0.001 else 0.0

    @property
    def kb_per_listener(self) -> float:
        return (self.full_kb - self.idle_kb) / max(1, self.joined)

    @property
    def joins_per_second(self) -> float:
        return self.burst.joins / self.burst.seconds

    @property
    def ms_per_join(self) -> float:
        """Of the server's processor time."""
        return self.burst.cpu_s / max(1, self.burst.joins) * 1000

    @property
    def late_p999_ms(self) -> float:
        return self.listened.heard.delivered.late_ms[2]


@contextlib.asynccontextmanager
async def started(server: Server) -> AsyncIterator[Server]:
    """Raises NotRun."""
    with tempfile.TemporaryDirectory(prefix="parola-bench-") as folder:
        try:
            await server.start(Path(folder))
            yield server
        finally:
            await server.stop()


async def measure(server: Server, plan: Plan) -> Run:
    """Raises NotRun."""
    async with started(server):
        room = await server.room(plan.speakers)
        try:
            async with talking((room, plan.speakers)):
                return await _measure_room(server, room, plan)
        finally:
            await room.close()


async def _measure_room(server: Server, room: Room, plan: Plan) -> Run:
    way: Any = room.listening()
    packet_ms = getattr(server, "packet_ms", 20)
    reads = isinstance(way, HttpStream)
    async with reading(way.url) if reads else gathered(plan.listeners, room.streams, packet_ms) as crowd:
        try:
            await asyncio.sleep(1)
            idle_kb = memory_kb(server.pids())
            calm = await crowd.join([way] * min(plan.calm, plan.listeners), plan.pace)
            await crowd.first_packets()
            rest = plan.listeners - len(calm)
            burst = await burst_of(crowd, server, [way] * rest, plan.at_once)
            await crowd.first_packets()
            await asyncio.sleep(plan.settle_s)
            listened = await listen(crowd, server, plan.seconds, room.streams)
            full_kb = memory_kb(server.pids())
        finally:
            if not reads:
                await way.close()
        return Run(
            server.name, plan, listened.heard.delivered.listeners, failures(crowd), waits_ms(calm), burst,
            idle_kb, full_kb, listened,
        )  # fmt: skip


def failures(crowd: Crowd | HttpCrowd) -> tuple[str, ...]:
    """Of those who did not get in, or were put out again."""
    return tuple(join.failure for join in crowd.joins.values() if join.failure)


def waits_ms(joins: Sequence[Join]) -> tuple[float, ...]:
    """From the offer to the first packet; who never got one counts as infinitely late."""
    return tuple(
        (join.first_packet_at - join.asked_at) / 1e6 if join.first_packet_at else float("inf")
        for join in joins
    )


async def burst_of(crowd: Crowd | HttpCrowd, server: Server, ways: list[Any], at_once: int) -> Burst:
    before, begin = usage(server.pids()), time.monotonic()
    await crowd.join(ways, 100_000.0, at_once)
    seconds = time.monotonic() - begin
    return Burst(len(ways), max(1e-3, seconds), usage(server.pids()).since(before).cpu_s)


async def listen(
    crowd: Crowd | HttpCrowd, server: Server, seconds: float, streams: int, joins: list[Join] | None = None
) -> Listened:
    """All listeners, or those of `joins`, who came one after the other."""
    pids = server.pids()
    async with ticking() as ticker:
        await crowd.begin(joins)
        before, begin = usage(pids), time.monotonic()
        await asyncio.sleep(seconds)
        after, took = usage(pids), time.monotonic() - begin
        heard = await crowd.end(streams)
    return Listened(heard, await crowd.sample(), after.since(before), took, ticker.lateness)
