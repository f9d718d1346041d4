"""What was sealed for reports: where it lies and until when; and the tickets by which it is heard once.

Invariant: a row is written after its object and deleted after it, so that whatever is left over by a death between the
two is an object without a row, or a row whose object is deleted again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.domain.moments import milliseconds
from parola.store.audit import record
from parola.store.database import Database
from parola.store.tables import evidence, evidence_tickets, reports

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class SealedEvidence:
    """`path` is its object's; times in milliseconds since 1970; `key_id` of the key that opens it."""

    report_id: str
    room_id: str
    path: str
    key_id: str
    size: int
    sealed_at: int
    expires_at: int


class EvidenceRows:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, sealed: SealedEvidence, before: SealedEvidence | None) -> bool:
        """In the place of `before`. False where by now something else is there, it is over, or the report is closed: of
        closing it and this one comes first, and either way nothing outlives the report."""
        is_closed = select(reports.c.closed_at).where(reports.c.id == sealed.report_id).with_for_update()
        try:
            async with self._database.write() as connection:
                if (await connection.execute(is_closed)).scalar() is not None:
                    return False
                if before is None:
                    await connection.execute(insert(evidence).values(**_values(sealed)))
                    return True
                same = (evidence.c.report_id == before.report_id) & (evidence.c.path == before.path)
                lasts = evidence.c.expires_at > sealed.sealed_at
                placed = update(evidence).where(same, lasts).values(**_values(sealed))
                return bool((await connection.execute(placed)).rowcount)
        except IntegrityError:
            return False

    async def of(self, report_id: str) -> SealedEvidence | None:
        """Also what has expired and is not deleted yet."""
        async with self._database.read() as connection:
            row = (
                await connection.execute(select(evidence).where(evidence.c.report_id == report_id))
            ).first()
        return _sealed(row) if row is not None else None

    async def expire(self, report_id: str, now: int) -> SealedEvidence | None:
        """It ends now, not later; None where there is none."""
        mine = evidence.c.report_id == report_id
        async with self._database.write() as connection:
            await expire(connection, report_id, now)
            row = (await connection.execute(select(evidence).where(mine))).first()
        return _sealed(row) if row is not None else None

    async def take(self, now: int, until: int, limit: int) -> list[SealedEvidence]:
        """What has expired, and is nobody else's to delete until `until`."""
        free = evidence.c.taken_until.is_(None) | (evidence.c.taken_until <= now)
        due = select(evidence).where(evidence.c.expires_at <= now, free).order_by(evidence.c.expires_at)
        async with self._database.read() as connection:
            rows = (await connection.execute(due.limit(limit))).all()
        taken = []
        for row in rows:
            as_seen = (evidence.c.report_id == row.report_id) & (
                evidence.c.taken_until.is_not_distinct_from(row.taken_until)
            )
            async with self._database.write() as connection:
                mine = await connection.execute(update(evidence).where(as_seen).values(taken_until=until))
            if mine.rowcount:
                taken.append(_sealed(row))
        return taken

    async def remove(self, report_id: str) -> None:
        """The row, and tickets to it."""
        async with self._database.write() as connection:
            await connection.execute(
                delete(evidence_tickets).where(evidence_tickets.c.report_id == report_id)
            )
            await connection.execute(delete(evidence).where(evidence.c.report_id == report_id))

    async def paths_among(self, paths: Iterable[str]) -> set[str]:
        """Those that belong to a row."""
        wanted, found = sorted(set(paths)), set()
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                query = select(evidence.c.path).where(evidence.c.path.in_(wanted[at : at + _AT_ONCE]))
                found |= {row.path for row in await connection.execute(query)}
        return found

    async def allow(self, token_hash: str, report_id: str, until: int, deed: Deed, now: datetime) -> None:
        """A ticket, with the entry in the audit log that it stands for; tickets that ran out go."""
        ms = milliseconds(now)
        values = {"token_hash": token_hash, "report_id": report_id, "actor": deed.actor, "expires_at": until}
        async with self._database.write() as connection:
            await record(connection, deed, now)
            await connection.execute(delete(evidence_tickets).where(evidence_tickets.c.expires_at <= ms))
            await connection.execute(insert(evidence_tickets).values(**values))

    async def redeem(self, token_hash: str, report_id: str, actor: str, now: int) -> bool:
        """True once, for who got it."""
        holds = (
            (evidence_tickets.c.token_hash == token_hash)
            & (evidence_tickets.c.report_id == report_id)
            & (evidence_tickets.c.actor == actor)
            & (evidence_tickets.c.expires_at > now)
        )
        async with self._database.write() as connection:
            return bool((await connection.execute(delete(evidence_tickets).where(holds))).rowcount)


async def expire(connection: AsyncConnection, report_id: str, now: int) -> None:
    still = (evidence.c.report_id == report_id) & (evidence.c.expires_at > now)
    await connection.execute(update(evidence).where(still).values(expires_at=now))


def _values(sealed: SealedEvidence) -> dict[str, Any]:
    return {name: getattr(sealed, name) for name in SealedEvidence.__slots__}


def _sealed(row: Row[Any]) -> SealedEvidence:
    return SealedEvidence(
        row.report_id, row.room_id, row.path, row.key_id, row.size, row.sealed_at, row.expires_at
    )
