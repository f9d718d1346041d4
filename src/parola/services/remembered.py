"""What was told of a room lately: many who come back at once want the same, and SQL is asked for it once."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from parola.services.readers import Told

MOST = 500
FRESH_S = 30.0
"""Names are put in when an event is told; who comes back later than this is told today's."""


class Remembered:
    """Lasting events without a gap, the newest last; `now` is monotonic seconds."""

    def __init__(self) -> None:
        self._told: deque[tuple[float, Told]] = deque(maxlen=MOST)

    def add(self, told: Told, now: float) -> None:
        if self._told and told.seq != (self._told[-1][1].seq or 0) + 1:
            self._told.clear()
        self._told.append((now, told))

    def replace(self, told: Iterable[Told], now: float) -> None:
        self._told.clear()
        for one in told:
            self.add(one, now)

    def between(self, after: int, until: int, now: float) -> list[bytes] | None:
        """The texts of events `after` + 1 to `until`; None where that is not known, or too old."""
        if not self._told or after >= until:
            return [] if after >= until else None
        first, last = self._told[0][1].seq or 0, self._told[-1][1].seq or 0
        if not first <= after + 1 <= until <= last:
            return None
        wanted = [entry for entry in self._told if after < (entry[1].seq or 0) <= until]
        if wanted[0][0] < now - FRESH_S:
            return None
        return [told.text for _, told in wanted]
