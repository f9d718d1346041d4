"""What a core can send at all, and how near Parola comes: the same packets, batch, cipher and receiver, in turns."""

from __future__ import annotations

from bench.listeners import bare
from bench.listeners.crowd import gathered
from bench.listeners.parola import MediaAlone
from bench.listeners.plot import Bar, Chart
from bench.listeners.report import Section, ratio_figure, spread
from bench.listeners.runs import Run, measure
from bench.listeners.scenarios.options import Options, line
from bench.listeners.signalling import NotRun

_LISTENERS = 3000
_AROUND_BYTES = 12 + 16
"""RTP header and tag."""
_C, _SENDER, _PROCESS = "C program", "Parola's sender", "Parola's media process"


async def limit(options: Options) -> list[Section]:
    chosen = options.or_else(listeners=_LISTENERS)
    plan = chosen.plan()
    found: dict[str, list[float]] = {_C: [], _SENDER: [], _PROCESS: []}
    not_run: dict[str, str] = {}
    for _ in range(chosen.rounds or 1):
        run = await measure(MediaAlone(20), plan)
        found[_PROCESS].append(run.us_per_packet)
        print(f"  {line(run)}", flush=True)
        size = _payload_bytes(run)
        async with gathered(plan.listeners, 1, 20) as crowd:
            for name, program in ((_C, bare.c_program), (_SENDER, bare.sender)):
                try:
                    sent = await program(crowd, plan.listeners, size, plan.seconds)
                except NotRun as why:
                    not_run[name] = f"not run: {why}"
                    continue
                found[name].append(sent.us_per_packet)
                came = sent.received / sent.packets
                print(
                    f"  {name}: {sent.us_per_packet:.2f} µs a packet of {size} bytes, {came:.2%} came",
                    flush=True,
                )
    return [_section(plan.listeners, found, not_run)]


def _section(listeners: int, found: dict[str, list[float]], not_run: dict[str, str]) -> Section:
    rows = [f"{listeners:,} destinations, one packet each in 20 ms.\n", "| | µs a packet |", "|---|---|"]
    rows += [f"| {name} | {not_run[name] if name in not_run else spread(us)} |" for name, us in found.items()]
    figures = [
        figure
        for name, least in ((_SENDER, 90), (_PROCESS, 80))
        for figure in ratio_figure(
            f"packets a core at 20 ms: {name} / the C program, %",
            [100 * c / ours for c, ours in zip(found[_C], found[name], strict=False)],
            least,
            "%",
        )
    ]
    bars = [Bar(name, us, "limit" if name == _C else "ours") for name, us in found.items()]
    chart = Chart("Processor time for each packet, and the least that there is", "µs", bars)
    return Section("How near to the limit", "\n".join(rows), figures, [chart])


def _payload_bytes(run: Run) -> int:
    """As long as the process's own packets were: the others' are to cost as much on their way."""
    heard = run.listened.heard.delivered
    return round(heard.octets / max(1, heard.packets)) - _AROUND_BYTES
