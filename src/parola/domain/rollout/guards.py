"""Guards: figures of a trial that warn, or stop its next step by themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from parola.domain.errors import FieldError


@dataclass(frozen=True, slots=True)
class Measured:
    """What one stage of a trial showed. Rates are None while nothing was there to divide by."""

    rooms: int = 0
    listeners: int = 0
    listening_minutes: float = 0.0
    removals: int = 0
    reports: int = 0
    joins: int = 0
    failed_joins: int = 0
    first_sound_ms: float | None = None
    """From the join's answer to the first packet that was heard, p95."""
    returned: float | None = None
    """The part of the listeners who came to a room again within a week."""
    liked: float | None = None
    """The part of the answers that said yes to "Was it good to be here?"."""

    @property
    def reports_per_1000_hours(self) -> float | None:
        return _rate(self.reports, self.listening_minutes / 60_000)

    @property
    def removals_per_1000_hours(self) -> float | None:
        return _rate(self.removals, self.listening_minutes / 60_000)

    @property
    def failed_join_part(self) -> float | None:
        return _rate(self.failed_joins, self.joins)


FIGURES = (
    "reports_per_1000_hours",
    "removals_per_1000_hours",
    "failed_join_part",
    "first_sound_ms",
    "returned",
    "liked",
)
"""What a guard may watch."""


@dataclass(frozen=True, slots=True)
class Guard:
    """Trips when its figure is beyond `bound`, which is the most of it or the least. `enough`: it says nothing before
    so many listening minutes."""

    figure: str
    bound: float
    side: Literal["most", "least"] = "most"
    action: Literal["warn", "stop"] = "stop"
    enough: float = 60.0

    def to_json(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}


@dataclass(frozen=True, slots=True)
class Breach:
    guard: Guard
    measured: float

    @property
    def stops(self) -> bool:
        return self.guard.action == "stop"


def judge(guards: Iterable[Guard], measured: Measured) -> list[Breach]:
    """The guards that trip."""
    found = []
    for guard in guards:
        value = getattr(measured, guard.figure)
        if value is None or measured.listening_minutes < guard.enough:
            continue
        if value > guard.bound if guard.side == "most" else value < guard.bound:
            found.append(Breach(guard, float(value)))
    return found


def parse_guards(given: object, faults: list[FieldError]) -> tuple[Guard, ...]:
    """What is not acceptable is added to `faults`."""
    if not isinstance(given, list) or len(given) > 20:
        faults.append(FieldError("guards", "A list of at most 20 is wanted here."))
        return ()
    found = []
    for number, one in enumerate(given):
        guard = _guard(one)
        if guard is None:
            words = (
                f"A guard has a figure ({', '.join(FIGURES)}), a bound, a side (most, least) and an action."
            )
            faults.append(FieldError(f"guards.{number}", words))
        else:
            found.append(guard)
    return tuple(found)


def _guard(given: object) -> Guard | None:
    if not isinstance(given, Mapping) or set(given) - {f.name for f in fields(Guard)}:
        return None
    numbers = [given.get("bound"), given.get("enough", 60.0)]
    if any(isinstance(n, bool) or not isinstance(n, int | float) or n < 0 for n in numbers):
        return None
    sides, actions = ("most", "least"), ("warn", "stop")
    if given.get("figure") not in FIGURES or given.get("side", "most") not in sides:
        return None
    if given.get("action", "stop") not in actions:
        return None
    return Guard(**given)


def _rate(count: float, by: float) -> float | None:
    return count / by if by else None
