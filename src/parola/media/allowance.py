"""How many of something one may have: so many a second, and a second's worth at once."""

from __future__ import annotations


class Allowance:
    """`now` is monotonic seconds."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._left = per_second
        self._at = 0.0

    def take(self, now: float) -> bool:
        """One of them; False when there is none left, which costs nothing."""
        self._left = min(self._per_second, self._left + (now - self._at) * self._per_second)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
