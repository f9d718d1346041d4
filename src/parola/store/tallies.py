"""What the stages of a trial showed, added up as it happens: a row for each room, and one for each listener of a stage.

Invariant: all that is written is an increment, or holds already, so that any number of processes add up to the same.
What only one of them may count is written in the transaction in which it proves to be that one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    and_,
    bindparam,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.rollout import Feature, Measured, percentile
from parola.domain.rooms import Event, RoomStarted
from parola.store.database import Database
from parola.store.tables import (
    report_voices,
    reports,
    rollout_answers,
    rollout_keepers,
    rollout_listeners,
    rollout_rooms,
    rollout_sounds,
)

WEEK_MS = 7 * 86400 * 1000
_AT_ONCE = 300


@dataclass(slots=True)
class Counts:
    """Of one room, since it was last written down; `accounts` are those who came to hear."""

    joins: int = 0
    failed_joins: int = 0
    guests: int = 0
    accounts: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Counted:
    """A stage of a version, and what it showed."""

    version: int
    stage: str
    measured: Measured


async def count_events(
    connection: AsyncConnection, room_id: str, events: Sequence[Event], removals: int = 0
) -> None:
    """In the transaction that appends them; `removals` are those of people who were there, each for the first time."""
    for event in events:
        if isinstance(event, RoomStarted) and event.terms is not None:
            values = {
                "room_id": room_id,
                "feature": Feature.HOSTING.value,
                "version": event.terms.version,
                "stage": event.terms.stage.value,
                "started_at": milliseconds(event.at),
            }
            await connection.execute(insert(rollout_rooms).values(**values))
    if removals:
        more = {"removals": rollout_rooms.c.removals + removals}
        await connection.execute(update(rollout_rooms).where(_is(room_id)).values(**more))


class Tallies:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[str, Counts], now: datetime) -> None:
        """By room; what is counted of a room that began without terms goes nowhere."""
        async with self._database.write() as connection:
            for part in _parts(sorted(counts)):
                query = select(rollout_rooms).where(rollout_rooms.c.room_id.in_(part))
                for row in (await connection.execute(query)).all():
                    await _add(connection, row, counts[row.room_id], now)

    async def hold(self, name: str, holder: str, seen: int | None) -> int | None:
        """The new beat, where `holder` keeps `name` or takes it over; None where somebody else does. It is taken over
        only from a keeper whose beat is still `seen`."""
        mine = rollout_keepers.c.name == name
        more = {"holder": holder, "beat": rollout_keepers.c.beat + 1}
        keeps = mine & (rollout_keepers.c.holder == holder)
        takes = mine & (rollout_keepers.c.beat == (-1 if seen is None else seen))
        try:
            async with self._database.write() as connection:
                changed = await connection.execute(
                    update(rollout_keepers).where(keeps | takes).values(**more)
                )
                if not changed.rowcount:
                    there = await connection.execute(select(rollout_keepers.c.beat).where(mine))
                    if there.first() is not None:
                        return None
                    await connection.execute(insert(rollout_keepers).values(name=name, holder=holder, beat=1))
                return int(
                    (await connection.execute(select(rollout_keepers.c.beat).where(mine))).scalar_one()
                )
        except IntegrityError:
            return None

    async def beat(self, name: str) -> int | None:
        query = select(rollout_keepers.c.beat).where(rollout_keepers.c.name == name)
        async with self._database.read() as connection:
            beat = (await connection.execute(query)).scalar()
        return int(beat) if beat is not None else None

    async def keep(
        self,
        name: str,
        holder: str,
        more: Mapping[str, Mapping[str, int]],
        sounds: Mapping[str, Mapping[int, int]],
    ) -> bool:
        """Adds what the keeper has counted: `more` by column and room, and first sounds by room and bucket. False, and
        nothing is added, where somebody else is the keeper by now."""
        mine = (rollout_keepers.c.name == name) & (rollout_keepers.c.holder == holder)
        async with self._database.write() as connection:
            still = update(rollout_keepers).where(mine).values(beat=rollout_keepers.c.beat + 1)
            if not (await connection.execute(still)).rowcount:
                return False
            this = rollout_rooms.c.room_id == bindparam("this")
            for column, by_room in more.items():
                rows = [
                    {"this": room_id, "more": count} for room_id, count in sorted(by_room.items()) if count
                ]
                added = {column: rollout_rooms.c[column] + bindparam("more")}
                if rows:
                    await connection.execute(update(rollout_rooms).where(this).values(**added), rows)
            for part in _parts(sorted(sounds)):
                query = select(rollout_rooms).where(rollout_rooms.c.room_id.in_(part))
                for row in (await connection.execute(query)).all():
                    await _add_sounds(connection, _stage(row), sounds[row.room_id])
        return True

    async def answer(self, room_id: str, account_id: str | None, good: bool) -> bool:
        """Whether it counts: a member's once for each room, and guests' no more often than guests came."""
        kind = rollout_rooms.c.good if good else rollout_rooms.c.bad
        more: dict[str, Any] = {kind.name: kind + 1}
        which = _is(room_id)
        if account_id is None:
            which &= rollout_rooms.c.guest_answers < rollout_rooms.c.guests
            more["guest_answers"] = rollout_rooms.c.guest_answers + 1
        try:
            async with self._database.write() as connection:
                if account_id is not None:
                    values = {"room_id": room_id, "account_id": account_id}
                    await connection.execute(insert(rollout_answers).values(**values))
                return bool(
                    (await connection.execute(update(rollout_rooms).where(which).values(**more))).rowcount
                )
        except IntegrityError:
            return False

    async def stages(self, feature: str, now: datetime) -> list[Counted]:
        """Each stage of each version in which there was a room, the newest first."""
        which = rollout_rooms.c.feature == feature
        query = select(rollout_rooms.c.version, rollout_rooms.c.stage).where(which).distinct()
        query = query.order_by(rollout_rooms.c.version.desc(), rollout_rooms.c.stage).limit(_AT_ONCE)
        async with self._database.read() as connection:
            found = (await connection.execute(query)).all()
            return [
                Counted(row.version, row.stage, await _measured(connection, feature, row, now))
                for row in found
            ]

    async def measured(self, feature: str, since: int, now: datetime) -> Measured:
        """All stages of version `since` and those after it, in one."""
        async with self._database.read() as connection:
            return await _measured(connection, feature, since, now)


async def _add(connection: AsyncConnection, row: Any, counts: Counts, now: datetime) -> None:
    more = {
        name: rollout_rooms.c[name] + getattr(counts, name)
        for name in ("joins", "failed_joins", "guests")
        if getattr(counts, name)
    }
    if more:
        await connection.execute(update(rollout_rooms).where(_is(row.room_id)).values(**more))
    if not counts.accounts:
        return
    # Those who are new come in afterwards: whoever comes to their first room does not return to it. Others return to
    # the stages in which they were before, whichever this one is.
    again = update(rollout_listeners).where(
        rollout_listeners.c.account_id == bindparam("account_"),
        rollout_listeners.c.feature == row.feature,
        rollout_listeners.c.first_at < row.started_at,
        rollout_listeners.c.first_at >= milliseconds(now) - WEEK_MS,
        rollout_listeners.c.returned.is_(False),
    )
    accounts = sorted(counts.accounts)
    await connection.execute(again.values(returned=True), [{"account_": account} for account in accounts])
    new = [{**_stage(row), "account_id": account, "first_at": milliseconds(now)} for account in accounts]
    await connection.execute(_insert(connection, rollout_listeners).on_conflict_do_nothing(), new)


async def _add_sounds(connection: AsyncConnection, stage: dict[str, Any], counts: Mapping[int, int]) -> None:
    for bucket, count in counts.items():
        new = _insert(connection, rollout_sounds).values(**stage, bucket=bucket, count=count)
        keys = list(rollout_sounds.primary_key)
        more = {"count": rollout_sounds.c.count + count}
        await connection.execute(new.on_conflict_do_update(index_elements=keys, set_=more))


async def _measured(connection: AsyncConnection, feature: str, which: Any, now: datetime) -> Measured:
    def of(there: Any) -> ColumnElement[bool]:
        mine: ColumnElement[bool] = there.c.feature == feature
        if isinstance(which, int):
            return and_(mine, there.c.version >= which)
        return and_(mine, there.c.version == which.version, there.c.stage == which.stage)

    names = ("listening_ms", "joins", "failed_joins", "guests", "removals", "good", "bad")
    sums = [func.coalesce(func.sum(rollout_rooms.c[name]), 0).label(name) for name in names]
    rooms = (
        await connection.execute(select(func.count().label("rooms"), *sums).where(of(rollout_rooms)))
    ).one()
    listeners, ripe, back = await _people(connection, of(rollout_listeners), milliseconds(now) - WEEK_MS)
    buckets = select(rollout_sounds.c.bucket, rollout_sounds.c.count).where(of(rollout_sounds))
    sounds: dict[int, int] = {}
    for row in await connection.execute(buckets):
        sounds[row.bucket] = sounds.get(row.bucket, 0) + row[1]
    answers = rooms.good + rooms.bad
    return Measured(
        rooms=rooms.rooms,
        listeners=listeners + int(rooms.guests),
        listening_minutes=float(rooms.listening_ms) / 60_000,
        removals=int(rooms.removals),
        reports=await _reports(connection, of(rollout_rooms)),
        joins=int(rooms.joins),
        failed_joins=int(rooms.failed_joins),
        first_sound_ms=percentile(sounds, 0.95),
        returned=back / ripe if ripe else None,
        liked=int(rooms.good) / int(answers) if answers else None,
    )


async def _people(
    connection: AsyncConnection, which: ColumnElement[bool], week_ago: int
) -> tuple[int, int, int]:
    """How many have listened; of how many the week from when they first came is over; and who of them has returned in
    it. Whoever was in several stages has one week: that of the first of them."""
    account, first_at = rollout_listeners.c.account_id, rollout_listeners.c.first_at
    nth = func.row_number().over(partition_by=account, order_by=first_at)
    rows = select(first_at, rollout_listeners.c.returned, nth.label("nth")).where(which).subquery()
    is_over = rows.c.first_at <= week_ago
    query = select(
        func.count().label("listeners"),
        func.count().filter(is_over).label("over"),
        func.count().filter(is_over, rows.c.returned).label("back"),
    ).where(rows.c.nth == 1)
    found = (await connection.execute(query)).one()
    return found.listeners, found.over, found.back


async def _reports(connection: AsyncConnection, which: ColumnElement[bool]) -> int:
    """Each reporter's voice about a room, or about somebody in it, is one."""
    of_a_room = report_voices.join(reports, reports.c.id == report_voices.c.report_id).join(
        rollout_rooms, rollout_rooms.c.room_id == reports.c.room_id
    )
    query = select(func.count()).select_from(of_a_room).where(which)
    return int((await connection.execute(query)).scalar_one())


def _insert(connection: AsyncConnection, into: Any) -> Any:
    return (postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert)(into)


def _stage(row: Any) -> dict[str, Any]:
    return {"feature": row.feature, "version": row.version, "stage": row.stage}


def _is(room_id: str) -> ColumnElement[bool]:
    return rollout_rooms.c.room_id == room_id


def _parts(ids: Sequence[str]) -> Iterable[Sequence[str]]:
    return (ids[at : at + _AT_ONCE] for at in range(0, len(ids), _AT_ONCE))
