"""Accounts, and finding some among many."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, bindparam, case, exists, insert, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.people import skeleton
from parola.domain.search import fold
from parola.store.codes import redeem
from parola.store.database import Database
from parola.store.tables import accounts, blocks, resting_handles

_BY_IDS = select(accounts).where(accounts.c.id.in_(bindparam("ids", expanding=True)))
"""Made once: to make it of fifty ids takes longer than to ask."""
MEMBER, ADMINISTRATOR = "member", "administrator"
"""What a role can be."""

Also = Callable[[AsyncConnection], Awaitable[None]]
"""What is written together with something else, in its transaction."""


class HandleTaken(Exception):
    """Another account has this handle, or one that looks like it."""


class AccountGone(Exception):
    """Nothing is given to an account that is being deleted, and nothing changed of it."""


class InviteSpent(Exception):
    """The invitation does not hold, or not any more."""


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    handle: str
    name: str
    bio: str
    password_hash: str | None
    listen_unseen: bool = False
    """Whether they stay out of the audience that others see."""
    private: bool = False
    """Whether they say who may follow them, and past rooms and lists are for those alone."""
    created_at: str = ""
    role: str = MEMBER
    suspended: bool = False
    invited_by: str | None = None
    language: str | None = None
    """In which they are written to; None where they have not said."""
    picture: str | None = None
    """The version of their picture."""
    deleted: bool = False


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(
        self,
        id: str,
        handle: str,
        name: str,
        password_hash: str | None,
        now: datetime,
        code: str | None = None,
        also: Also | None = None,
    ) -> Account:
        """With `code` an invitation is used up for it, in the same transaction; `also` writes another way of signing in
        than a password. Raises HandleTaken, InviteSpent, and whatever `also` does."""
        values: dict[str, Any] = {
            "id": id,
            "handle": handle,
            "name": name,
            "bio": "",
            "password_hash": password_hash,
        }
        try:
            async with self._database.write() as connection:
                if await _is_resting(connection, handle, now):
                    raise HandleTaken(handle)
                if code is not None:
                    holds, values["invited_by"] = await redeem(connection, code, id, now)
                    if not holds:
                        raise InviteSpent()
                await connection.execute(
                    insert(accounts).values(
                        **values,
                        search=_words(handle, name),
                        skeleton=skeleton(handle),
                        created_at=now.isoformat(),
                    )
                )
                if also is not None:
                    await also(connection)
        except IntegrityError as error:
            raise HandleTaken(handle) from error
        return Account(**values, created_at=now.isoformat())

    async def is_taken(self, handle: str, now: datetime) -> bool:
        """Whether `add` would say so."""
        alike = or_(accounts.c.handle == handle, accounts.c.skeleton == skeleton(handle))
        async with self._database.read() as connection:
            if await _is_resting(connection, handle, now):
                return True
            return (await connection.execute(select(accounts.c.id).where(alike).limit(1))).first() is not None

    async def by_handle(self, handle: str, also_deleted: bool = False) -> Account | None:
        there = accounts.c.handle == handle
        if not also_deleted:
            there = and_(there, accounts.c.deleted_at.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(select(accounts).where(there))).first()
        return account_of(row) if row is not None else None

    async def by_ids(self, ids: Iterable[str]) -> dict[str, Account]:
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        async with self._database.read() as connection:
            rows = (await connection.execute(_BY_IDS, {"ids": wanted})).all()
        return {row.id: account_of(row) for row in rows}

    async def update(
        self,
        account: Account,
        name: str | None,
        bio: str | None,
        listen_unseen: bool | None,
        language: str | None = None,
    ) -> Account:
        """The account with what is not None in place of what was."""
        wanted = {"name": name, "bio": bio, "listen_unseen": listen_unseen, "language": language}
        changes: dict[str, Any] = {key: value for key, value in wanted.items() if value is not None}
        if not changes:
            return account
        after = replace(account, **changes)
        changes["search"] = _words(after.handle, after.name)
        async with self._database.write() as connection:
            await connection.execute(update(accounts).where(_is(account.id)).values(**changes))
        return after

    async def set_picture(self, id: str, version: str | None) -> str | None:
        """The version before. Raises AccountGone."""
        async with self._database.write() as connection:
            await lock(connection, id)
            before: str | None = (
                await connection.execute(select(accounts.c.picture).where(_is(id)))
            ).scalar()
            await connection.execute(update(accounts).where(_is(id)).values(picture=version))
        return before

    async def search(self, words: str, limit: int, viewer: str | None = None) -> list[Account]:
        """Whose handle or name has `words`, folded, in it; those first where one of the two begins with them. A block
        keeps either from the other."""
        at_the_start = or_(
            accounts.c.search.startswith(words, autoescape=True),
            accounts.c.search.contains("\n" + words, autoescape=True),
        )
        query = (
            select(accounts)
            .where(accounts.c.search.contains(words, autoescape=True))
            .order_by(case((at_the_start, 0), else_=1), accounts.c.handle)
            .limit(limit)
        )
        if viewer is not None:
            for one, other in ((blocks.c.blocker, blocks.c.blocked), (blocks.c.blocked, blocks.c.blocker)):
                query = query.where(~exists().where(one == viewer, other == accounts.c.id))
        async with self._database.read() as connection:
            return [account_of(row) for row in await connection.execute(query)]


def account_of(row: Row[Any]) -> Account:
    """From a row that has all columns of the table."""
    return Account(
        row.id,
        row.handle,
        row.name,
        row.bio,
        row.password_hash,
        row.listen_unseen,
        row.private,
        row.created_at,
        row.role,
        row.suspended_at is not None,
        row.invited_by,
        row.language,
        row.picture,
        row.deleted_at is not None,
    )


async def lock(connection: AsyncConnection, id: str) -> None:
    """One after the other for each account: on SQLite all who write are. Raises AccountGone."""
    found = await connection.execute(select(accounts.c.id).where(_is(id)).with_for_update())
    if found.first() is None:
        raise AccountGone()


async def _is_resting(connection: AsyncConnection, handle: str, now: datetime) -> bool:
    """Whether it, or what looks like it, was a deleted account's not long ago."""
    rests = or_(resting_handles.c.handle == handle, resting_handles.c.skeleton == skeleton(handle))
    query = select(resting_handles.c.handle).where(rests, resting_handles.c.until > milliseconds(now))
    return (await connection.execute(query.limit(1))).first() is not None


def _is(id: str) -> ColumnElement[bool]:
    """What is being deleted is not changed any more."""
    return and_(accounts.c.id == id, accounts.c.deleted_at.is_(None))


def _words(handle: str, name: str) -> str:
    return f"{handle}\n{fold(name)}"
