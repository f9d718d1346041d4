"""Mail that waits to be sent. Several processes take from it, and each letter goes to one of them at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.store.database import Database
from parola.store.tables import outbox


@dataclass(frozen=True, slots=True)
class Letter:
    """`tries` counts the one for which it was taken. Of a notice, `room_id` and `account_id` are which room started and
    who is told, and `unsubscribe` the address that ends such mail (RFC 8058)."""

    id: str
    recipient: str
    subject: str
    body: str
    tries: int = 0
    room_id: str | None = None
    account_id: str | None = None
    unsubscribe: str | None = None


class Outbox:
    """Times are milliseconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, letters: Iterable[Letter], now: int) -> None:
        async with self._database.write() as connection:
            await put_letters(connection, letters, now)

    async def take(self, now: int, until: int, limit: int) -> list[Letter]:
        """Those that are due, and until `until` nobody else's: whoever dies with one leaves it to the others then.
        What somebody waits for comes before notices, however many there are."""
        order = (outbox.c.room_id.is_not(None), outbox.c.due_at)
        query = select(outbox).where(outbox.c.due_at <= now).order_by(*order).limit(limit)
        async with self._database.read() as connection:
            due = (await connection.execute(query)).all()
        taken = []
        for row in due:
            as_seen = (outbox.c.id == row.id) & (outbox.c.due_at == row.due_at)
            async with self._database.write() as connection:
                mine = await connection.execute(
                    update(outbox).where(as_seen).values(due_at=until, tries=row.tries + 1)
                )
            if mine.rowcount:
                taken.append(_letter(row))
        return taken

    async def notices(self) -> int:
        """How many notices wait."""
        query = select(func.count()).where(outbox.c.room_id.is_not(None), outbox.c.due_at.is_not(None))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def sent(self, id: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(outbox).where(outbox.c.id == id))

    async def failed(self, id: str, reason: str, again_at: int | None) -> None:
        """`again_at` is None where nobody is to try any more; it stays, so that somebody can look into it."""
        values = {"failure": reason, "due_at": again_at}
        async with self._database.write() as connection:
            await connection.execute(update(outbox).where(outbox.c.id == id).values(**values))


async def put_letters(connection: AsyncConnection, letters: Iterable[Letter], now: int) -> None:
    rows = [
        {
            "id": letter.id,
            "recipient": letter.recipient,
            "subject": letter.subject,
            "body": letter.body,
            "created_at": now,
            "due_at": now,
            "tries": 0,
            "room_id": letter.room_id,
            "account_id": letter.account_id,
            "unsubscribe": letter.unsubscribe,
        }
        for letter in letters
    ]
    if rows:
        await connection.execute(insert(outbox), rows)


def _letter(row: Row[Any]) -> Letter:
    """As it is taken: this try counts."""
    return Letter(
        row.id,
        row.recipient,
        row.subject,
        row.body,
        row.tries + 1,
        row.room_id,
        row.account_id,
        row.unsubscribe,
    )
