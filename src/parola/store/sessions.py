"""Sessions: opaque tokens, of which only the hash is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, insert, select, update

from parola.domain.devices import Device
from parola.domain.moments import milliseconds
from parola.domain.signing_in import UNUSED, hour_of
from parola.store.accounts import Account, account_of
from parola.store.database import Database
from parola.store.tables import accounts, sessions

_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Session:
    """Times are milliseconds since 1970; `seen_at` is the beginning of an hour. `narrow`: of somebody who is suspended,
    for notices and appeals alone."""

    id: str
    account: Account
    seen_at: int = 0
    proved_at: int = 0
    narrow: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """A session as its owner is shown it."""

    id: str
    device: Device
    created_at: str
    seen_at: int


class Sessions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        id: str,
        token_hash: str,
        account_id: str,
        now: datetime,
        device: Device | None = None,
        narrow: bool = False,
    ) -> None:
        device, moment = device or Device(), milliseconds(now)
        values = {
            "id": id,
            "token_hash": token_hash,
            "account_id": account_id,
            "created_at": now.isoformat(),
            "browser": device.browser,
            "system": device.system,
            "seen_at": hour_of(moment),
            "proved_at": moment,
            "narrow": narrow,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(sessions).values(**values))

    async def by_token_hash(self, token_hash: str, now: datetime) -> Session | None:
        """In one query, with the account: this is asked on every call. Of somebody who is suspended only a narrow one
        is any, of everybody else only one that is not, and of a deleted account none; nor is one that nobody has used
        for too long."""
        query = (
            select(
                sessions.c.id.label("session_id"),
                sessions.c.seen_at,
                sessions.c.proved_at,
                sessions.c.narrow,
                accounts,
            )
            .join(accounts, accounts.c.id == sessions.c.account_id)
            .where(sessions.c.token_hash == token_hash)
            .where(_holds())
            .where(sessions.c.seen_at > milliseconds(now - UNUSED))
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return Session(row.session_id, account_of(row), row.seen_at, row.proved_at, row.narrow)

    async def of(self, account_id: str, now: datetime) -> list[Begun]:
        """Those that hold, the last used first."""
        query = (
            select(sessions)
            .where(sessions.c.account_id == account_id, sessions.c.seen_at > milliseconds(now - UNUSED))
            .order_by(sessions.c.seen_at.desc(), sessions.c.created_at.desc(), sessions.c.id)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [Begun(r.id, Device(r.browser, r.system), r.created_at, r.seen_at) for r in rows]

    async def seen(self, ids: Iterable[str], hour: int) -> None:
        """That they were used in this hour."""
        wanted = sorted(set(ids))
        async with self._database.write() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                these = sessions.c.id.in_(wanted[at : at + _AT_ONCE]) & (sessions.c.seen_at < hour)
                await connection.execute(update(sessions).where(these).values(seen_at=hour))

    async def prove(self, id: str, now: datetime) -> None:
        values = {"proved_at": milliseconds(now)}
        async with self._database.write() as connection:
            await connection.execute(update(sessions).where(sessions.c.id == id).values(**values))

    async def end(self, id: str) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(sessions).where(sessions.c.id == id))

    async def end_of(self, account_id: str, id: str) -> bool:
        """False where it is not theirs."""
        this = (sessions.c.id == id) & (sessions.c.account_id == account_id)
        async with self._database.write() as connection:
            return bool((await connection.execute(delete(sessions).where(this))).rowcount)

    async def end_others(self, account_id: str, but: str) -> list[str]:
        """Which they were."""
        these = (sessions.c.account_id == account_id) & (sessions.c.id != but)
        async with self._database.write() as connection:
            ended = await connection.execute(delete(sessions).where(these).returning(sessions.c.id))
            return list(ended.scalars())

    async def forget_unused(self, now: datetime) -> list[str]:
        """Ends those that nobody has used for too long; which they were."""
        old = sessions.c.seen_at <= milliseconds(now - UNUSED)
        async with self._database.write() as connection:
            ended = await connection.execute(delete(sessions).where(old).returning(sessions.c.id))
            return list(ended.scalars())

    async def alive(self, ids: Iterable[str]) -> set[str]:
        """Those of `ids` that have not ended."""
        wanted = sorted(set(ids))
        found: set[str] = set()
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                part = wanted[at : at + _AT_ONCE]
                query = select(sessions.c.id).join(accounts, accounts.c.id == sessions.c.account_id)
                query = query.where(sessions.c.id.in_(part), _holds())
                rows = await connection.execute(query)
                found.update(row.id for row in rows)
        return found


def _holds() -> ColumnElement[bool]:
    return and_(sessions.c.narrow == accounts.c.suspended_at.is_not(None), accounts.c.deleted_at.is_(None))
