"""Plans, version by version. Invariant: a version is written once, right behind the one it was decided on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Row, func, insert, select
from sqlalchemy.exc import IntegrityError

from parola.domain.audit import Deed
from parola.domain.rollout import Plan, Standing, parse_plan
from parola.store.audit import record
from parola.store.database import Database
from parola.store.tables import accounts, follows, rollout_versions

_AT_ONCE = 2000
_DAY_S = 86400


class VersionTaken(Exception):
    """Somebody else has changed the plan meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One version of a plan. `author` is an account's id, or what else has changed it; `at` is ISO 8601, and empty for
    version 0, which is not in the database."""

    version: int
    plan: Plan
    author: str
    reason: str
    at: str


class Rollouts:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, feature: str) -> Kept | None:
        found = await self.history(feature, None, 1)
        return found[0] if found else None

    async def history(self, feature: str, before: int | None, limit: int) -> list[Kept]:
        """The newest first; only those before version `before` where it is given."""
        query = select(rollout_versions).where(rollout_versions.c.feature == feature)
        if before is not None:
            query = query.where(rollout_versions.c.version < before)
        query = query.order_by(rollout_versions.c.version.desc()).limit(limit)
        async with self._database.read() as connection:
            return [_kept(row) for row in await connection.execute(query)]

    async def version(self, feature: str, version: int) -> Kept | None:
        found = await self.history(feature, version + 1, 1)
        return found[0] if found and found[0].version == version else None

    async def add(self, feature: str, kept: Kept, deed: Deed, now: datetime) -> None:
        """With its entry in the audit log. Raises VersionTaken."""
        values = {
            "feature": feature,
            "version": kept.version,
            "plan": orjson.dumps(kept.plan.to_json()).decode(),
            "author": kept.author,
            "reason": kept.reason,
            "at": kept.at,
        }
        newest = select(func.max(rollout_versions.c.version)).where(rollout_versions.c.feature == feature)
        try:
            async with self._database.write() as connection:
                last = (await connection.execute(newest)).scalar()
                if (last or 0) != kept.version - 1:
                    raise VersionTaken(feature)
                await connection.execute(insert(rollout_versions).values(**values))
                await record(connection, deed, now)
        except IntegrityError as error:
            raise VersionTaken(feature) from error

    async def standing(self, account_id: str, now: datetime) -> Standing | None:
        followers = select(func.count()).where(follows.c.followed == accounts.c.id).scalar_subquery()
        query = select(accounts.c.created_at, followers.label("followers")).where(accounts.c.id == account_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return Standing(account_id, row.followers, _days(row.created_at, now)) if row is not None else None

    async def standings(self, now: datetime) -> AsyncIterator[list[Standing]]:
        """Of all accounts, some at a time."""
        counted = (
            select(follows.c.followed, func.count().label("followers"))
            .group_by(follows.c.followed)
            .subquery()
        )
        query = (
            select(
                accounts.c.id, accounts.c.created_at, func.coalesce(counted.c.followers, 0).label("followers")
            )
            .outerjoin(counted, counted.c.followed == accounts.c.id)
            .where(accounts.c.deleted_at.is_(None))
            .order_by(accounts.c.id)
            .limit(_AT_ONCE)
        )
        last = ""
        while True:
            async with self._database.read() as connection:
                rows = (await connection.execute(query.where(accounts.c.id > last))).all()
            if not rows:
                return
            yield [Standing(row.id, row.followers, _days(row.created_at, now)) for row in rows]
            last = rows[-1].id

    async def ids_of(self, handles: frozenset[str]) -> dict[str, str]:
        """By handle; whom nobody is called is not there."""
        found: dict[str, str] = {}
        wanted = sorted(handles)
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                part = accounts.c.handle.in_(wanted[at : at + _AT_ONCE])
                rows = await connection.execute(select(accounts.c.id, accounts.c.handle).where(part))
                found.update({row.handle: row.id for row in rows})
        return found

    async def handles_of(self, ids: frozenset[str]) -> dict[str, str]:
        """By account id."""
        found: dict[str, str] = {}
        wanted = sorted(ids)
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _AT_ONCE):
                part = accounts.c.id.in_(wanted[at : at + _AT_ONCE])
                rows = await connection.execute(select(accounts.c.id, accounts.c.handle).where(part))
                found.update({row.id: row.handle for row in rows})
        return found


def _kept(row: Row[Any]) -> Kept:
    return Kept(row.version, parse_plan(orjson.loads(row.plan)), row.author, row.reason, row.at)


def _days(created_at: str, now: datetime) -> float:
    return (now - datetime.fromisoformat(created_at)).total_seconds() / _DAY_S
