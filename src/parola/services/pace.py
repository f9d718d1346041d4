"""How often, and how soon: what thousands do at once is spread, by functions of nothing but their number."""

from __future__ import annotations

import math

PASSING_EVERY_S = 0.2
PASSING_PER_S = 7500
"""Passing events that a web process writes in a second, in all its streams together: about a tenth of a core. They grow
beyond it by the root of the number of its large rooms alone."""
COMMENT_EVERY_S = 15.0
BACK_WITHIN_MS = 500
BACK_PER_S = 500
"""So many connections a media process takes in a second without a gap for those it has."""
MOST_BACK_MS = 30_000


def passing_every_s(here: int, everywhere: int) -> float:
    """Between two rounds of passing events to the `here` streams of a room, of `everywhere` in this process. A small
    room beside a large one stays quick, since it costs next to nothing."""
    return max(PASSING_EVERY_S, math.sqrt(here * everywhere) / PASSING_PER_S)


def back_within_ms(connections: int) -> int:
    """Within which time so many are told to come back: a crowd at the same instant is a new fault."""
    return max(BACK_WITHIN_MS, min(MOST_BACK_MS, 1000 * connections // BACK_PER_S))
