"""Deleting one's account: the voice first, then everything that is of the person. Rooms of others stay as they are.

Invariant: once it has begun it comes to its end. Each step can be taken again, and whatever a process leaves undone,
`run` of any other goes on with.
"""

from __future__ import annotations

import secrets
from datetime import timedelta

import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import AccountDeleted
from parola.domain import rooms
from parola.domain.errors import Conflict, Invalid, Refusal, Unavailable
from parola.domain.people import DELETED
from parola.domain.rooms import Lifecycle
from parola.services.again import look_again
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.everywhere import in_each, is_unconfirmed
from parola.services.pictures import Pictures
from parola.services.proving import require_recent
from parola.services.rooms import Rooms
from parola.services.sessions import Sessions
from parola.store import LastAdministrator, Store

_log = structlog.get_logger(__name__)

_EVERY_S = 15.0
_OVERDUE = timedelta(seconds=20)
"""Whose process has certainly died, or lost its database."""


class Deletion:
    def __init__(
        self,
        store: Store,
        bus: Bus,
        sessions: Sessions,
        rooms: Rooms,
        pictures: Pictures,
        now: Clock,
    ) -> None:
        self._store = store
        self._bus = bus
        self._sessions = sessions
        self._rooms = rooms
        self._pictures = pictures
        self._now = now

    async def delete(self, caller: Caller, handle: str) -> None:
        """`handle` is their own, typed once more. Returns when they are silent wherever they were heard. Raises
        NotSignedIn, Invalid, Forbidden("sign_in_again"), Conflict("last_administrator"); Unavailable("not_confirmed")
        when nobody could say that they are silent, and the account is deleted all the same; Unavailable("not_done")
        when a room stays busy: then `run` goes on with it."""
        account = require_recent(caller, self._now()).account
        if handle != account.handle:
            raise Invalid.field("handle", "This is not your handle.")
        try:
            ended = await self._store.deletions.begin(account.id, self._now())
        except LastAdministrator as error:
            raise Conflict("last_administrator", "Nobody would be left to administer.") from error
        await self._sessions.tell_ended(ended)
        await self._go_on(account.id)

    async def run(self) -> None:
        await look_again("deletion", self.finish_what_is_overdue, _EVERY_S)

    async def finish_what_is_overdue(self) -> int:
        """How many there were. Raises StoreUnavailable."""
        overdue = await self._store.deletions.begun_before(self._now() - _OVERDUE)
        for account_id in overdue:
            try:
                await self._go_on(account_id)
            except Refusal as error:
                _log.warning("deletion.refused", account=account_id, reason=str(error)[:200])
        return len(overdue)

    async def _go_on(self, account_id: str) -> None:
        unconfirmed = await self._leave_rooms(account_id)
        stand_in = DELETED + secrets.token_hex(8)
        await self._store.deletions.erase(account_id, stand_in, self._now())
        try:
            await self._bus.publish(subjects.ACCOUNT_DELETED, AccountDeleted(account_id).to_bytes())
        except BusUnavailable:
            _log.warning(
                "deletion.not_told", account=account_id
            )  # what remembers them forgets within seconds
        await self._pictures.forget(account_id)
        # Somebody may have given them something while this was going on.
        unconfirmed = await self._leave_rooms(account_id) or unconfirmed
        await self._store.deletions.finish(account_id)
        if unconfirmed is not None:
            raise unconfirmed

    async def _leave_rooms(self, account_id: str) -> Unavailable | None:
        """What did not confirm, where that is all. Raises as `in_each`."""
        work: list[tuple[str, rooms.Command]] = []
        for room in await self._store.rooms.not_over_around(account_id):
            if room.host != account_id:
                work.append((room.id, rooms.Vanish(account_id, account_id)))
            elif room.state is Lifecycle.LIVE:  # others are withdrawn with the account
                work.append((room.id, rooms.End(account_id)))
        try:
            await in_each(work, self._rooms.come_about)
        except Unavailable as error:
            if not is_unconfirmed(error):
                raise
            return error
        return None
