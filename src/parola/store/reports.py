"""Reports: one row for each thing that is reported while it is open, and a voice for each reporter.

Invariant: of one thing there is at most one open report, and of one reporter at most one voice in it. Whoever decides
about a report has taken it, and it is closed once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, literal, or_, select, true, tuple_, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.domain.moderation import About, Reason, joined, rank
from parola.domain.moments import milliseconds
from parola.store import evidence
from parola.store.audit import record
from parola.store.codes import new_id
from parola.store.cursors import make_cursor, parse_cursor
from parola.store.database import Database
from parola.store.tables import report_voices, reports

DISMISSED = "dismissed"
_TRIES = 5


@dataclass(frozen=True, slots=True)
class Report:
    """Times are milliseconds since 1970; `outcome` is a measure's kind, or DISMISSED."""

    id: str
    account_id: str
    room_id: str | None
    voices: int
    opened_at: int
    rank: int
    taken_by: str | None
    closed_at: int | None
    closed_by: str | None
    outcome: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Voice:
    """What one reporter says; `at_ms` is a time in the room, from its start."""

    id: str
    report_id: str
    reporter: str
    reason: Reason
    text: str
    at_ms: int | None
    at: int


@dataclass(frozen=True, slots=True)
class Said:
    """A voice and what became of its report."""

    voice: Voice
    report: Report


@dataclass(frozen=True, slots=True)
class ReportPage:
    reports: tuple[Report, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class SaidPage:
    said: tuple[Said, ...]
    next: str | None


class Reports:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def file(
        self, about: About, reporter: str, reason: Reason, text: str, at_ms: int | None, now: datetime
    ) -> Said:
        """Opens a report, or adds to the one that is open; the same reporter's voice says more."""
        for _ in range(_TRIES):
            try:
                async with self._database.write() as connection:
                    return await _file(connection, about, reporter, reason, text, at_ms, milliseconds(now))
            except IntegrityError:
                continue  # somebody else has reported the same thing at the same moment
        raise AssertionError("somebody reports the same thing all the time")

    async def of(self, reporter: str, cursor: str | None, limit: int) -> SaidPage:
        """The newest first. Raises BadCursor."""
        query = select(report_voices, *_prefixed()).join(reports, reports.c.id == report_voices.c.report_id)
        query = query.where(report_voices.c.reporter == reporter)
        place = tuple_(report_voices.c.at, report_voices.c.id)
        if cursor is not None:
            query = query.where(place < tuple_(*map(literal, parse_cursor(cursor))))
        query = query.order_by(report_voices.c.at.desc(), report_voices.c.id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        said = tuple(Said(_voice(row), _report(row, "r_")) for row in rows[:limit])
        return SaidPage(said, make_cursor(last.at, last.id) if last is not None else None)

    async def queue(
        self, closed: bool, cursor: str | None, limit: int, hidden: str | None = None
    ) -> ReportPage:
        """Open ones by rank; closed ones the latest first; none about the account `hidden`. Raises BadCursor."""
        by = reports.c.closed_at if closed else reports.c.rank
        query = select(reports).where(
            reports.c.closed_at.is_not(None) if closed else reports.c.closed_at.is_(None), _not_about(hidden)
        )
        if cursor is not None:
            last_seen = tuple_(*map(literal, parse_cursor(cursor)))
            place = tuple_(by, reports.c.id)
            query = query.where(place < last_seen if closed else place > last_seen)
        for column in (by, reports.c.id):
            query = query.order_by(column.desc() if closed else column)
        async with self._database.read() as connection:
            rows = (await connection.execute(query.limit(limit + 1))).all()
        found = tuple(_report(row) for row in rows[:limit])
        last = found[-1] if len(rows) > limit else None
        if last is None:
            return ReportPage(found, None)
        return ReportPage(found, make_cursor((last.closed_at or 0) if closed else last.rank, last.id))

    async def open_count(self, hidden: str | None = None) -> int:
        query = select(func.count()).where(reports.c.closed_at.is_(None), _not_about(hidden))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def load(self, id: str) -> Report | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(reports).where(reports.c.id == id))).first()
        return _report(row) if row is not None else None

    async def reasons(self, report_ids: Sequence[str]) -> dict[str, dict[Reason, int]]:
        """How many voices of each report say what."""
        async with self._database.read() as connection:
            return await _reasons(connection, report_ids)

    async def voices(self, report_id: str, limit: int) -> list[Voice]:
        """The newest of them, in the order in which they were heard."""
        query = select(report_voices).where(report_voices.c.report_id == report_id)
        query = query.order_by(report_voices.c.at.desc(), report_voices.c.id.desc()).limit(limit)
        async with self._database.read() as connection:
            return [_voice(row) for row in await connection.execute(query)][::-1]

    async def about(self, account_id: str, limit: int) -> list[Report]:
        """All about one account, the newest first."""
        query = select(reports).where(reports.c.account_id == account_id)
        query = query.order_by(reports.c.opened_at.desc(), reports.c.id).limit(limit)
        async with self._database.read() as connection:
            return [_report(row) for row in await connection.execute(query)]

    async def take(self, id: str, actor: str, anyway: bool) -> bool:
        """False where somebody else has it, or it is closed."""
        free = or_(reports.c.taken_by.is_(None), reports.c.taken_by == actor)
        this = (reports.c.id == id) & reports.c.closed_at.is_(None)
        async with self._database.write() as connection:
            wanted = update(reports).where(this if anyway else this & free).values(taken_by=actor)
            return bool((await connection.execute(wanted)).rowcount)

    async def release(self, id: str, actor: str) -> None:
        this = (reports.c.id == id) & (reports.c.taken_by == actor) & reports.c.closed_at.is_(None)
        async with self._database.write() as connection:
            await connection.execute(update(reports).where(this).values(taken_by=None))

    async def close(self, deed: Deed, outcome: str, now: datetime) -> bool:
        """False where somebody else has it, or it is closed. `deed.object` is the report; what was sealed for it ends
        with it."""
        mine = (reports.c.id == deed.object) & (reports.c.taken_by == deed.actor)
        values = {
            "closed_at": milliseconds(now),
            "closed_by": deed.actor,
            "outcome": outcome,
            "reason": deed.reason,
            "open_subject": None,
        }
        async with self._database.write() as connection:
            closing = update(reports).where(mine, reports.c.closed_at.is_(None)).values(**values)
            if not (await connection.execute(closing)).rowcount:
                return False
            await evidence.expire(connection, deed.object, milliseconds(now))
            await record(connection, deed, now)
        return True


async def _file(
    connection: AsyncConnection,
    about: About,
    reporter: str,
    reason: Reason,
    text: str,
    at_ms: int | None,
    now: int,
) -> Said:
    """Raises IntegrityError."""
    open_one = select(reports).where(reports.c.open_subject == about.subject).with_for_update()
    row = (await connection.execute(open_one)).first()
    report_id = row.id if row is not None else new_id()
    if row is None:
        values = {"id": report_id, "account_id": about.account, "room_id": about.room, "voices": 0}
        more = {"open_subject": about.subject, "opened_at": now, "rank": now}
        await connection.execute(insert(reports).values(**values, **more))
    mine = (report_voices.c.report_id == report_id) & (report_voices.c.reporter == reporter)
    before = (await connection.execute(select(report_voices).where(mine))).first()
    said: dict[str, Any] = {"reason": reason.value, "text": text, "at_ms": at_ms, "at": now}
    if before is None:
        said |= {"id": new_id(), "report_id": report_id, "reporter": reporter}
        await connection.execute(insert(report_voices).values(**said))
    else:
        said["text"] = joined(before.text, text)
        said["at_ms"] = at_ms if at_ms is not None else before.at_ms
        await connection.execute(update(report_voices).where(mine).values(**said))
    reasons = (await _reasons(connection, [report_id]))[report_id]
    voices = sum(reasons.values())
    urgency = rank(row.opened_at if row is not None else now, voices, frozenset(reasons))
    ranked = update(reports).where(reports.c.id == report_id).values(voices=voices, rank=urgency)
    await connection.execute(ranked)
    report = (await connection.execute(select(reports).where(reports.c.id == report_id))).one()
    return Said(_voice((await connection.execute(select(report_voices).where(mine))).one()), _report(report))


async def _reasons(connection: AsyncConnection, report_ids: Sequence[str]) -> dict[str, dict[Reason, int]]:
    """How many voices of each report say what."""
    query = select(report_voices.c.report_id, report_voices.c.reason, func.count().label("voices"))
    query = query.where(report_voices.c.report_id.in_(sorted(report_ids)))
    found: dict[str, dict[Reason, int]] = {id: {} for id in report_ids}
    for row in await connection.execute(query.group_by(report_voices.c.report_id, report_voices.c.reason)):
        found[row.report_id][Reason(row.reason)] = row.voices
    return found


def _not_about(account_id: str | None) -> ColumnElement[bool]:
    return reports.c.account_id != account_id if account_id is not None else true()


def _prefixed() -> list[Any]:
    return [column.label(f"r_{column.name}") for column in reports.c]


def _report(row: Row[Any], prefix: str = "") -> Report:
    names = Report.__dataclass_fields__
    return Report(**{name: getattr(row, prefix + name) for name in names})


def _voice(row: Row[Any]) -> Voice:
    return Voice(row.id, row.report_id, row.reporter, Reason(row.reason), row.text, row.at_ms, row.at)
