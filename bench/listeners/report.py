"""What a scenario found, as Markdown and charts: medians with their spread, and why what is missing was not run."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.figures import Figure, quantile, table
from bench.listeners.plot import Bar, Chart, number
from bench.listeners.runs import Run


@dataclass(slots=True)
class Section:
    """`text` is Markdown without a heading."""

    title: str
    text: str
    figures: list[Figure] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)


@dataclass(slots=True)
class Turns:
    """The runs of several servers, in their order; `not_run` says why of those that could not be."""

    runs: dict[str, list[Run]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def of(self, name: str, value: Callable[[Run], float]) -> list[float]:
        return [value(run) for run in self.runs.get(name, [])]

    def ratio(self, ours: str, theirs: str, value: Callable[[Run], float]) -> list[float]:
        """Of the same round each: what drifts from minute to minute drifts for both."""
        pairs = zip(self.of(ours, value), self.of(theirs, value), strict=False)
        return [a / b for a, b in pairs if b > 0]


def markdown(sections: Sequence[Section], machine: str) -> str:
    parts = [machine.strip()]
    for section in sections:
        parts.append(f"## {section.title}\n\n{section.text.strip()}")
    figures = [figure for section in sections for figure in section.figures]
    if figures:
        parts.append(f"## Held against what is wanted\n\n{table(figures)}")
    return "\n\n".join(parts) + "\n"


def comparison(turns: Turns) -> str:
    """One row for each server; medians, with the least and the most in brackets."""
    columns: list[tuple[str, Callable[[list[Run]], str]]] = [
        ("listeners", lambda runs: spread([r.joined for r in runs])),
        ("µs a packet", lambda runs: spread([r.us_per_packet for r in runs])),
        ("µs a listener-second", lambda runs: spread([r.us_per_listener_second for r in runs])),
        ("listeners a core", lambda runs: spread([r.per_core for r in runs])),
        ("KB a listener", lambda runs: spread([r.kb_per_listener for r in runs])),
        ("joins a second", lambda runs: spread([r.joins_per_second for r in runs])),
        ("ms a join", lambda runs: spread([r.ms_per_join for r in runs])),
        ("first packet p50 / p95, ms", _waits),
        ("late p50 / p99 / p99.9, ms", _late),
        ("loss, %", lambda runs: spread([r.listened.heard.delivered.loss * 100 for r in runs])),
        ("packet, ms", lambda runs: spread([r.listened.heard.delivered.packet_ms for r in runs])),
    ]
    rows = ["| | " + " | ".join(name for name, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, runs in turns.runs.items():
        rows.append(f"| {name} | " + " | ".join(cell(runs) for _, cell in columns) + " |")
    for name, why in turns.not_run.items():
        rows.append(f"| {name} | not run: {why} " + "| " * len(columns) + "|")
    notes = [f"- {name}: {note}" for name, note in turns.notes.items() if note]
    return "\n".join([*rows, "", *notes, *_beside(turns)])


def spread(values: Sequence[float]) -> str:
    if not values:
        return "–"
    middle = number(statistics.median(values))
    least, most = number(min(values)), number(max(values))
    return middle if least == most else f"{middle} ({least}–{most})"


def bars(turns: Turns, value: Callable[[Run], float]) -> list[Bar]:
    return [
        Bar(name, turns.of(name, value), "ours" if name.startswith("Parola") else "theirs")
        for name in turns.runs
    ]


def ratio_figure(name: str, ratios: Sequence[float], least: float, unit: str = "×") -> list[Figure]:
    """Held against the least that it should be; nothing where one of the two was not run."""
    if not ratios:
        return []
    note = f"n {len(ratios)}, {number(min(ratios))}–{number(max(ratios))}"
    return [Figure(name, statistics.median(ratios), unit, least, note, at_least=True)]


def _waits(runs: list[Run]) -> str:
    waits = [wait for run in runs for wait in run.waits_ms]
    return f"{number(quantile(waits, 0.5))} / {number(quantile(waits, 0.95))}" if waits else "–"


def _late(runs: list[Run]) -> str:
    columns = zip(*(run.listened.heard.delivered.late_ms for run in runs), strict=True)
    return " / ".join(number(statistics.median(column)) for column in list(columns)[:3])


def _beside(turns: Turns) -> list[str]:
    """What else has to be known of these runs: they count only where these lines are dull."""
    runs = [run for found in turns.runs.values() for run in found]
    if not runs:
        return []
    tickers = [run.listened.ticker for run in runs]
    late = [statistics.median(getattr(t, name) for t in tickers) for name in ("p50", "p99", "p999")]
    heard = [(run.listened.heard, run.listened.seconds) for run in runs]
    softirq = [run.listened.usage.softirq_s / run.listened.seconds * 100 for run in runs]
    lines = [
        "- A bare 20 ms ticker beside them was late by (p50 / p99 / p99.9, worst) "
        f"{' / '.join(map(number, late))}, {number(max(ticker.most for ticker in tickers))} ms.",
        f"- The generator took {spread([h.cpu_s / seconds * 100 for h, seconds in heard])} % of a core, and missed "
        f"{sum(h.overflow for h, _ in heard)} datagrams that found its own buffer full.",
        f"- Softirq took {spread(softirq)} % of a core on the whole machine; what is done of it in a sender's time is "
        "charged to the sender.",
    ]
    for name, found in turns.runs.items():
        lines += _trouble(name, found)
    return lines


def _trouble(name: str, runs: list[Run]) -> list[str]:
    lines = []
    failed = [failure for run in runs for failure in run.failures]
    if failed:
        lines.append(f"- {name}: {len(failed)} did not get in or were put out: {failed[0]}")
    unsound = [run.listened.sample for run in runs if not run.listened.sample.is_sound]
    if unsound:
        lines.append(f"- {name}: the sample is no sound: {unsound[0]}")
    thin = [run.listened.sample.decoded for run in runs if run.listened.sample.decoded < 0.999]
    if thin:
        lines.append(f"- {name}: of the sampled sound {min(thin):.2%} was there")
    stolen = sum(run.listened.usage.stolen_s for run in runs)
    if stolen > 0.02 * sum(run.listened.seconds for run in runs):
        lines.append(f"- {name}: the machine's host took {number(stolen)} s of processor time away")
    return lines
