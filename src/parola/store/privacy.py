"""Whether an account says who follows it, and what becomes of those who wait when it opens to all.

Invariant: of each request either it is there, or the follow that came of it, or it was refused or taken back.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, delete, exists, literal, select, update

from parola.store.database import Database
from parola.store.relations import Id, blocked_between, put_rows
from parola.store.tables import accounts, follow_requests, follows

_MOVED_AT_ONCE = 1000
"""In one transaction: a database cuts off those that take too long."""
_waiting = follow_requests.alias("waiting")


class Privacy:
    """`now` is milliseconds since 1970."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def set(self, id: str, private: bool, now: int) -> None:
        """Whoever waits for an answer when an account opens follows it. It is open first: who asks meanwhile need not
        wait, and where this breaks off `let_in_waiting` goes on."""
        async with self._database.write() as connection:
            await connection.execute(update(accounts).where(accounts.c.id == id).values(private=private))
        if not private:
            await self._let_in(id, now)

    async def let_in_waiting(self, now: int) -> None:
        """Whoever waits for an account that is open."""
        query = select(accounts.c.id).where(_is_open(follow_requests.c.followed)).distinct()
        async with self._database.read() as connection:
            opened = [row.id for row in await connection.execute(query)]
        for id in opened:
            await self._let_in(id, now)

    async def _let_in(self, id: str, now: int) -> None:
        """Whose request goes here is the one who follows: nobody does who is refused, or thinks better of it, at the
        same moment."""
        some = select(_waiting.c.follower).where(_waiting.c.followed == id, exists().where(_is_open(id)))
        these = and_(
            follow_requests.c.followed == id, follow_requests.c.follower.in_(some.limit(_MOVED_AT_ONCE))
        )
        take = delete(follow_requests).where(these).returning(follow_requests.c.follower)
        while True:
            async with self._database.write() as connection:
                taken = [row.follower for row in await connection.execute(take)]
                if not taken:
                    return
                free = and_(accounts.c.id.in_(taken), ~blocked_between(accounts.c.id, id))
                values = select(accounts.c.id, literal(id), literal(now)).where(free)
                await put_rows(connection, follows, values)


def _is_open(id: Id) -> ColumnElement[bool]:
    """Of a row of `accounts`."""
    return and_(accounts.c.id == id, accounts.c.private.is_(False))
