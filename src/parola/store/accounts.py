"""Accounts, and who follows whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from parola.store.database import Database
from parola.store.tables import accounts, follows


class HandleTaken(Exception):
    """Another account has this handle."""


@dataclass(frozen=True, slots=True)
class Account:
    id: str
    handle: str
    name: str
    bio: str
    password_hash: str


@dataclass(frozen=True, slots=True)
class FollowCounts:
    followers: int
    following: int


class Accounts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, id: str, handle: str, name: str, password_hash: str, now: datetime) -> Account:
        """Raises HandleTaken."""
        values = {"id": id, "handle": handle, "name": name, "bio": "", "password_hash": password_hash}
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(accounts).values(**values, created_at=now.isoformat()))
        except IntegrityError as error:
            raise HandleTaken(handle) from error
        return Account(**values)

    async def by_handle(self, handle: str) -> Account | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(accounts).where(accounts.c.handle == handle))).first()
        return _account(row) if row is not None else None

    async def by_ids(self, ids: Iterable[str]) -> dict[str, Account]:
        wanted = sorted(set(ids))
        if not wanted:
            return {}
        async with self._database.read() as connection:
            rows = (await connection.execute(select(accounts).where(accounts.c.id.in_(wanted)))).all()
        return {row.id: _account(row) for row in rows}

    async def update(self, id: str, name: str | None, bio: str | None) -> None:
        changes = {key: value for key, value in (("name", name), ("bio", bio)) if value is not None}
        if changes:
            async with self._database.write() as connection:
                await connection.execute(update(accounts).where(accounts.c.id == id).values(**changes))

    async def follow(self, follower: str, followed: str) -> None:
        if await self.follows(follower, followed):
            return
        try:
            async with self._database.write() as connection:
                await connection.execute(insert(follows).values(follower=follower, followed=followed))
        except IntegrityError:
            pass  # another process was quicker; it holds now, and that was the wish

    async def unfollow(self, follower: str, followed: str) -> None:
        this = (follows.c.follower == follower) & (follows.c.followed == followed)
        async with self._database.write() as connection:
            await connection.execute(delete(follows).where(this))

    async def follows(self, follower: str, followed: str) -> bool:
        this = (follows.c.follower == follower) & (follows.c.followed == followed)
        async with self._database.read() as connection:
            return (await connection.execute(select(follows.c.follower).where(this))).first() is not None

    async def follow_counts(self, id: str) -> FollowCounts:
        async with self._database.read() as connection:
            followers = select(func.count()).where(follows.c.followed == id).scalar_subquery()
            following = select(func.count()).where(follows.c.follower == id).scalar_subquery()
            row = (await connection.execute(select(followers, following))).one()
        return FollowCounts(row[0], row[1])


def _account(row: Row[tuple[object, ...]]) -> Account:
    return Account(row.id, row.handle, row.name, row.bio, row.password_hash)
