"""Reports of people, rooms and moments, and the queue in which administrators deal with them.

Invariant: nobody learns of a room by reporting it, and the reported never learn by whom. One administrator at a time
has a report; it is closed once, with a reason that stands in the audit log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from parola.domain import people, rooms
from parola.domain.audit import Deed
from parola.domain.errors import Conflict, Invalid, NotFound, Unavailable
from parola.domain.moderation import About, Measure, Reason, parse_text
from parola.domain.rooms import Lifecycle, Room
from parola.services.access import Gate
from parola.services.actor import Actor
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.moderating import Moderating
from parola.services.people import People
from parola.services.sessions import id_or_none
from parola.store import DISMISSED, BadCursor, Measured, Report, ReportPage, Said, SaidPage, Store, Voice

_log = structlog.get_logger(__name__)

HELD_FOR = timedelta(minutes=10)
"""So long after a room's end there is still something of its sound to seal."""
_MOST_EARLIER = 20
_MOST_VOICES = 100
_EVENTS_AT_ONCE = 1000
_MOST_EVENTS = 100_000


class Evidence(Protocol):
    """The last minutes of a room, sealed for a report while it is open. Neither call ever fails a report; `seal` may be
    asked again for the same report, which adds nothing or more."""

    async def seal(self, room_id: str, report_id: str) -> bool:
        """Whether something is sealed."""
        ...

    async def let_go(self, report_id: str) -> None: ...


class FakeEvidence:
    """Remembers what it was asked; `fails` makes it raise."""

    def __init__(self) -> None:
        self.sealed: list[tuple[str, str]] = []
        self.gone: list[str] = []
        self.fails = False

    async def seal(self, room_id: str, report_id: str) -> bool:
        self.sealed.append((room_id, report_id))
        if self.fails:
            raise RuntimeError("no room on the disk")
        return True

    async def let_go(self, report_id: str) -> None:
        self.gone.append(report_id)
        if self.fails:
            raise RuntimeError("no such thing")


@dataclass(frozen=True, slots=True)
class Told:
    """What one reporter says, and who had the floor at the time that they mean; none where they mean no time."""

    voice: Voice
    floor: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A report with what one needs to decide about it."""

    report: Report
    room: Room | None
    told: tuple[Told, ...]
    """The newest, the oldest of them first; the report counts all."""
    measures: tuple[Measured, ...]
    earlier: tuple[Report, ...]
    """Others about the same account, the newest first."""


class Reports:
    def __init__(
        self,
        store: Store,
        gate: Gate,
        audience: Audience,
        people: People,
        moderating: Moderating,
        evidence: Evidence,
        now: Clock,
    ) -> None:
        self._store = store
        self._gate = gate
        self._audience = audience
        self._people = people
        self._moderating = moderating
        self.evidence = evidence
        self._now = now

    # Reporters.

    async def file(
        self,
        caller: Caller,
        handle: str | None,
        room_id: str | None,
        at_ms: int | None,
        reason: Reason,
        text: str,
        may_seal: Callable[[], bool],
    ) -> Said:
        """A moment is a room and the time in it. Who was removed from a room may report it, and who was blocked by
        somebody may report them. `may_seal` is asked where there is something to seal, and a no only leaves that out.
        Raises NotSignedIn, NotFound, Invalid."""
        me = caller.signed_in().account.id
        text = parse_text("text", text)
        if handle is None and room_id is None:
            raise Invalid.field("about", "A report is about a person, a room, or a moment in it.")
        if at_ms is not None and room_id is None:
            raise Invalid.field("about.at_ms", "A time is one in a room.")
        room = await self._gate.know(caller, room_id) if room_id is not None else None
        account = (await self._people.find(handle)).id if handle is not None else ""
        if room is not None and not account:
            account = room.host
        if account == me:
            raise Invalid.field("about", "Nobody reports themselves.")
        now = self._now()
        if room is not None and at_ms is not None:
            at_ms = _within(room, at_ms, now)
        about = About(account, room.id if room is not None else None)
        said = await self._store.reports.file(about, me, reason, text, at_ms, now)
        if room is not None and _is_held(room, now) and await self._was_in(room, account):
            if may_seal():
                await self._seal(room.id, said.report.id)
            else:
                _log.warning("reports.too_many_to_seal", report=said.report.id)
        return said

    async def mine(self, caller: Caller, cursor: str | None, limit: int) -> SaidPage:
        """The newest first. Raises NotSignedIn, Invalid."""
        me = caller.signed_in().account.id
        try:
            return await self._store.reports.of(me, cursor, limit)
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    # Administrators.

    async def queue(self, actor: Actor, closed: bool, cursor: str | None, limit: int) -> ReportPage:
        """Raises Invalid."""
        try:
            return await self._store.reports.queue(closed, cursor, limit, await self._hidden_from(actor))
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    async def open_count(self, actor: Actor) -> int:
        return await self._store.reports.open_count(await self._hidden_from(actor))

    async def reasons(self, _: Actor, found: Iterable[Report]) -> dict[str, dict[Reason, int]]:
        """How many voices of each report say what."""
        return await self._store.reports.reasons([report.id for report in found])

    async def titles(self, found: Iterable[Report]) -> dict[str, str]:
        """Of the rooms that reports are about, by id: whoever reported one has known it."""
        ids = {report.room_id for report in found if report.room_id is not None}
        return await self._store.rooms.titles(ids)

    async def show(self, actor: Actor, id: str) -> Case:
        """Raises NotFound, Conflict("own_account")."""
        report = await self._load_for(actor, id)
        room = await self._store.rooms.load(report.room_id) if report.room_id is not None else None
        voices = await self._store.reports.voices(report.id, _MOST_VOICES)
        floors = await self._floors(room, {v.at_ms for v in voices if v.at_ms is not None})
        earlier = await self._store.reports.about(report.account_id, _MOST_EARLIER)
        return Case(
            report,
            room,
            tuple(Told(v, floors.get(v.at_ms, ()) if v.at_ms is not None else ()) for v in voices),
            tuple(await self._moderating.history(actor, report.account_id)),
            tuple(one for one in earlier if one.id != report.id),
        )

    async def take(self, actor: Actor, id: str, anyway: bool = False) -> None:
        """`anyway`: also from another administrator. Raises NotFound, Conflict("own_account", "taken", "closed")."""
        report = await self._load_for(actor, id)
        if not await self._store.reports.take(report.id, actor.id, anyway):
            raise _in_other_hands(await self._load(id))

    async def release(self, actor: Actor, id: str) -> None:
        """Raises NotFound, Conflict("own_account")."""
        await self._store.reports.release((await self._load_for(actor, id)).id, actor.id)

    async def resolve(
        self, actor: Actor, id: str, measure: Measure, reason: str, until: datetime | None = None
    ) -> None:
        """With a measure about whom the report is about. Raises as `take` and `Moderating.act`."""
        reason = people.parse_reason(reason)
        await self.take(actor, id)
        report = await self._load(id)
        handle = await self._handle(report.account_id)
        unconfirmed: Unavailable | None = None
        try:
            await self._moderating.act(actor, handle, measure, reason, until, report.id)
        except Unavailable as error:
            if error.code != "not_confirmed":
                raise
            unconfirmed = error  # it stands, and so the report is dealt with
        await self._close(Deed(actor.id, "resolve", "report", report.id, reason), measure.value)
        if unconfirmed is not None:
            raise unconfirmed

    async def dismiss(self, actor: Actor, id: str, reason: str) -> None:
        """Raises NotFound, Invalid, Conflict("own_account", "taken", "closed")."""
        reason = people.parse_reason(reason)
        await self.take(actor, id)
        await self._close(Deed(actor.id, "dismiss", "report", (await self._load(id)).id, reason), DISMISSED)

    async def _close(self, deed: Deed, outcome: str) -> None:
        if not await self._store.reports.close(deed, outcome, self._now()):
            raise _in_other_hands(await self._load(deed.object))
        try:
            await self.evidence.let_go(deed.object)
        except Exception:
            _log.exception("reports.not_let_go", report=deed.object)

    async def _seal(self, room_id: str, report_id: str) -> None:
        try:
            await self.evidence.seal(room_id, report_id)
        except Exception:
            _log.exception("reports.not_sealed", report=report_id)

    async def _was_in(self, room: Room, account: str) -> bool:
        """Else one room would be sealed once for every account that there is."""
        if account == room.host or self._audience.is_here(room.id, account):
            return True
        return await self._store.rooms.has_acted(room.id, account)

    async def _load(self, id: str) -> Report:
        found = await self._store.reports.load(id_or_none(id))
        if found is None:
            raise NotFound()
        return found

    async def _load_for(self, actor: Actor, id: str) -> Report:
        report = await self._load(id)
        await check_not_own(self._store, actor, report)
        return report

    async def _hidden_from(self, actor: Actor) -> str | None:
        """Whose reports an administrator does not see: their own, where there is another to deal with them."""
        return actor.id if await self._store.measures.another_administrator(actor.id) else None

    async def _handle(self, account_id: str) -> str:
        found = (await self._store.accounts.by_ids([account_id])).get(account_id)
        if found is None:
            raise NotFound()
        return found.handle

    async def _floors(self, room: Room | None, times: set[int]) -> dict[int, tuple[str, ...]]:
        """Who had the floor at each time in the room, as its events say."""
        if room is None or room.started_at is None or not times:
            return {}
        waiting = sorted(times)
        found: dict[int, tuple[str, ...]] = {}
        seen: Room | None = None
        while waiting:
            seq = seen.seq if seen is not None else 0
            events = await self._store.rooms.events_after(room.id, seq, _EVENTS_AT_ONCE)
            for event in events:
                while waiting and event.at > room.started_at + timedelta(milliseconds=waiting[0]):
                    found[waiting.pop(0)] = _on_stage(seen)
                seen = rooms.evolve(seen, event)
            if len(events) < _EVENTS_AT_ONCE or seq > _MOST_EVENTS:
                break
        return found | {at: _on_stage(seen) for at in waiting}


async def check_not_own(store: Store, actor: Actor, report: Report | None) -> None:
    """Where there is another administrator, nobody learns who reported them, and deals with it. Raises
    Conflict("own_account")."""
    if report is None or report.account_id != actor.id:
        return
    if await store.measures.another_administrator(actor.id):
        raise Conflict("own_account", "Another administrator deals with what is about oneself.")


def _on_stage(room: Room | None) -> tuple[str, ...]:
    """Those first who were heard."""
    if room is None:
        return ()
    return tuple(s.account for s in sorted(room.speakers, key=lambda speaker: speaker.muted))


def _within(room: Room, at_ms: int, now: datetime) -> int:
    """What a page's clock has wrong is put right. Raises Invalid."""
    if room.started_at is None:
        raise Invalid.field("about.at_ms", "This room has not begun.")
    lasted = ((room.ended_at or now) - room.started_at) // timedelta(milliseconds=1)
    if at_ms < 0:
        raise Invalid.field("about.at_ms", "This is before the room began.")
    return min(at_ms, lasted)


def _is_held(room: Room, now: datetime) -> bool:
    if room.state is Lifecycle.LIVE:
        return True
    return room.ended_at is not None and now - room.ended_at < HELD_FOR


def _in_other_hands(report: Report) -> Conflict:
    if report.closed_at is not None:
        return Conflict("closed", "This report is closed.")
    return Conflict("taken", "Somebody else deals with this report.")
