"""Whom a host has removed from all their rooms."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, literal, select, tuple_
from sqlalchemy.exc import IntegrityError

from parola.store.accounts import account_of
from parola.store.cursors import make_cursor, parse_cursor
from parola.store.database import Database
from parola.store.relations import PeoplePage
from parola.store.tables import accounts, kept_out


class KeptOut:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, host: str, person: str, most: int, now: int) -> bool:
        """`now` in milliseconds since 1970. False where there are as many as there may be."""
        mine = kept_out.c.host == host
        try:
            async with self._database.write() as connection:
                count = select(func.count()).where(mine, kept_out.c.person != person)
                if (await connection.execute(count)).scalar_one() >= most:
                    return False
                await connection.execute(insert(kept_out).values(host=host, person=person, since=now))
        except IntegrityError:
            return True
        return True

    async def remove(self, host: str, person: str) -> bool:
        this = (kept_out.c.host == host) & (kept_out.c.person == person)
        async with self._database.write() as connection:
            return bool((await connection.execute(delete(kept_out).where(this))).rowcount)

    async def of(self, host: str) -> frozenset[str]:
        async with self._database.read() as connection:
            rows = await connection.execute(select(kept_out.c.person).where(kept_out.c.host == host))
            return frozenset(row.person for row in rows)

    async def has(self, host: str, person: str) -> bool:
        this = (kept_out.c.host == host) & (kept_out.c.person == person)
        async with self._database.read() as connection:
            return (await connection.execute(select(kept_out.c.host).where(this))).first() is not None

    async def page(self, host: str, cursor: str | None, limit: int) -> PeoplePage:
        """Those first who came last. Raises BadCursor."""
        query = select(kept_out.c.since, accounts).join(accounts, accounts.c.id == kept_out.c.person)
        query = query.where(kept_out.c.host == host)
        if cursor is not None:
            last_seen = tuple_(*map(literal, parse_cursor(cursor)))
            query = query.where(tuple_(kept_out.c.since, kept_out.c.person) < last_seen)
        query = query.order_by(kept_out.c.since.desc(), kept_out.c.person.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        people = tuple(account_of(row) for row in rows[:limit])
        return PeoplePage(people, make_cursor(last.since, last.id) if last is not None else None)
