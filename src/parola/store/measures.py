"""What administrators do to people, with notices and appeals; `accounts` carries what of it holds now.

Invariant: a measure, what it makes of the account, and the entry in the audit log are one transaction, and those come
one after another. Of suspensions at most one holds at a time, and likewise of removals: a new one takes the place of
the one before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.domain.moderation import Decision, Measure
from parola.domain.moments import milliseconds
from parola.store.accounts import ADMINISTRATOR
from parola.store.audit import alone, record
from parola.store.codes import new_id
from parola.store.database import Database
from parola.store.tables import accounts, measures

_KEEPING_OUT = (Measure.SUSPEND.value, Measure.BAN.value)
_SILENCING = (Measure.REMOVE.value,)
_MOST = 100
_MOST_IN_ONE_QUERY = 500


@dataclass(frozen=True, slots=True)
class Measured:
    """One measure; times are milliseconds since 1970. `until` is null where it has no end of its own."""

    id: str
    account_id: str
    kind: Measure
    reason: str
    actor: str
    report_id: str | None
    at: int
    until: int | None
    over_at: int | None
    seen_at: int | None
    appeal: str | None
    appealed_at: int | None
    decision: Decision | None
    decided_by: str | None
    decided_at: int | None
    decided_why: str | None

    @property
    def holds(self) -> bool:
        return self.over_at is None


class Measures:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def warn(self, deed: Deed, report_id: str | None, now: datetime) -> str:
        """The id of the measure."""
        async with self._database.write() as connection:
            await record(connection, deed, now)
            return await begin(connection, deed, Measure.WARN, now, report_id=report_id)

    async def silence(self, deed: Deed, until: datetime | None, report_id: str | None, now: datetime) -> str:
        """No floor from here on: whoever gets it at the same moment is found in their room after this."""
        async with self._database.write() as connection:
            await record(connection, deed, now)
            await end_all(connection, deed.object, _SILENCING, now)
            return await begin(connection, deed, Measure.REMOVE, now, until, report_id)

    async def of(self, account_id: str) -> list[Measured]:
        """The newest first."""
        mine = measures.c.account_id == account_id
        query = select(measures).where(mine).order_by(measures.c.at.desc(), measures.c.id).limit(_MOST)
        async with self._database.read() as connection:
            return [_measured(row) for row in await connection.execute(query)]

    async def load(self, id: str) -> Measured | None:
        async with self._database.read() as connection:
            row = (await connection.execute(select(measures).where(measures.c.id == id))).first()
        return _measured(row) if row is not None else None

    async def see(self, account_id: str, id: str, now: datetime) -> bool:
        """False where it is not theirs."""
        this = (measures.c.id == id) & (measures.c.account_id == account_id)
        async with self._database.write() as connection:
            return bool(
                (
                    await connection.execute(update(measures).where(this).values(seen_at=milliseconds(now)))
                ).rowcount
            )

    async def appeal(self, account_id: str, id: str, text: str, now: datetime) -> bool:
        """False where there is one already, or nothing of theirs to appeal against. Of two at once one is it."""
        this = (
            (measures.c.id == id) & (measures.c.account_id == account_id) & measures.c.appealed_at.is_(None)
        )
        values = {"appeal": text, "appealed_at": milliseconds(now), "seen_at": milliseconds(now)}
        async with self._database.write() as connection:
            return bool((await connection.execute(update(measures).where(this).values(**values))).rowcount)

    async def appeals(self, limit: int) -> list[Measured]:
        """Those that wait, the oldest first."""
        waiting = measures.c.appealed_at.is_not(None) & measures.c.decided_at.is_(None)
        query = select(measures).where(waiting).order_by(measures.c.appealed_at, measures.c.id).limit(limit)
        async with self._database.read() as connection:
            return [_measured(row) for row in await connection.execute(query)]

    async def decide(self, id: str, decision: Decision, deed: Deed, now: datetime) -> bool:
        """False where it does not wait. Lifting ends what still holds."""
        waits = (measures.c.id == id) & measures.c.appealed_at.is_not(None) & measures.c.decided_at.is_(None)
        values = {
            "decision": decision.value,
            "decided_by": deed.actor,
            "decided_at": milliseconds(now),
            "decided_why": deed.reason,
            "seen_at": None,
        }
        async with self._database.write() as connection:
            await alone(connection)
            if not (await connection.execute(update(measures).where(waits).values(**values))).rowcount:
                return False
            await record(connection, deed, now)
            if decision is Decision.LIFTED:
                await _end(connection, measures.c.id == id, now)
                row = (await connection.execute(select(measures).where(measures.c.id == id))).one()
                await recompute(connection, row.account_id, now)
        return True

    async def ending(self) -> dict[str, int]:
        """Of each measure that holds and has an end of its own, when that is."""
        query = select(measures.c.id, measures.c.until).where(
            measures.c.over_at.is_(None), measures.c.until.is_not(None)
        )
        async with self._database.read() as connection:
            return {row.id: row.until for row in await connection.execute(query)}

    async def end(self, id: str, deed: Deed, now: datetime) -> bool:
        """Whether it held until now: whoever comes second ends nothing."""
        async with self._database.write() as connection:
            await alone(connection)
            if not await _end(connection, measures.c.id == id, now):
                return False
            await record(connection, deed, now)
            await recompute(connection, deed.object, now)
        return True

    async def newest_barring(self) -> int:
        """When the last was taken of those that hold and bar somebody from the floor; 0 where none does."""
        barring = measures.c.over_at.is_(None) & measures.c.kind.in_((*_KEEPING_OUT, *_SILENCING))
        async with self._database.read() as connection:
            return (await connection.execute(select(func.max(measures.c.at)).where(barring))).scalar() or 0

    async def barred(self, ids: Iterable[str]) -> dict[str, bool]:
        """Who of them may have no floor by a measure; True of those who are removed, and not only suspended."""
        wanted = sorted(set(ids))
        found: dict[str, bool] = {}
        barred = accounts.c.no_floor.is_(True) | accounts.c.suspended_at.is_not(None)
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _MOST_IN_ONE_QUERY):
                part = accounts.c.id.in_(wanted[at : at + _MOST_IN_ONE_QUERY])
                query = select(accounts.c.id, accounts.c.no_floor).where(part, barred)
                found.update({row.id: row.no_floor for row in await connection.execute(query)})
        return found

    async def another_administrator(self, *than: str) -> bool:
        """Whether somebody else could decide."""
        others = (accounts.c.role == ADMINISTRATOR) & accounts.c.suspended_at.is_(None)
        others &= accounts.c.deleted_at.is_(None)
        query = select(accounts.c.id).where(others, accounts.c.id.not_in(than)).limit(1)
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None


async def suspend(
    connection: AsyncConnection,
    deed: Deed,
    kind: Measure,
    now: datetime,
    until: datetime | None,
    report_id: str | None,
) -> bool:
    """Whether anything is other than before: the same once more is nothing."""
    ms = milliseconds(until) if until is not None else None
    same = (
        (measures.c.account_id == deed.object)
        & (measures.c.kind == kind.value)
        & measures.c.over_at.is_(None)
        & (measures.c.until.is_(None) if ms is None else measures.c.until == ms)
    )
    if (await connection.execute(select(measures.c.id).where(same).limit(1))).first() is not None:
        return False
    await end_all(connection, deed.object, _KEEPING_OUT, now)
    await begin(connection, deed, kind, now, until, report_id)
    return True


async def restore(connection: AsyncConnection, deed: Deed, now: datetime) -> bool:
    """Whether anything held."""
    ended = await end_all(connection, deed.object, (*_KEEPING_OUT, *_SILENCING), now)
    if ended:
        await begin(connection, deed, Measure.RESTORE, now)
    return bool(ended)


async def begin(
    connection: AsyncConnection,
    deed: Deed,
    kind: Measure,
    now: datetime,
    until: datetime | None = None,
    report_id: str | None = None,
) -> str:
    lasts = kind.value in (*_KEEPING_OUT, *_SILENCING)
    values = {
        "id": new_id(),
        "account_id": deed.object,
        "kind": kind.value,
        "reason": deed.reason,
        "actor": deed.actor,
        "report_id": report_id,
        "at": milliseconds(now),
        "until": milliseconds(until) if until is not None else None,
        "over_at": None if lasts else milliseconds(now),
    }
    await connection.execute(insert(measures).values(**values))
    await recompute(connection, deed.object, now)
    return str(values["id"])


async def end_all(connection: AsyncConnection, account_id: str, kinds: tuple[str, ...], now: datetime) -> int:
    ended = await _end(connection, (measures.c.account_id == account_id) & measures.c.kind.in_(kinds), now)
    await recompute(connection, account_id, now)
    return ended


async def recompute(connection: AsyncConnection, account_id: str, now: datetime) -> None:
    """What holds, as the account carries it for everybody who asks."""
    holding = select(measures.c.kind).where(measures.c.account_id == account_id, measures.c.over_at.is_(None))
    kinds = {row.kind for row in await connection.execute(holding)}
    this = accounts.c.id == account_id
    await connection.execute(update(accounts).where(this).values(no_floor=bool(kinds & set(_SILENCING))))
    if kinds & set(_KEEPING_OUT):
        free = this & accounts.c.suspended_at.is_(None)
        await connection.execute(update(accounts).where(free).values(suspended_at=now.isoformat()))
    else:
        await connection.execute(update(accounts).where(this).values(suspended_at=None))


async def _end(connection: AsyncConnection, which: ColumnElement[bool], now: datetime) -> int:
    holds = which & measures.c.over_at.is_(None)
    return (
        await connection.execute(update(measures).where(holds).values(over_at=milliseconds(now)))
    ).rowcount


def _measured(row: Row[Any]) -> Measured:
    values = dict(row._mapping)
    values["kind"] = Measure(row.kind)
    values["decision"] = Decision(row.decision) if row.decision is not None else None
    return Measured(**values)
