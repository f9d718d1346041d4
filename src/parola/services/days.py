"""On which days those who were invited were here: what their inviters earn by. Written down together, now and then; a
process that dies forgets some seconds of it."""

from __future__ import annotations

import structlog

from parola.domain.inviting import MOST_DAYS
from parola.services.again import look_again
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

_EVERY_S = 5.0
_MOST_REMEMBERED = 100_000


class Days:
    def __init__(self, store: Store, now: Clock) -> None:
        self._store = store
        self._now = now
        self._known: set[tuple[str, str]] = set()
        self._fresh: set[tuple[str, str]] = set()

    def note(self, caller: Caller) -> None:
        """That somebody speaks or listens. Costs nothing the second time, and for whoever nobody invited."""
        if caller.member is None or caller.member.account.invited_by is None:
            return
        entry = (caller.member.account.id, self._now().date().isoformat())
        if entry not in self._known:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known.add(entry)
            self._fresh.add(entry)

    async def write(self) -> None:
        """Raises StoreUnavailable, and forgets nothing then."""
        if self._fresh:
            entries, self._fresh = self._fresh, set()
            try:
                await self._store.invites.note_days(entries, MOST_DAYS)
            except StoreUnavailable:
                self._fresh |= entries
                raise

    async def run(self) -> None:
        await look_again("days", self.write, _EVERY_S)
