"""One room, as many listeners as there are places for: what it costs and what ends it."""

from __future__ import annotations

import asyncio
import math
import time

from bench.figures import Figure, quantile
from bench.figures import spread as spread_of
from bench.listeners.crowd import gathered
from bench.listeners.parola import Parola
from bench.listeners.plot import number
from bench.listeners.report import Section, Turns, comparison
from bench.listeners.runs import Run, listen, measure, started, waits_ms
from bench.listeners.scenarios.options import Options, line
from bench.listeners.stage import talking
from bench.ticks import late_ticks, load, share_since

_CROWD = 10_000
_SETTLE_S = 20.0
"""Packets are 120 ms long 15 s after they began to grow."""
_SMALL, _LARGE = 1000, 4000
_NEARLY_FULL = 3600
"""About 80 % of what one sender thread does in 20 ms on the machine of the measurements."""
_CALM, _FLASH, _FLASH_S = 300, 2000, 10.0


async def crowd(options: Options) -> list[Section]:
    """Parola chooses the length of its packets."""
    plan = options.or_else(listeners=_CROWD, settle_s=_SETTLE_S, seconds=20.0).plan()
    run = await measure(Parola(), plan)
    print(f"  {line(run)}", flush=True)
    heard = run.listened.heard.delivered
    ended = f"ended by: {run.failures[0][:160]}" if run.failures else "nothing ended it"
    note = (
        f"packets of {heard.packet_ms:.0f} ms, {run.us_per_listener_second:.0f} µs a listener-second, {ended}"
    )
    figures = [
        Figure(
            "one room: listeners who hear it",
            float(run.joined),
            "",
            float(plan.listeners),
            note,
            at_least=True,
        ),
        Figure("one room: loss", heard.loss * 100, "%", 0.1, f"late p99.9 {number(run.late_p999_ms)} ms"),
    ]
    return [Section(f"{plan.listeners:,} listeners in one room", comparison(_turns([run])), figures)]


async def memory(options: Options) -> list[Section]:
    """Resident, all processes together, over what they had before the first listener."""
    runs = []
    for listeners in (options.listeners,) if options.listeners else (_SMALL, _LARGE):
        plan = options.or_else(listeners=listeners, settle_s=_SETTLE_S).plan()
        runs.append(await measure(Parola(), plan))
        print(f"  {line(runs[-1])}", flush=True)
    last = runs[-1]
    note = ", ".join(f"{run.joined:,}: {number(run.kb_per_listener)} KB" for run in runs)
    if len(runs) > 1:
        more = (last.full_kb - runs[0].full_kb) / (last.joined - runs[0].joined)
        note += f"; each of those that came on top: {number(more)} KB"
    figure = Figure("memory for each listener", last.kb_per_listener, "KB", 24, note)
    return [Section("Memory", comparison(_turns(runs)), [figure])]


async def load80(options: Options) -> list[Section]:
    """How late ticks come in a process that is nearly full, beside those of a process that does nothing else."""
    plan = options.or_else(listeners=_NEARLY_FULL, seconds=30.0, settle_s=5.0).plan()
    server = Parola(20)
    async with started(server):
        room = await server.room(1)
        way = room.listening()
        async with talking((room, 1)), gathered(plan.listeners, 1, 20) as crowd:
            await crowd.join([way] * plan.listeners, 120.0, 16)
            await asyncio.sleep(plan.settle_s)
            before = late_ticks(server.house.origin)
            listened = await listen(crowd, server, plan.seconds, 1)
            full = load(server.house.origin)
            late = share_since(before, late_ticks(server.house.origin), 0.999)
            await way.close()
        await room.close()
    heard, bare = listened.heard.delivered, listened.ticker
    note = (
        f"{heard.listeners} listeners at 20 ms, load {full:.2f}, loss {heard.loss:.3%}; "
        f"ticks {number(late)} ms (its bucket's bound), the bare ticker {number(bare.p999)} ms"
    )
    print(f"  {note}", flush=True)
    figure = Figure("tick lateness p99.9 nearly full, above a bare ticker's", late - bare.p999, "ms", 5, note)
    return [Section("Nearly full", f"- {note}", [figure])]


async def flash(options: Options) -> list[Section]:
    """Two thousand come within ten seconds to a room that others are listening to."""
    come = options.listeners or _FLASH
    server = Parola()
    async with started(server):
        room = await server.room(1)
        way = room.listening()
        async with talking((room, 1)), gathered(_CALM + come, 1, 120) as crowd:
            calm = await crowd.join([way] * _CALM, 25.0)
            await asyncio.sleep(11.0)
            listening = asyncio.create_task(listen(crowd, server, _FLASH_S + 3, 1, calm))
            await asyncio.sleep(1.0)
            begin = time.monotonic()
            joins = await crowd.join([way] * come, come / _FLASH_S, 512)
            took = time.monotonic() - begin
            listened = await listening
            await crowd.first_packets()
            await way.close()
        await room.close()
    waits = waits_ms(joins)
    heard = listened.heard.delivered
    there = sum(1 for wait in waits if math.isfinite(wait))
    note = f"of {come} in {took:.1f} s; {next((j.failure for j in joins if j.failure), 'nobody was refused')}"
    print(f"  {there} {note}; first packet p95 {number(quantile(waits, 0.95))} ms", flush=True)
    figures = [
        Figure("flash crowd: all are in", float(there), "", float(come), note[:200], at_least=True),
        Figure("flash crowd: first packet, p95", quantile(waits, 0.95) / 1000, "s", 1, spread_of(waits, "ms")),
        Figure(
            "flash crowd: loss for those who were there", heard.loss * 100, "%", 0.1,
            f"{heard.listeners} of them, late p50/p99/p99.9/most {' / '.join(map(number, heard.late_ms))} ms",
        ),
    ]  # fmt: skip
    return [Section("A flash crowd", "\n".join(f"- {f.line()}" for f in figures), figures)]


def _turns(runs: list[Run]) -> Turns:
    """Each in a row of its own."""
    return Turns({f"{run.server}, {run.joined:,}": [run] for run in runs})
