"""Parola beside its peers: the same speakers, the same listeners, the same counting, one after the other in turns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bench.figures import Figure
from bench.listeners.plot import Chart
from bench.listeners.report import Section, Turns, bars, comparison, ratio_figure
from bench.listeners.runs import Plan, Run
from bench.listeners.scenarios.options import Options, in_turns, known

_ONE = ("parola-20", "parola", "livekit-tuned", "livekit", "janus-tuned", "janus", "icecast")
_TEN = ("parola-20", "parola", "livekit-tuned")
_FREE = "parola"
_CROWDS = {"parola-20": 3000, "janus": 300, "janus-tuned": 500}
_CROWD = 500
_CROWDS_OF_TEN = {"parola-20": 3000}
_CROWD_OF_TEN = 50
"""Each with about as many listeners as it serves without loss on a core, beside the generator on the other one: how
many that are is the question, and what a server spends on other things counts by what it is for so many. Who
forwards sends ten times as much for ten speakers."""
_LARGE = 10_000
"""For Parola where it chooses its packet time: it chooses the longest in a large room, and this is one."""


async def compare(options: Options) -> list[Section]:
    """One speaker, then ten of them; `--speakers` chooses one of both."""
    sections = []
    rounds = options.or_else().rounds or 1
    if options.speakers in (None, 1):
        turns = await in_turns(options.servers or known(_ONE), _plan(options, 1, _CROWDS, _CROWD), rounds)
        sections.append(_section("One speaker", turns, _one_speaker(turns)))
    if options.speakers is None or options.speakers > 1:
        speakers = options.speakers or 10
        plan = _plan(options, speakers, _CROWDS_OF_TEN, _CROWD_OF_TEN)
        turns = await in_turns(options.servers or known(_TEN), plan, rounds)
        title = f"{speakers} speakers at once, everybody hears all of them"
        sections.append(_section(title, turns, _ten_speakers(turns)))
    return sections


def _plan(options: Options, speakers: int, crowds: dict[str, int], crowd: int) -> Callable[[str], Plan]:
    def plan(name: str) -> Plan:
        if name == _FREE:
            large = options.large or options.listeners or _LARGE
            return replace(options, listeners=large).or_else().plan(speakers)
        return options.or_else(listeners=crowds.get(name, crowd)).plan(speakers)

    return plan


def _section(title: str, turns: Turns, figures: list[Figure]) -> Section:
    charts = [
        Chart(f"{title}: processor time for each listener", "µs a second", bars(turns, _listener_second)),
        Chart(f"{title}: processor time for each packet", "µs", bars(turns, _packet)),
        Chart(f"{title}: memory for each listener", "KB", bars(turns, lambda run: run.kb_per_listener)),
    ]
    return Section(title, comparison(turns), figures, charts)


def _one_speaker(turns: Turns) -> list[Figure]:
    name = "listeners a core, one speaker: "
    return [
        *ratio_figure(name + "Parola at 20 ms / LiveKit tuned", _ratio(turns, "Parola, 20 ms", "tuned"), 3.5),
        *ratio_figure(name + "Parola at 20 ms / LiveKit", _ratio(turns, "Parola, 20 ms", "default"), 5),
        *ratio_figure(name + "Parola free / LiveKit tuned", _ratio(turns, "Parola", "tuned"), 15),
    ]


def _ten_speakers(turns: Turns) -> list[Figure]:
    name = "listeners a core, ten speakers: "
    return [
        *ratio_figure(name + "Parola at 20 ms / LiveKit tuned", _ratio(turns, "Parola, 20 ms", "tuned"), 20),
        *ratio_figure(name + "Parola free / LiveKit tuned", _ratio(turns, "Parola", "tuned"), 100),
    ]


def _ratio(turns: Turns, ours: str, theirs: str) -> list[float]:
    """`theirs`: tuned or default, of LiveKit."""
    for name in turns.runs:
        if "LiveKit" in name and ("tuned" in name) == (theirs == "tuned"):
            return turns.ratio(ours, name, lambda run: run.per_core)
    return []


def _listener_second(run: Run) -> float:
    return run.us_per_listener_second


def _packet(run: Run) -> float:
    return run.us_per_packet
