"""What readers of a stream were given, held against what was offered: the time itself, as for those who get packets.

A page is to them what a packet is to the others, only longer: sound is missing when it is more than a page and a half
behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.figures import quantile
from bench.listeners.peers.http_listener import Listener
from bench.listeners.reckoning import Delivered

_BEHIND_PAGES = 1.5


def reckon(listeners: Sequence[Listener], begin_ns: int, end_ns: int) -> Delivered:
    whole_ms = (end_ns - begin_ns) / 1e6
    heard = [x for x in listeners if x.pages and x.listens]
    silent = len(listeners) - len(heard)
    spans = [_span(x, end_ns) for x in heard]
    late = sorted(ns / 1e6 for x in heard for ns in x.late_ns)
    gaps = [x.gap_ns / 1e6 for x in heard]
    return Delivered(
        seconds=whole_ms / 1000,
        listeners=len(listeners),
        streams=len(heard),
        packets=sum(x.pages for x in heard),
        missing=sum(x.missing for x in heard),
        duplicates=0,
        reordered=0,
        octets=sum(x.octets for x in heard),
        offered_ms=sum(offered for offered, _, _ in spans) + silent * whole_ms,
        delivered_ms=sum(delivered for _, delivered, _ in spans),
        skipped_ms=0.0,
        behind_ms=sum(behind for _, _, behind in spans),
        silent_streams=silent,
        spoilt=silent + sum(delivered < 0.999 * offered for offered, delivered, _ in spans),
        largest_gap_ms=_over(gaps),
        jitter_ms=(float("nan"),) * 3,
        late_ms=(_at(late, 0.5), _at(late, 0.99), _at(late, 0.999), late[-1] if late else float("nan")),
    )


def _span(listener: Listener, end_ns: int) -> tuple[float, float, float]:
    """Offered, delivered, behind: milliseconds."""
    last, before = listener.last, listener.started_from
    assert last is not None
    assert before is not None
    sound_ms = (last.samples - before.samples) / 48
    page_ms = sound_ms / max(1, last.number - before.number)
    patience_ms = _BEHIND_PAGES * page_ms
    broken_off = (end_ns - listener.last_at) / 1e6 > patience_ms
    time_ms = ((end_ns if broken_off else listener.last_at) - listener.started_at) / 1e6
    behind_ms = time_ms - sound_ms
    is_behind = behind_ms > patience_ms or broken_off
    return (
        (time_ms if is_behind else sound_ms),
        sound_ms - listener.missing * page_ms,
        max(0.0, behind_ms if is_behind else 0.0),
    )


def _over(values: list[float]) -> tuple[float, float, float]:
    return (_at(values, 0.5), _at(values, 0.99), max(values)) if values else (float("nan"),) * 3


def _at(values: list[float], share: float) -> float:
    return quantile(values, share) if values else float("nan")
