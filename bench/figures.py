"""A measured figure, with its spread and what it is held against."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """`value` is what counts, in `unit`; `limit` is the most (or, with `at_least`, the least) it may be."""

    name: str
    value: float
    unit: str
    limit: float
    spread: str
    at_least: bool = False

    @property
    def holds(self) -> bool:
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        sign = "≥" if self.at_least else "≤"
        verdict = "holds" if self.holds else "MISSED"
        held = f"{sign} {_number(self.limit)}: {verdict}"
        return f"{self.name}: {_number(self.value)} {self.unit} ({held}; {self.spread})"


def table(figures: Sequence[Figure]) -> str:
    """Markdown."""
    rows = ["| Figure | Measured | Wanted | | Spread |", "|---|---|---|---|---|"]
    for f in figures:
        sign = "≥" if f.at_least else "≤"
        verdict = "holds" if f.holds else "**missed**"
        rows.append(
            f"| {f.name} | {_number(f.value)} {f.unit} | {sign} {_number(f.limit)} {f.unit} | {verdict} | {f.spread} |"
        )
    return "\n".join(rows)


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1e6) * len(ordered) // 1_000_000) - 1))]


def spread(values: Sequence[float], unit: str) -> str:
    middle = statistics.median(values)
    return (
        f"n {len(values)}, min {_number(min(values))}, median {_number(middle)}, "
        f"p95 {_number(quantile(values, 0.95))}, max {_number(max(values))} {unit}"
    )


def _number(value: float) -> str:
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
