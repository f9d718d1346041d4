"""Bars with their spread as SVG, drawn by hand: a figure that lies beside a table needs no library."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

_WIDTH, _LEFT, _RIGHT, _BAR, _STEP = 900, 230, 130, 20, 30
_COLOURS = {"ours": "#0b6e4f", "theirs": "#8d99ae", "limit": "#c98a1b"}


@dataclass(frozen=True, slots=True)
class Bar:
    """One server's values, of all rounds. `kind`: ours, theirs, or limit."""

    name: str
    values: Sequence[float]
    kind: str = "theirs"


@dataclass(frozen=True, slots=True)
class Chart:
    """`better`: "less" or "more", for the heading."""

    title: str
    unit: str
    bars: Sequence[Bar]
    better: str = "less"


def svg(charts: Sequence[Chart], note: str) -> str:
    """All charts below one another, with a line of small print."""
    parts: list[str] = []
    y = 20
    for chart in charts:
        drawn = [bar for bar in chart.bars if bar.values and all(map(math.isfinite, bar.values))]
        if not drawn:
            continue
        parts.append(_text(20, y + 16, f"{chart.title} ({chart.unit}; {chart.better} is better)", "title"))
        y += 32
        scale = (_WIDTH - _LEFT - _RIGHT) / (max(max(bar.values) for bar in drawn) or 1)
        for bar in drawn:
            parts += _bar(bar, y, scale)
            y += _STEP
        y += 24
    for line in note.strip().splitlines():
        parts.append(_text(20, y + 10, line, "note"))
        y += 16
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y + 16}" role="img">\n'
        "<style>text{font:14px system-ui,sans-serif;fill:#222}.title{font-weight:600}"
        ".note{font-size:11px;fill:#666}.name{text-anchor:end}</style>\n"
        f'<rect width="100%" height="100%" fill="#fff"/>\n{body}\n</svg>\n'
    )


def number(value: float) -> str:
    """Three digits that count."""
    if not math.isfinite(value):
        return "–"
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _bar(bar: Bar, y: int, scale: float) -> list[str]:
    middle, least, most = statistics.median(bar.values), min(bar.values), max(bar.values)
    centre = y + _BAR / 2
    end = _LEFT + most * scale
    parts = [
        _text(_LEFT - 8, y + 15, bar.name, "name"),
        f'<rect x="{_LEFT}" y="{y}" width="{max(1.0, middle * scale):.1f}" height="{_BAR}" rx="2" '
        f'fill="{_COLOURS[bar.kind]}"/>',
        _text(end + 10, y + 15, number(middle), "value"),
    ]
    if most > least:
        begin = _LEFT + least * scale
        parts.append(
            f'<path d="M{begin:.1f} {centre}H{end:.1f}M{begin:.1f} {centre - 5}v10M{end:.1f} {centre - 5}v10" '
            'stroke="#222" stroke-width="1.5" fill="none"/>'
        )
    return parts


def _text(x: float, y: float, text: str, kind: str) -> str:
    return f'<text x="{x:.1f}" y="{y}" class="{kind}">{escape(text)}</text>'
