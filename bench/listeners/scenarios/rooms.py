"""Many rooms at once, most of them silent."""

from __future__ import annotations

import asyncio
import contextlib

from bench.figures import Figure
from bench.listeners.crowd import gathered
from bench.listeners.parola import MediaAlone
from bench.listeners.plot import number
from bench.listeners.reckoning import Delivered
from bench.listeners.report import Section
from bench.listeners.runs import listen, started
from bench.listeners.scenarios.options import Options
from bench.listeners.stage import talking
from bench.ticks import late_ticks, share_since, worst_since

_ROOMS, _TALKING, _LISTENERS = 1000, 30, 5
_MEDIA_PROCESSES = 2
_HOSTS = 10
_READ_S = 0.5
"""To say its figures keeps a process busy for some milliseconds, which are not to be measured."""


async def rooms(options: Options) -> list[Section]:
    """A thousand live rooms on one machine; in thirty of them somebody talks and five listen."""
    seconds = options.or_else(seconds=20.0).seconds or 0.0
    server = MediaAlone(None, _MEDIA_PROCESSES)
    async with started(server), contextlib.AsyncExitStack() as stack:
        opened = [await server.room(1) for _ in range(_TALKING)]
        for room in opened:
            stack.push_async_callback(room.close)
        hosts = [
            await stack.enter_async_context(await server.house.person(f"host{n}")) for n in range(_HOSTS)
        ]
        for n in range(_ROOMS - _TALKING):
            await hosts[n % _HOSTS].call("POST", "/api/rooms", {"title": f"Silent {n}"})
        ways = [room.listening() for room in opened]
        for way in ways:
            stack.push_async_callback(way.close)
        async with talking(*((room, 1) for room in opened)), gathered(_TALKING * _LISTENERS, 1, 20) as crowd:
            await crowd.join([way for way in ways for _ in range(_LISTENERS)], 25.0)
            await asyncio.sleep(11.0)
            before = late_ticks(server.house.origin)
            await asyncio.sleep(_READ_S)
            listened = await listen(crowd, server, seconds, 1)
            after = late_ticks(server.house.origin)
    heard, bare = listened.heard.delivered, listened.ticker
    latest = latest_tick_ms(worst_since(before, after), heard)
    core = listened.usage.charged_s / listened.seconds
    note = (
        f"{_MEDIA_PROCESSES} media processes take {100 * core:.0f} % of a core; loss {heard.loss:.3%}; ticks p99.9 "
        f"{number(share_since(before, after, 0.999))} (its bucket's bound), latest {number(latest)} ms late; the bare "
        f"ticker p99.9 {number(bare.p999)}, worst {number(bare.most)} ms"
    )
    print(f"  {note}", flush=True)
    figures = [
        Figure(
            f"{_ROOMS:,} rooms, {_TALKING} talking: latest tick (max), above the bare ticker's worst",
            latest - bare.most, "ms", 5, note,
        ),
        Figure(
            "talking rooms with five listeners that a core holds", _TALKING / core, "", _TALKING / 2,
            "mixed; two cores for thirty of them", at_least=True,
        ),
    ]  # fmt: skip
    return [Section("Many rooms", f"- {note}", figures)]


def latest_tick_ms(bound_ms: float, heard: Delivered) -> float:
    """How late the latest of all ticks came, at most. The server knows a wide bucket's bound. Every room that ticks
    is heard, so that none was later than the latest packet either, unless one was so late that it was left out."""
    return bound_ms if heard.skipped_ms or heard.missing else min(bound_ms, heard.late_ms[3])
