"""Sessions: opaque tokens, of which only the hash is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select

from parola.store.accounts import Account, account_of
from parola.store.database import Database
from parola.store.tables import accounts, sessions


@dataclass(frozen=True, slots=True)
class Session:
    id: str
    account: Account
    began_at: datetime


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, id: str, token_hash: str, account_id: str, now: datetime) -> None:
        values = {"id": id, "token_hash": token_hash, "account_id": account_id, "created_at": now.isoformat()}
        async with self._database.write() as connection:
            await connection.execute(insert(sessions).values(**values))

    async def by_token_hash(self, token_hash: str) -> Session | None:
        """In one query, with the account: this is asked on every call. One that began while its account was suspended,
        or deleted, is none."""
        query = (
            select(sessions.c.id.label("session_id"), sessions.c.created_at.label("began_at"), accounts)
            .join(accounts, accounts.c.id == sessions.c.account_id)
            .where(sessions.c.token_hash == token_hash, _is_let_in())
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return Session(row.session_id, account_of(row), datetime.fromisoformat(row.began_at))

    async def begun(self, account_id: str) -> list[str]:
        """When each session of an account began, ISO 8601, the oldest first."""
        query = select(sessions.c.created_at).where(sessions.c.account_id == account_id)
        async with self._database.read() as connection:
            return [row.created_at for row in await connection.execute(query.order_by(sessions.c.created_at))]

    async def end(self, id: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == id))

    async def alive(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that have not ended."""
        wanted = sorted(set(ids))
        found: set[str] = set()
        async with self._database.read() as connection:
            for at in range(0, len(wanted), 500):
                part = wanted[at : at + 500]
                query = select(sessions.c.id).join(accounts, accounts.c.id == sessions.c.account_id)
                query = query.where(sessions.c.id.in_(part), _is_let_in())
                rows = await connection.execute(query)
                found.update(row.id for row in rows)
        return found


def _is_let_in() -> ColumnElement[bool]:
    return and_(accounts.c.suspended_at.is_(None), accounts.c.deleted_at.is_(None))
