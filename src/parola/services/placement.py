"""Which media process takes the next connection: the least loaded by its own measure, or one that is near the room.

A process says how loaded it is about once a second. What was placed there since then counts too, or a crowd that comes
within that second would all go to the same one.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping

from parola.store import Lease

PLACED = 0.001
"""What one connection is guessed to weigh until the process has measured it."""


RETRY_AFTER_S = 2
MOST_RETRY_AFTER_S = 30
RETRIES_PER_S = 100
"""So many may come again in a second without being a burden themselves."""
LATELY_S = 10.0

NEAR = 0.25
"""How much more loaded the room's owner may be than the least loaded: listeners there need no hop over the bus."""


def retry_after_s(least: float, refused: int) -> int:
    """When to come again: the later the fuller even the least loaded process is (`least`, 1 and more), and the more
    were refused in the last LATELY_S seconds, since those come again, too."""
    by_load = RETRY_AFTER_S * max(1.0, least) ** 2
    return min(MOST_RETRY_AFTER_S, math.ceil(max(by_load, refused / RETRIES_PER_S)))


class Refusals:
    """How many found no place lately."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._at: deque[float] = deque()

    def add(self) -> int:
        """One more; how many they are with it."""
        now = self._monotonic()
        self._at.append(now)
        while self._at[0] <= now - LATELY_S:
            self._at.popleft()
        return len(self._at)


class Placement:
    def __init__(self) -> None:
        self._placed: Counter[tuple[str, int]] = Counter()

    def choose(
        self, alive: Mapping[str, Lease], without: Collection[str] = (), near: str | None = None
    ) -> str | None:
        """The id of a process, or None where none is left but those in `without`. `near` is the room's owner."""
        candidates = [lease for process_id, lease in alive.items() if process_id not in without]
        if not candidates:
            return None
        said = {(lease.process_id, lease.beat) for lease in alive.values()}
        self._placed = Counter({key: n for key, n in self._placed.items() if key in said})
        chosen = min(candidates, key=lambda lease: (self._load(lease), lease.process_id))
        owner = alive.get(near or "") if near not in without else None
        if owner is not None and self._load(owner) <= self._load(chosen) + NEAR:
            chosen = owner
        self._placed[chosen.process_id, chosen.beat] += 1
        return chosen.process_id

    @staticmethod
    def all_full(alive: Mapping[str, Lease]) -> bool:
        """Each of them has said so: to ask would only be one more thing to do for them."""
        return bool(alive) and all(lease.is_full for lease in alive.values())

    def _load(self, lease: Lease) -> float:
        return lease.load + self._placed[lease.process_id, lease.beat] * PLACED
