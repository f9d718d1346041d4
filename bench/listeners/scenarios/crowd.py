"""One room, as many listeners as there are places for: what it costs and what ends it."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections import Counter
from functools import partial

from bench.figures import Figure, quantile
from bench.figures import spread as spread_of
from bench.listeners.crowd import gathered
from bench.listeners.parola import Parola
from bench.listeners.plot import number
from bench.listeners.report import Section, Turns, comparison
from bench.listeners.runs import Run, listen, measure, started, waits_ms
from bench.listeners.scenarios.options import Options, line
from bench.listeners.stage import talking

_CROWD = 10_000
_SETTLE_S = 20.0
"""Packets are 120 ms long 15 s after they began to grow."""
_SMALL, _LARGE = 1000, 4000
_CALM, _FLASH, _FLASH_S = 300, 2000, 10.0


async def crowd(options: Options) -> list[Section]:
    """Parola chooses the length of its packets."""
    plan = options.or_else(listeners=_CROWD, settle_s=_SETTLE_S, seconds=20.0).plan()
    run = await measure(Parola(), plan)
    print(f"  {line(run)}", flush=True)
    heard = run.listened.heard.delivered
    note = (
        f"packets of {heard.packet_ms:.0f} ms, {run.us_per_listener_second:.0f} µs a listener-second, "
        f"{number(run.kb_per_listener)} KB a listener; {_end_of(run)}"
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
    """Resident, all processes together, over what they had before the first listener; 30 s after the last one came."""
    sizes = (options.listeners,) if options.listeners else (_SMALL, _LARGE)
    turns, figures = Turns(), []
    for make in (Parola, partial(Parola, 20)):
        found: list[Run] = []
        for listeners in sizes:
            plan = options.or_else(listeners=listeners, settle_s=_SETTLE_S).plan()
            runs = [await measure(make(), plan) for _ in range(options.rounds or 1)]
            print(f"  {line(runs[-1])}", flush=True)
            turns.runs[f"{runs[0].server}, {listeners:,}"] = runs
            found.append(runs[-1])
            figures.append(_memory_figure(runs, found[0]))
    return [Section("Memory", comparison(turns), figures)]


def _memory_figure(runs: list[Run], fewest: Run) -> Figure:
    last, each = runs[-1], [run.kb_per_listener for run in runs]
    note = spread_of(each, "KB")
    if last.joined > fewest.joined:
        more = (last.full_kb - fewest.full_kb) / (last.joined - fewest.joined)
        note += f"; each that came on top of {fewest.joined:,}: {number(more)} KB"
    name = f"memory for each listener, {last.server}, {last.joined:,} listeners"
    return Figure(name, statistics.median(each), "KB", 24, note)


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


def _end_of(run: Run) -> str:
    """What kept the others out."""
    why = Counter(failure[:100] for failure in run.failures).most_common(3)
    return "; ".join(f"{count} times: {failure}" for failure, count in why) or "nobody was kept out"


def _turns(runs: list[Run]) -> Turns:
    """Each in a row of its own."""
    return Turns({f"{run.server}, {run.joined:,}": [run] for run in runs})
