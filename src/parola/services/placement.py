"""Which media process takes the next connection: the least loaded by its own measure.

A process says how loaded it is about once a second. What was placed there since then counts too, or a crowd that comes
within that second would all go to the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from parola.store import Lease

PLACED = 0.001
"""What one connection is guessed to weigh until the process has measured it."""


class Placement:
    def __init__(self) -> None:
        self._placed: Counter[tuple[str, int]] = Counter()

    def choose(self, alive: Mapping[str, Lease], without: Collection[str] = ()) -> str | None:
        """The id of a process, or None where none is left but those in `without`."""
        candidates = [lease for process_id, lease in alive.items() if process_id not in without]
        if not candidates:
            return None
        said = {(lease.process_id, lease.beat) for lease in alive.values()}
        self._placed = Counter({key: n for key, n in self._placed.items() if key in said})
        chosen = min(candidates, key=lambda lease: (self._load(lease), lease.process_id))
        self._placed[chosen.process_id, chosen.beat] += 1
        return chosen.process_id

    def _load(self, lease: Lease) -> float:
        return lease.load + self._placed[lease.process_id, lease.beat] * PLACED
