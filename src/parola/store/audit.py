"""The audit log: entries are added in the transaction of what they tell of, one after the other, and never changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import FIRST, Deed, Entry, sealed
from parola.store.database import Database
from parola.store.tables import audit

_LOCK = 0x7061726F6C6161  # "parolaa", beside the lock of migrations


class Audit:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, deed: Deed, now: datetime) -> None:
        """By itself, for what is carried out elsewhere."""
        async with self._database.write() as connection:
            await record(connection, deed, now)

    async def before(self, seq: int | None, limit: int) -> list[Entry]:
        """The newest first; only those before `seq` where it is given."""
        query = select(audit).order_by(audit.c.seq.desc()).limit(limit)
        if seq is not None:
            query = query.where(audit.c.seq < seq)
        return await self._read(query)

    async def after(self, seq: int, limit: int) -> list[Entry]:
        """The oldest first."""
        return await self._read(select(audit).where(audit.c.seq > seq).order_by(audit.c.seq).limit(limit))

    async def _read(self, query: Any) -> list[Entry]:
        async with self._database.read() as connection:
            return [_entry(row) for row in await connection.execute(query)]


async def alone(connection: AsyncConnection) -> None:
    """From here on this is the only transaction that administers, until it ends. On SQLite it is the only one that
    writes anything."""
    if connection.dialect.name == "postgresql":
        await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))


async def record(connection: AsyncConnection, deed: Deed, now: datetime) -> None:
    await alone(connection)
    last = (await connection.execute(select(audit).order_by(audit.c.seq.desc()).limit(1))).first()
    seq, before = (last.seq, last.hash) if last is not None else (0, FIRST)
    entry = sealed(seq + 1, now.isoformat(), deed, before)
    values = {
        "seq": entry.seq,
        "at": entry.at,
        "actor": deed.actor,
        "action": deed.action,
        "kind": deed.kind,
        "object": deed.object,
        "reason": deed.reason,
        "before": entry.before,
        "hash": entry.seal,
    }
    await connection.execute(insert(audit).values(**values))


def _entry(row: Row[Any]) -> Entry:
    deed = Deed(row.actor, row.action, row.kind, row.object, row.reason)
    return Entry(row.seq, row.at, deed, row.before, row.hash)
