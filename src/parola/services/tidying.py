"""What nobody needs any more goes, and who was here is written down: beside the calls, never within one."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from parola.domain.moments import milliseconds
from parola.services.again import look_again
from parola.services.clock import Clock
from parola.services.sessions import Sessions
from parola.store import Store

_log = structlog.get_logger(__name__)

_EVERY_S = 30.0
_FORGET_EVERY_S = 600.0
_TURN_KEPT_MS = 30 * 86_400_000
"""An address is forgotten so long after its turn; the rule by which turns come asks for one day."""


class Tidying:
    def __init__(self, store: Store, sessions: Sessions, now: Clock, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._sessions = sessions
        self._now = now
        self._monotonic = monotonic
        self._forget_at = monotonic()

    async def run(self) -> None:
        await look_again("tidying", self.tidy, _EVERY_S)

    async def tidy(self) -> None:
        """Raises StoreUnavailable."""
        await self._sessions.note_seen()
        if self._monotonic() < self._forget_at:
            return
        self._forget_at = self._monotonic() + _FORGET_EVERY_S
        now = milliseconds(self._now())
        await self._store.ceremonies.forget_old(now)
        await self._store.mail_links.forget_old(now)
        await self._store.elsewhere.forget_old(now)
        await self._store.deletions.forget_old(now)
        await self._store.waitlist.forget_approved(now - _TURN_KEPT_MS)
        await self._store.privacy.let_in_waiting(now)
        await self._sessions.tell_ended(await self._store.sessions.forget_unused(self._now()))
