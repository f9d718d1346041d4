"""Who waits for an invitation, in the order in which they came."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.domain.moments import milliseconds
from parola.store.audit import alone, record
from parola.store.database import Database
from parola.store.invites import Invitation, put_invitations
from parola.store.outbox import Letter, put_letters
from parola.store.tables import waitlist

Invite = Callable[[str, str], tuple[Invitation, Letter]]
"""From an address and a language."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """`place` only grows; `created_at` in milliseconds since 1970."""

    place: int
    email: str
    handle: str | None
    language: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Chosen:
    """Whose turn it is: those at `places`, or the `first` so many, or all who came before `before` (milliseconds), or
    as many as are left of `a_day` of those who had their turn since `day_began`, by whomever."""

    places: tuple[int, ...] = ()
    first: int | None = None
    before: int | None = None
    a_day: int | None = None
    day_began: int = 0


class Waitlist:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def join(self, email: str, handle: str | None, language: str, token_hash: str, now: int) -> int:
        """The position."""
        values = {
            "email": email,
            "handle": handle,
            "language": language,
            "token_hash": token_hash,
            "created_at": now,
        }
        async with self._database.write() as connection:
            await connection.execute(insert(waitlist).values(**values))
        position = await self.position(token_hash)
        return position or 1  # approved within this moment

    async def position(self, token_hash: str) -> int | None:
        """1 is whose turn is next, 0 who was approved; None for a token that there is not."""
        mine = waitlist.alias("mine")
        ahead = (
            select(func.count())
            .select_from(waitlist)
            .where(waitlist.c.approved_at.is_(None), waitlist.c.place <= mine.c.place)
            .correlate(mine)
            .scalar_subquery()
        )
        query = select(mine.c.approved_at, ahead.label("ahead")).where(mine.c.token_hash == token_hash)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return int(row.ahead) if row.approved_at is None else 0

    async def leave(self, token_hash: str) -> bool:
        """What else the same address has there stays: who joined with it proved nothing. False where there is none."""
        mine = waitlist.c.token_hash == token_hash
        async with self._database.write() as connection:
            return bool((await connection.execute(delete(waitlist).where(mine))).rowcount)

    async def forget_approved(self, before: int) -> None:
        """Addresses whose turn came before then."""
        async with self._database.write() as connection:
            await connection.execute(delete(waitlist).where(waitlist.c.approved_at < before))

    async def waiting(self, after: int, limit: int) -> list[Waiting]:
        """Those behind place `after`."""
        query = select(waitlist).where(waitlist.c.approved_at.is_(None), waitlist.c.place > after)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(waitlist.c.place).limit(limit))
            return [_waiting(row) for row in rows]

    async def count(self) -> int:
        query = select(func.count()).where(waitlist.c.approved_at.is_(None))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def approve(self, chosen: Chosen, most: int, invite: Invite, deed: Deed, now: datetime) -> int:
        """An invitation and a letter for each address, at most `most`; all of it or nothing. An address that waits
        twice has its turn once."""
        ms = milliseconds(now)
        query = (
            select(waitlist).where(waitlist.c.approved_at.is_(None), *_are(chosen)).order_by(waitlist.c.place)
        )
        async with self._database.write() as connection:
            await alone(connection)
            if chosen.a_day is not None:
                most = min(most, max(0, chosen.a_day - await _since(connection, chosen.day_began)))
            rows = (await connection.execute(query.limit(min(most, chosen.first or most)))).all()
            by_email = {row.email: _waiting(row) for row in reversed(rows)}
            await _invite(connection, [(email, one.language) for email, one in by_email.items()], invite, ms)
            if by_email:
                await record(connection, deed, now)
        return len(by_email)

    async def invite_all(
        self, people: Sequence[tuple[str, str]], invite: Invite, deed: Deed, now: datetime
    ) -> None:
        """(address, language) each, whether they wait or not; all of them or nobody."""
        ms = milliseconds(now)
        async with self._database.write() as connection:
            await alone(connection)
            await _invite(connection, people, invite, ms)
            await record(connection, deed, now)


async def _invite(
    connection: AsyncConnection, people: Sequence[tuple[str, str]], invite: Invite, ms: int
) -> None:
    """In a few statements, however many there are: nobody else writes meanwhile."""
    made = [invite(email, language) for email, language in people]
    await put_invitations(connection, (invitation for invitation, _ in made))
    await put_letters(connection, (letter for _, letter in made), ms)
    emails = [email for email, _ in people]
    for at in range(0, len(emails), _AT_ONCE):
        theirs = waitlist.c.email.in_(emails[at : at + _AT_ONCE]) & waitlist.c.approved_at.is_(None)
        await connection.execute(update(waitlist).where(theirs).values(approved_at=ms))


async def _since(connection: AsyncConnection, began: int) -> int:
    """How many addresses have had their turn."""
    query = select(func.count(waitlist.c.email.distinct())).where(waitlist.c.approved_at > began)
    return int((await connection.execute(query)).scalar_one())


def _are(chosen: Chosen) -> list[ColumnElement[bool]]:
    if chosen.places:
        return [waitlist.c.place.in_(chosen.places)]
    return [waitlist.c.created_at < chosen.before] if chosen.before is not None else []


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(row.place, row.email, row.handle, row.language, row.created_at)
