"""Which media processes live, judged by the counters of their leases as this process sees them move.

No wall clocks are compared, and only the time between two looks that succeeded counts: a database that is away, or a
process that stood still itself, takes nobody for dead. Whoever does not renew the lease and still answers lives, too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from parola.store import Lease, Store

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 1.0
DEAD_S = 3.0
_MOST_BETWEEN_LOOKS_S = 1.5


@dataclass(slots=True)
class _Seen:
    """A lease, and for how long its counter has stood still while somebody looked."""

    lease: Lease
    still_s: float = 0.0


class Leases:
    """`answers` asks a process whether it is there."""

    def __init__(
        self, store: Store, monotonic: Callable[[], float], answers: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._answers = answers
        self._seen: dict[str, _Seen] = {}
        self._looked_at: float | None = None
        self._on_death: list[Callable[[str], None]] = []

    def on_death(self, callback: Callable[[str], None]) -> None:
        """Called once with the id of each process that is found dead."""
        self._on_death.append(callback)

    async def look(self) -> None:
        """To be called about every second. Raises StoreUnavailable."""
        found = {lease.process_id: lease for lease in await self._store.leases.all()}
        now = self._monotonic()
        since = now - self._looked_at if self._looked_at is not None else 0.0
        self._looked_at = now
        suspects = []
        for process_id, lease in found.items():
            seen = self._seen.get(process_id)
            if seen is None or seen.lease.beat != lease.beat:
                self._seen[process_id] = _Seen(lease)
                continue
            was_alive = seen.still_s <= DEAD_S
            seen.still_s += min(since, _MOST_BETWEEN_LOOKS_S)
            if was_alive and seen.still_s > DEAD_S:
                suspects.append(process_id)
        for process_id in self._seen.keys() - found.keys():
            del self._seen[process_id]
        await asyncio.gather(*(self._judge(process_id) for process_id in suspects))

    def looked_ago(self) -> float:
        """Seconds since the last look; infinite before the first."""
        return self._monotonic() - self._looked_at if self._looked_at is not None else float("inf")

    def seen(self) -> dict[str, Lease]:
        """All that the database knows, alive or not."""
        return {process_id: seen.lease for process_id, seen in self._seen.items()}

    def alive(self) -> dict[str, Lease]:
        return {process_id: seen.lease for process_id, seen in self._seen.items() if seen.still_s <= DEAD_S}

    async def lives(self, process_id: str) -> bool:
        """Looks once more at one that is not known to be alive: it may have begun just now. Raises StoreUnavailable."""
        if process_id not in self.alive():
            await self.look()
        return process_id in self.alive()

    def forget(self, process_id: str) -> None:
        """Somebody saw it die. Only a counter that moves again would show the contrary."""
        seen = self._seen.get(process_id)
        if seen is not None:
            seen.still_s = float("inf")

    async def _judge(self, process_id: str) -> None:
        seen = self._seen[process_id]
        if await self._answers(process_id):
            seen.still_s = 0.0
            _log.warning("lease.not_renewed", process=process_id)
            return
        if seen.still_s > DEAD_S:
            _log.warning("lease.dead", process=process_id, machine=seen.lease.machine)
            for callback in self._on_death:
                callback(process_id)
