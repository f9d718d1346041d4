"""Times to the first sound, in buckets that grow by a tenth, so that a percentile costs no row for each. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

MOST_MS = 60_000
_FINEST_MS = 20.0
_GROWTH = 1.1


def bucket_of(ms: int) -> int:
    """0 for whatever is at once; the same bucket for all times that differ by less than a tenth."""
    return max(0, math.ceil(math.log(max(ms, 1) / _FINEST_MS, _GROWTH)))


def percentile(counts: Mapping[int, int], part: float) -> float | None:
    """The upper end, in milliseconds, of the bucket below which `part` of all times lie; None where there is none."""
    left = part * sum(counts.values())
    for bucket in sorted(counts):
        left -= counts[bucket]
        if counts[bucket] and left <= 1e-9:
            return round(_FINEST_MS * _GROWTH**bucket, 1)
    return None
