"""A media process that is nearly full: whether its ticks still come in time."""

from __future__ import annotations

import asyncio
import time

from bench.figures import Figure
from bench.listeners.charge import first_thread_s
from bench.listeners.crowd import Crowd, gathered
from bench.listeners.parola import Parola, ParolaWay
from bench.listeners.plot import number
from bench.listeners.report import Section
from bench.listeners.runs import listen, started
from bench.listeners.scenarios.options import Options
from bench.listeners.stage import talking
from bench.ticks import late_ticks, sending_s, share_since
from parola.media.load import CPU_IS_FULL, SENDING_IS_FULL

_FULL = 0.8
_MOST = 6000
_CALM_S = 2.0
_WATCHED_S = 4.0
_READ_S = 0.5
"""To say its figures keeps a process busy for some milliseconds, which are not to be measured."""
_NEAR, _WIDE = 0.02, 0.05
"""Listeners, as a part of all, of whom no more are let in; and how far from full is near enough to count."""


async def load80(options: Options) -> list[Section]:
    """How late ticks come at 80 % of the load from which on nobody is let in, beside those of a process that does
    nothing else. `--listeners`: the most that may come to fill it."""
    plan = options.or_else(listeners=_MOST, seconds=30.0, settle_s=5.0).plan()
    server = Parola(20)
    async with started(server):
        room = await server.room(1)
        way = room.listening()
        async with talking((room, 1)), gathered(plan.listeners, room.streams, 20) as crowd:
            meter = _Meter(server)
            await _fill(crowd, way, meter, plan.listeners)
            await asyncio.sleep(plan.settle_s)
            before = late_ticks(server.house.origin)
            meter.take()
            await asyncio.sleep(_READ_S)
            listened = await listen(crowd, server, plan.seconds, room.streams)
            late = share_since(before, late_ticks(server.house.origin), 0.999)
            load = meter.take()
            await way.close()
        await room.close()
    heard, bare = listened.heard.delivered, listened.ticker
    note = (
        f"{heard.listeners} listeners at 20 ms, load {load:.2f}, loss {heard.loss:.3%}; ticks p99.9 {number(late)} ms "
        f"(its bucket's bound), the bare ticker's {number(bare.p999)} ms; packets p50 / p99 / p99.9 "
        f"{' / '.join(map(number, heard.late_ms[:3]))} ms"
    )
    figures = [
        Figure("nearly full: load", load, "", _FULL - _WIDE, f"{heard.listeners} listeners", at_least=True),
        Figure("nearly full: tick lateness p99.9, above a bare ticker's", late - bare.p999, "ms", 5, note),
    ]
    return [Section("Nearly full", f"- {note}", figures)]


async def _fill(crowd: Crowd, way: ParolaWay, meter: _Meter, most: int) -> None:
    """Comes near from below: what a process does without listeners is taken for theirs."""
    there, more = 0, most // 8
    while more > there * _NEAR:
        joins = await crowd.join([way] * more, 120.0, 16)
        there += more
        await asyncio.sleep(_CALM_S)
        meter.take()
        await asyncio.sleep(_WATCHED_S)
        load = meter.take()
        print(f"  {there} listeners: load {load:.2f}", flush=True)
        if any(join.failure for join in joins):
            return
        more = min(most - there, there, round(there * (_FULL / load - 1)))


class _Meter:
    """Load as a media process reckons it for itself; left out is the weight of mere connections, which draws newcomers
    elsewhere and keeps nobody out."""

    def __init__(self, server: Parola) -> None:
        (self._pid,) = server.media_pids()
        self._origin = server.house.origin
        self._before = self._read()

    def take(self) -> float:
        """Since it was last taken."""
        before, self._before = self._before, self._read()
        seconds, loop_s, sent_s = (now - then for now, then in zip(self._before, before, strict=True))
        return max(loop_s / CPU_IS_FULL, sent_s / SENDING_IS_FULL) / seconds

    def _read(self) -> tuple[float, float, float]:
        return time.monotonic(), first_thread_s(self._pid), sending_s(self._origin)
