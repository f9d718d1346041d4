"""What a run of the bench was asked for; every scenario has its own answer where nothing was said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

from bench.listeners.parola import Parola
from bench.listeners.peers import SERVERS
from bench.listeners.report import Turns
from bench.listeners.runs import Plan, Run, measure
from bench.listeners.signalling import NotRun, Server

PAROLA: dict[str, Callable[[], Server]] = {
    "parola": Parola,
    **{f"parola-{ms}": partial(Parola, ms) for ms in (20, 40, 60, 80, 100, 120)},
}


@dataclass(frozen=True, slots=True)
class Options:
    """None: as the scenario sees fit. `large`: the listeners of `compare` where Parola chooses its packet time."""

    listeners: int | None = None
    seconds: float | None = None
    rounds: int | None = None
    settle_s: float | None = None
    speakers: int | None = None
    servers: tuple[str, ...] | None = None
    large: int | None = None

    def or_else(
        self, listeners: int = 400, seconds: float = 10.0, rounds: int = 3, settle_s: float = 11.0
    ) -> Self:
        """Every gap filled, but for speakers and servers."""
        return replace(
            self,
            listeners=self.listeners or listeners,
            seconds=self.seconds or seconds,
            rounds=self.rounds or rounds,
            settle_s=settle_s if self.settle_s is None else self.settle_s,
        )

    def plan(self, speakers: int = 1) -> Plan:
        assert self.listeners is not None
        assert self.seconds is not None
        assert self.settle_s is not None
        return Plan(self.listeners, speakers, self.seconds, self.settle_s, calm=min(100, self.listeners // 2))


def server(name: str) -> Server:
    """Raises KeyError for a name that nobody has."""
    return {**PAROLA, **SERVERS}[name]()


def known(names: Sequence[str]) -> tuple[str, ...]:
    """Those that there are."""
    return tuple(name for name in names if name in PAROLA or name in SERVERS)


async def in_turns(names: Sequence[str], plan: Callable[[str], Plan], rounds: int) -> Turns:
    """A B C A B C: what drifts on the machine drifts for all of them. `plan` of each."""
    turns = Turns()
    labels: dict[str, str] = {}
    for number in range(rounds):
        for name in names:
            tested = server(name)
            if labels.get(name, "") in turns.not_run:
                continue
            labels[name] = tested.name
            try:
                run = await measure(tested, plan(name))
            except NotRun as why:
                turns.not_run[tested.name] = str(why)
                continue
            turns.notes[tested.name] = getattr(tested, "note", "")
            turns.runs.setdefault(tested.name, []).append(run)
            print(f"  {number + 1}/{rounds} {line(run)}", flush=True)
    return turns


def line(run: Run) -> str:
    """For whoever watches."""
    heard = run.listened.heard.delivered
    return (
        f"{run.server}: {run.joined} listeners, {run.us_per_packet:.1f} µs a packet, "
        f"{run.us_per_listener_second:.0f} µs a listener-second, loss {heard.loss:.3%}, "
        f"packets of {heard.packet_ms:.0f} ms, {run.kb_per_listener:.1f} KB a listener, "
        f"{run.joins_per_second:.0f} joins/s, late p99.9 {run.late_p999_ms:.1f} ms"
    )
