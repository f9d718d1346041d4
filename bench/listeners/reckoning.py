"""What was delivered, held against what was offered: the tables at the beginning of a time and at its end.

Sequence numbers show what was lost on the way, and timestamps what a server left out; but one that falls behind does
neither. So each stream's sound is held against the time that has passed: what was offered is the time itself. A packet
comes when the last of its sound has been, so sound and time are both taken to the end of a packet: packets that have
grown meanwhile would seem to be behind by as much otherwise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from bench.figures import quantile
from bench.listeners.tables import Counts, Table, lateness_quantile

_LATE_NS = 300_000_000
"""A packet holds 120 ms at most: a stream that is silent for longer than two of them has broken off."""
_LATE_MS = 60.0
"""Sound that is so little behind at the end is late, and not missing."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """Over all streams together, but for `largest_gap_ms` and `jitter_ms`, which are (median, p99, most) over streams.
    `late_ms`: arrival after the earliest that the stream's timestamps allow: p50, p99, p99.9, most."""

    seconds: float
    listeners: int
    streams: int
    packets: int
    missing: int
    duplicates: int
    reordered: int
    octets: int
    offered_ms: float
    delivered_ms: float
    skipped_ms: float
    behind_ms: float
    silent_streams: int
    spoilt: int
    largest_gap_ms: tuple[float, float, float]
    jitter_ms: tuple[float, float, float]
    late_ms: tuple[float, float, float, float]

    @property
    def loss(self) -> float:
        """Share of the offered sound that did not come."""
        return max(0.0, 1 - self.delivered_ms / self.offered_ms) if self.offered_ms else 1.0

    @property
    def packet_ms(self) -> float:
        return self.delivered_ms / self.packets if self.packets else float("nan")

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def of_json(cls, found: dict[str, object]) -> Delivered:
        lists = {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
        return cls(**{**found, **lists})  # type: ignore[arg-type]


def reckon(
    before: Table, after: Table, begin_ns: int, end_ns: int, expected: int, lateness: Counts
) -> Delivered:
    """`before` and `after`: the streams of the listeners that count, a row for each; `expected`: how many streams each
    should get; `lateness`: the histogram of the time between."""
    listeners = after.shape[0]
    heard = after["known"].astype(bool) & (after["received"] > before["received"])
    silent = np.maximum(0, expected - heard.sum(axis=1))
    old, new = before[heard], after[heard]
    fresh = ~old["known"].astype(bool)

    begun_at = np.where(fresh | (begin_ns - old["last_at"] > _LATE_NS), begin_ns, old["last_at"])
    ended_at = np.where(end_ns - new["last_at"] > _LATE_NS, end_ns, new["last_at"])
    time_ms = (ended_at - begun_at) / 1e6
    units = _sound_end(new) - np.where(fresh, new["first_timestamp"], _sound_end(old))
    skipped_ms = (new["skipped"] - old["skipped"]) / 48
    behind_ms = time_ms - units / 48
    # What was late already when the time began is made up within it, and is no more offered than came.
    offered_ms = np.where(behind_ms > _LATE_MS, time_ms, units / 48)

    came = new["received"] - old["received"]
    due = np.where(fresh, new["highest"] - new["first"] + 1, new["highest"] - old["highest"])
    missing = np.maximum(0, due - came)
    kept = np.where(due > 0, np.minimum(1, came / np.maximum(1, due)), 0)
    delivered_ms = (units / 48 - skipped_ms) * kept
    whole_ms = (end_ns - begin_ns) / 1e6
    lost = np.zeros(heard.shape)
    lost[heard] = offered_ms - delivered_ms
    share = (lost.sum(axis=1) + silent * whole_ms) / (expected * whole_ms)
    return Delivered(
        seconds=whole_ms / 1000,
        listeners=listeners,
        streams=int(heard.sum()),
        packets=int(came.sum()),
        missing=int(missing.sum()),
        duplicates=int((new["duplicates"] - old["duplicates"]).sum()),
        reordered=int((new["reordered"] - old["reordered"]).sum()),
        octets=int((new["octets"] - old["octets"]).sum()),
        offered_ms=float(offered_ms.sum() + silent.sum() * whole_ms),
        delivered_ms=float(delivered_ms.sum()),
        skipped_ms=float(skipped_ms.sum()),
        behind_ms=float(np.where(behind_ms > _LATE_MS, behind_ms, 0).sum()),
        silent_streams=int(silent.sum()),
        spoilt=int((share > 0.001).sum()),
        largest_gap_ms=_over(new["gap"] / 1e6),
        jitter_ms=_over(new["jitter"] / 1e6),
        late_ms=(
            lateness_quantile(lateness, 0.5),
            lateness_quantile(lateness, 0.99),
            lateness_quantile(lateness, 0.999),
            lateness_quantile(lateness, 1.0),
        ),
    )


def _sound_end(streams: Table) -> NDArray[np.int64]:
    """Timestamps behind the last sample that came. A packet that begins to be longer counts as long as the one before,
    and is 20 ms behind at most, which is late and not missing."""
    end: NDArray[np.int64] = streams["timestamp"] + streams["length"]
    return end


def _over(values: NDArray[np.float64]) -> tuple[float, float, float]:
    if values.size == 0:
        return (float("nan"),) * 3
    plain = values.tolist()
    return quantile(plain, 0.5), quantile(plain, 0.99), max(plain)
