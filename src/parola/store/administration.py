"""Roles, suspensions, and the links by which somebody becomes an administrator.

Invariant: what is done to people and the entry that tells of it are one transaction, and those come one after another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.domain.moderation import Measure
from parola.domain.moments import milliseconds
from parola.store import measures
from parola.store.accounts import ADMINISTRATOR, MEMBER, Account, account_of
from parola.store.audit import alone, record
from parola.store.database import Database
from parola.store.tables import accounts, claims, invites, sessions

_AT_ONCE = 500


class LastAdministrator(Exception):
    """Nobody would be left."""


@dataclass(frozen=True, slots=True)
class Suspended:
    """`changed`: for whom anything is other than before; `ended`: the sessions of those who were not suspended yet, by
    account."""

    changed: tuple[str, ...]
    ended: dict[str, list[str]]


class Administration:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def people(self, words: str, after: str, limit: int) -> list[Account]:
        """By handle, those behind `after`; whose handle or name has `words`, folded, in it."""
        shown = (accounts.c.handle > after) & accounts.c.deleted_at.is_(None)
        query = select(accounts).where(shown).order_by(accounts.c.handle).limit(limit)
        if words:
            query = query.where(accounts.c.search.contains(words, autoescape=True))
        async with self._database.read() as connection:
            return [account_of(row) for row in await connection.execute(query)]

    async def suspend(
        self,
        deeds: Sequence[Deed],
        now: datetime,
        kind: Measure = Measure.SUSPEND,
        until: datetime | None = None,
        report_id: str | None = None,
    ) -> Suspended:
        """One deed names one account. Whoever is suspended in other terms already is so in these from now on. Raises
        LastAdministrator."""
        changed: list[str] = []
        ended: dict[str, list[str]] = {}
        async with self._database.write() as connection:
            await alone(connection)
            for deed in deeds:
                query = select(accounts.c.suspended_at).where(accounts.c.id == deed.object)
                was_free = (await connection.execute(query)).scalar() is None
                if await measures.suspend(connection, deed, kind, now, until, report_id):
                    await record(connection, deed, now)
                    changed.append(deed.object)
                if was_free:
                    ended[deed.object] = await end_sessions(connection, deed.object)
            if ended and await _any_administrator(connection, ended):
                await check_somebody_left(connection)
        return Suspended(tuple(changed), ended)

    async def restore(self, deed: Deed, now: datetime) -> bool:
        """Whether anything held: a suspension, or that they have no floor."""
        async with self._database.write() as connection:
            await alone(connection)
            held = await measures.restore(connection, deed, now)
            if held:
                await end_sessions(connection, deed.object, narrow=True)
                await record(connection, deed, now)
        return held

    async def set_role(self, role: str, deed: Deed, now: datetime) -> None:
        """Raises LastAdministrator."""
        mine = (accounts.c.id == deed.object) & (accounts.c.role != role)
        async with self._database.write() as connection:
            await alone(connection)
            if (await connection.execute(update(accounts).where(mine).values(role=role))).rowcount:
                await record(connection, deed, now)
                if role == MEMBER:
                    await check_somebody_left(connection)

    async def has_administrator(self) -> bool:
        there = (accounts.c.role == ADMINISTRATOR) & accounts.c.deleted_at.is_(None)
        query = select(accounts.c.id).where(there).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    async def add_claim(self, token_hash: str, expires_at: int, deed: Deed | None, now: datetime) -> None:
        """`expires_at` in milliseconds since 1970. It is an invitation, too: whoever is to administer a server that
        nobody enters without one needs an account first."""
        values = {"created_at": now.isoformat(), "expires_at": expires_at}
        async with self._database.write() as connection:
            await connection.execute(insert(claims).values(token_hash=token_hash, **values))
            await connection.execute(insert(invites).values(code_hash=token_hash, **values))
            if deed is not None:
                await record(connection, deed, now)

    async def claim(self, token_hash: str, deed: Deed, now: datetime) -> bool:
        """Makes the deed's account an administrator; False where the link does not hold. Of two at once exactly one
        gets True, and every other link ends with the one that was used."""
        holds = (claims.c.token_hash == token_hash) & (claims.c.expires_at > milliseconds(now))
        async with self._database.write() as connection:
            await alone(connection)
            if not (await connection.execute(delete(claims).where(holds))).rowcount:
                return False
            left = invites.c.code_hash.in_(select(claims.c.token_hash)) | (invites.c.code_hash == token_hash)
            unused = left & invites.c.used_by.is_(None)
            await connection.execute(update(invites).where(unused).values(revoked_at=now.isoformat()))
            await connection.execute(delete(claims))
            mine = accounts.c.id == deed.object
            await connection.execute(update(accounts).where(mine).values(role=ADMINISTRATOR))
            await record(connection, deed, now)
        return True

    async def branch(self, account_id: str) -> list[Account]:
        """Who came by the invitations of somebody, and by theirs, and so on; without the one at the root."""
        found: list[Account] = []
        async with self._database.read() as connection:
            level = [account_id]
            seen = {account_id}
            while level:
                rows: list[Row[Any]] = []
                for part in _parts(level):
                    query = (
                        select(accounts).where(accounts.c.invited_by.in_(part)).order_by(accounts.c.handle)
                    )
                    rows += (await connection.execute(query)).all()
                fresh = [account_of(row) for row in rows if row.id not in seen]
                seen.update(account.id for account in fresh)
                found += fresh
                level = [account.id for account in fresh]
        return found

    async def invited_by(self, account_id: str | None) -> list[Account]:
        """Whom somebody invited; for None those without an inviter who have invited somebody."""
        query = select(accounts).where(accounts.c.invited_by == account_id).order_by(accounts.c.handle)
        if account_id is None:
            inviting = select(accounts.c.invited_by).where(accounts.c.invited_by.is_not(None))
            query = select(accounts).where(accounts.c.invited_by.is_(None), accounts.c.id.in_(inviting))
            query = query.order_by(accounts.c.handle)
        async with self._database.read() as connection:
            return [account_of(row) for row in await connection.execute(query)]

    async def invited_counts(self, ids: Iterable[str]) -> dict[str, int]:
        """How many each of `ids` invited; whoever invited nobody is not there."""
        found: dict[str, int] = {}
        async with self._database.read() as connection:
            for part in _parts(sorted(set(ids))):
                query = (
                    select(accounts.c.invited_by, func.count().label("invited"))
                    .where(accounts.c.invited_by.in_(part))
                    .group_by(accounts.c.invited_by)
                )
                found.update({row.invited_by: row.invited for row in await connection.execute(query)})
        return found


async def end_sessions(connection: AsyncConnection, account_id: str, narrow: bool = False) -> list[str]:
    """All, or the narrow ones alone."""
    theirs = sessions.c.account_id == account_id
    if narrow:
        theirs &= sessions.c.narrow.is_(True)
    ended = [row.id for row in await connection.execute(select(sessions.c.id).where(theirs))]
    await connection.execute(delete(sessions).where(theirs))
    return ended


async def _any_administrator(connection: AsyncConnection, ids: Iterable[str]) -> bool:
    for part in _parts(sorted(ids)):
        query = (
            select(accounts.c.id).where(accounts.c.id.in_(part), accounts.c.role == ADMINISTRATOR).limit(1)
        )
        if (await connection.execute(query)).first() is not None:
            return True
    return False


async def check_somebody_left(connection: AsyncConnection) -> None:
    """Raises LastAdministrator."""
    let_in = accounts.c.suspended_at.is_(None) & accounts.c.deleted_at.is_(None)
    left = select(accounts.c.id).where(accounts.c.role == ADMINISTRATOR, let_in).limit(1)
    if (await connection.execute(left)).first() is None:
        raise LastAdministrator()


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))
