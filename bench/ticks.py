"""What a server says of itself: how late its rooms ticked, and how long it has been sending."""

from __future__ import annotations

import urllib.request
from collections import defaultdict
from collections.abc import Mapping


def late_ticks(origin: str) -> dict[float, float]:
    """Of all processes: how many ticks were at most so many seconds late."""
    found: defaultdict[float, float] = defaultdict(float)
    for line in _lines(origin, "parola_media_tick_late_seconds_bucket"):
        found[float(line.partition('le="')[2].partition('"')[0])] += float(line.rpartition(" ")[2])
    return dict(found)


def sending_s(origin: str) -> float:
    """Seconds that the senders of all processes have worked."""
    lines = _lines(origin, "parola_media_sender_busy_seconds_total")
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def _lines(origin: str, name: str) -> list[str]:
    with urllib.request.urlopen(origin + "/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return [line for line in lines if line.startswith(name)]


def worst_since(before: Mapping[float, float], after: Mapping[float, float]) -> float:
    """The bound, in ms, of the highest bucket that has grown."""
    return share_since(before, after, 1.0)


def share_since(before: Mapping[float, float], after: Mapping[float, float], share: float) -> float:
    """The bound, in ms, below which such a share of the ticks were late since then."""
    grown = {bound: after[bound] - before.get(bound, 0.0) for bound in sorted(after)}
    total = max(grown.values(), default=0.0)
    return 1000 * next((bound for bound, count in grown.items() if count >= share * total), 0.0)
