"""What administrators do about people: warn, remove, suspend, ban, restore; notices of it, and appeals.

Invariant: whoever is removed or suspended is silent before this answers. A measure with an end ends by itself, by the
clock that counted since it was first seen: a wall clock that jumps meanwhile ends nothing early, and keeps nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import structlog

from parola.domain import moderation, people, rooms
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, NotFound, Unavailable
from parola.domain.moderation import Decision, Measure
from parola.domain.moments import milliseconds
from parola.services.actor import Actor
from parola.services.administering import Administering
from parola.services.again import look_again
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.everywhere import in_each, is_unconfirmed
from parola.services.notifying import Notifying
from parola.services.rooms import Rooms
from parola.services.sessions import id_or_none
from parola.store import Account, Measured, Store

_log = structlog.get_logger(__name__)

LOOK_EVERY_S = 5.0
BY_ITSELF = ""
"""Who ends a measure whose time is over. No account has this id."""
_MOST_APPEALS = 200
_ROOMS_AT_ONCE = 100
_LATE_MS = 600_000
"""Clocks of machines may differ by as much."""


class Moderating:
    """`run` ends what is over until it is cancelled; `look` is one round of it."""

    def __init__(
        self,
        store: Store,
        administering: Administering,
        rooms: Rooms,
        audience: Audience,
        notifying: Notifying,
        now: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._administering = administering
        self._rooms = rooms
        self._audience = audience
        self._notifying = notifying
        self._now = now
        self._monotonic = monotonic
        self._ends: dict[tuple[str, int], float] = {}
        """In monotonic seconds, reckoned when an end is first seen."""
        self._silent_until = 0
        """Whose measure is older than this, in milliseconds since 1970, is silent."""

    async def act(
        self,
        actor: Actor,
        handle: str,
        measure: Measure,
        reason: str,
        until: datetime | None = None,
        report_id: str | None = None,
    ) -> None:
        """Returns when it is so: they are silent, and out. Raises NotFound, Invalid, Conflict("own_account",
        "last_administrator", "nothing_holds"); Unavailable("not_confirmed", "not_done"): then it stands all the
        same, and in the latter case they are not out everywhere yet."""
        reason, now = people.parse_reason(reason), self._now()
        moderation.check_until(measure, until, now)
        if measure in (Measure.SUSPEND, Measure.BAN):
            suspend = self._administering.suspend
            await suspend(actor, handle, reason, until=until, kind=measure, report_id=report_id)
            return
        if measure is Measure.RESTORE:
            if not await self._administering.restore(actor, handle, reason):
                raise Conflict("nothing_holds", "Nothing of what was decided about them holds.")
            return
        account = await self._administering.find(handle)
        if account.id == actor.id:
            raise Conflict("own_account", "Nobody does this to themselves.")
        deed = Deed(actor.id, measure.value, "account", account.id, reason)
        if measure is Measure.WARN:
            await self._store.measures.warn(deed, report_id, now)
        else:
            await self._store.measures.silence(deed, until, report_id, now)
        try:
            if measure is Measure.REMOVE:
                await self._put_out(account.id)
        finally:
            await self._notifying.measure([account.id], measure, reason, until)

    async def history(self, _: Actor, account_id: str) -> list[Measured]:
        """What was done to somebody so far, the newest first."""
        return await self._store.measures.of(account_id)

    # The person's own.

    async def notices(self, caller: Caller) -> list[Measured]:
        """Also to who is suspended. Raises NotSignedIn."""
        return await self._store.measures.of(caller.known().account.id)

    async def see(self, caller: Caller, id: str) -> None:
        """Raises NotSignedIn, NotFound."""
        if not await self._store.measures.see(caller.known().account.id, id_or_none(id), self._now()):
            raise NotFound()

    async def appeal(self, caller: Caller, id: str, text: str) -> None:
        """Once for each measure. Raises NotSignedIn, NotFound, Invalid, Conflict("already_appealed", "not_appealable")
        ."""
        me = caller.known().account.id
        text = moderation.parse_text("text", text, needed=True)
        found = await self._store.measures.load(id_or_none(id))
        if found is None or found.account_id != me:
            raise NotFound()
        if found.kind is Measure.RESTORE:
            raise Conflict("not_appealable", "This was in your favour.")
        if not await self._store.measures.appeal(me, found.id, text, self._now()):
            raise Conflict("already_appealed", "You have appealed already.")

    # Appeals.

    async def appeals(self, _: Actor) -> list[Measured]:
        """Those that wait, the oldest first."""
        return await self._store.measures.appeals(_MOST_APPEALS)

    async def is_for_others(self, actor: Actor, measure: Measured) -> bool:
        """Whether somebody else than this administrator has to decide about an appeal."""
        if measure.account_id == actor.id:
            return True
        return measure.actor == actor.id and await self._somebody_else_decides(measure)

    async def decide(self, actor: Actor, id: str, decision: Decision, reason: str) -> None:
        """Raises NotFound, Invalid, Conflict("own_action", "own_account", "not_waiting")."""
        reason = people.parse_reason(reason)
        found = await self._store.measures.load(id_or_none(id))
        if found is None:
            raise NotFound()
        if found.account_id == actor.id:
            raise Conflict("own_account", "Nobody decides about their own appeal.")
        moderation.check_decider(actor.id, found.actor, await self._somebody_else_decides(found))
        deed = Deed(actor.id, f"appeal_{decision.value}", "account", found.account_id, reason)
        if not await self._store.measures.decide(found.id, decision, deed, self._now()):
            raise Conflict("not_waiting", "No appeal waits here.")
        await self._notifying.decision(found.account_id, decision, reason)

    async def _somebody_else_decides(self, measure: Measured) -> bool:
        """Whether there is an administrator who neither acted nor appeals."""
        return await self._store.measures.another_administrator(measure.actor, measure.account_id)

    async def people_of(self, ids: set[str]) -> dict[str, Account]:
        return await self._store.accounts.by_ids(ids)

    # What ends by itself.

    async def run(self) -> None:
        await look_again("moderating", self.look, LOOK_EVERY_S)

    async def look(self) -> None:
        """Returns when everything that is over by now has ended, and nobody is heard whom a measure bars: not either
        where the process that took it has died before it came to the rooms. Raises StoreUnavailable."""
        ending = await self._store.measures.ending()
        wall, now = milliseconds(self._now()), self._monotonic()
        self._ends = {
            (id, until): self._ends.get((id, until), now + (until - wall) / 1000)
            for id, until in ending.items()
        }
        for (id, _), at in list(self._ends.items()):
            if at <= now:
                await self._end(id)
        await self._silence_who_is_left(wall)

    async def _silence_who_is_left(self, now: int) -> None:
        """Once in all live rooms, and from then on where a measure is new: whom it bars gets no floor any more. Raises
        as `in_each`, when every room was looked at."""
        failures: list[Unavailable] = []
        cursor: str | None = None
        is_new = await self._store.measures.newest_barring() >= self._silent_until
        while is_new:
            page = await self._store.rooms.live(cursor, _ROOMS_AT_ONCE)
            try:
                await self._silence_in(page.rooms)
            except Unavailable as error:
                failures.append(error)
            if (cursor := page.next) is None:
                break
        if failures:
            raise min(failures, key=is_unconfirmed)
        self._silent_until = now - _LATE_MS

    async def _silence_in(self, live: Sequence[rooms.Room]) -> None:
        """What the rooms say of somebody costs nothing more; whom of them a measure bars is one question for all."""
        barred = await self._store.measures.barred(id for room in live for id in room.around_floor)
        work: list[tuple[str, rooms.Silence | rooms.PutOut]] = []
        for account_id, removed in barred.items():
            if removed:
                work += await self._rooms_to_leave(account_id)
                continue
            silence = rooms.Silence(rooms.ADMINISTRATION, account_id)
            work += [(room.id, silence) for room in live if rooms.decide(room, silence, self._now())]
        for room_id, command in work:
            _log.warning("moderating.left_over", account=command.target, room=room_id)
        await in_each(work, self._rooms.administer)

    async def _end(self, id: str) -> None:
        found = await self._store.measures.load(id)
        if found is None:
            return
        deed = Deed(BY_ITSELF, f"{found.kind.value}_over", "account", found.account_id)
        if await self._store.measures.end(id, deed, self._now()):
            _log.info("moderating.over", measure=id, kind=found.kind.value)

    async def _put_out(self, account_id: str) -> None:
        """Of every live room in which they have anything, or are. They have no floor any more, so whoever gives it to
        them from now on is refused, and what was given before is found. Raises as `in_each`."""
        await in_each(await self._rooms_to_leave(account_id), self._rooms.administer)

    async def _rooms_to_leave(self, account_id: str) -> list[tuple[str, rooms.PutOut]]:
        around = await self._store.rooms.not_over_around(account_id)
        named = [room.id for room in around if room.state is rooms.Lifecycle.LIVE]
        listens = [id for id in self._audience.rooms() if self._audience.is_here(id, account_id)]
        out = rooms.PutOut(rooms.ADMINISTRATION, account_id)
        return [(id, out) for id in dict.fromkeys([*named, *listens])]
