"""The policy of invitations, version by version. Invariant: a version is written once, right behind the one it was
decided on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import orjson
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from parola.domain.audit import Deed
from parola.domain.inviting import InvitingPolicy, parse_policy
from parola.store.audit import alone, record
from parola.store.database import Database
from parola.store.rollouts import VersionTaken
from parola.store.tables import inviting_versions


@dataclass(frozen=True, slots=True)
class KeptPolicy:
    """Version 0 is the one of the settings."""

    version: int
    policy: InvitingPolicy


class Inviting:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def latest(self, initial: InvitingPolicy) -> KeptPolicy:
        """What a version was written without is as in `initial`."""
        query = select(inviting_versions).order_by(inviting_versions.c.version.desc()).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return KeptPolicy(0, initial)
        return KeptPolicy(row.version, parse_policy(orjson.loads(row.policy), initial))

    async def add(self, kept: KeptPolicy, deed: Deed, now: datetime) -> None:
        """With its entry in the audit log. Raises VersionTaken."""
        values = {
            "version": kept.version,
            "policy": orjson.dumps(kept.policy.to_json()).decode(),
            "author": deed.actor,
            "reason": deed.reason,
            "at": now.isoformat(),
        }
        newest = select(inviting_versions.c.version).order_by(inviting_versions.c.version.desc()).limit(1)
        try:
            async with self._database.write() as connection:
                await alone(connection)
                last = (await connection.execute(newest)).scalar()
                if (last or 0) != kept.version - 1:
                    raise VersionTaken("inviting")
                await connection.execute(insert(inviting_versions).values(**values))
                await record(connection, deed, now)
        except IntegrityError as error:
            raise VersionTaken("inviting") from error
