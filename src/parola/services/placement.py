"""Which media process takes the next connection: the least loaded by its own measure, or one that is near the room.

A process says how loaded it is about once a second. What was placed there since then counts too, or a crowd that comes
within that second would all go to the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping

from parola.store import Lease

PLACED = 0.001
"""What one connection is guessed to weigh until the process has measured it."""


NEAR = 0.25
"""How much more loaded the room's owner may be than the least loaded: listeners there need no hop over the bus."""


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

    def _load(self, lease: Lease) -> float:
        return lease.load + self._placed[lease.process_id, lease.beat] * PLACED
