"""What is known of each listener and of each of its streams, as rows that compiled code fills in and numpy reads.

Times are nanoseconds of the wall clock, as the kernel stamps datagrams with; RTP numbers are counted on past 2^16 and
2^32, so that differences are plain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Table = NDArray[np.void]
Counts = NDArray[np.int64]

STREAM = np.dtype(
    [
        ("ssrc", np.uint32),
        ("known", np.uint32),
        ("received", np.int64),
        ("octets", np.int64),
        ("duplicates", np.int64),
        ("reordered", np.int64),
        ("first", np.int64),
        ("highest", np.int64),
        ("recent", np.uint64),
        ("first_timestamp", np.int64),
        ("timestamp", np.int64),
        ("length", np.int64),
        ("skipped", np.int64),
        ("first_at", np.int64),
        ("last_at", np.int64),
        ("gap", np.int64),
        ("anchor", np.int64),
        ("jitter", np.float64),
    ],
    align=True,
)
"""One stream. `first` and `highest` sequence number; `timestamp` and `last_at` belong to the highest; `length`:
timestamp units of the packet before, which its successor has shown, and the best guess at the highest's own; `recent`:
a bit for each of the 64 numbers up to the highest; `skipped`: timestamp units between neighbouring packets beyond what
one packet can hold; `gap`: the longest time between arrivals; `anchor`: the shortest (arrival - end of the packet's
sound); `jitter` as in RFC 3550, section 6.4.1, in nanoseconds."""

LISTENER = np.dtype(
    [
        ("is_recorded", np.uint8),
        ("is_watched", np.uint8),
        ("consents", np.int64),
        ("consent_at", np.int64),
        ("reports", np.int64),
        ("report_at", np.int64),
        ("report_size", np.int64),
        ("strange", np.int64),
    ],
    align=True,
)
"""`is_watched`: 1 for those whose lateness counts now; `consents`: answers to our checks once connected; `reports`:
RTCP packets, the latest of which is kept aside; `strange`: datagrams that are none of STUN, DTLS, RTP, RTCP, or RTP of
more streams than there is room for."""

ANCHOR_UNKNOWN = np.iinfo(np.int64).max

_FINE_NS = 50_000
_FINE = 2_000
_COARSE_NS = 1_000_000
_COARSE = 1_900
BINS = _FINE + _COARSE + 1
"""Of lateness: 50 us wide up to 100 ms, 1 ms up to 2 s, and one for all beyond."""


def streams(listeners: int, each: int) -> Table:
    table = np.zeros((listeners, each), STREAM)
    table["anchor"] = ANCHOR_UNKNOWN
    return table


def lateness_quantile(histogram: Counts, share: float) -> float:
    """Milliseconds that at least `share` of all do not exceed (the end of their bin); NaN where there are none."""
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    place = int(np.searchsorted(np.cumsum(histogram), share * total))
    if place < _FINE:
        return (place + 1) * _FINE_NS / 1e6
    return (_FINE * _FINE_NS + (place - _FINE + 1) * _COARSE_NS) / 1e6
