"""How far the word of a start has come among those who are away: a row for each start and way of telling.

Invariant: a round is carried on only by who holds it, in the transaction in which it proves so; whoever dies leaves it
to the others where it stood. A letter is written in the transaction that passes its reader by, so there is one at most.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Executable,
    FromClause,
    Select,
    and_,
    case,
    delete,
    exists,
    insert,
    literal,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.rooms import Access, Event, Lifecycle, Room, RoomStarted
from parola.store.database import Database
from parola.store.notices import Subscription, subscribed, subscription_of
from parola.store.outbox import Letter, put_letters
from parola.store.relations import tellable
from parola.store.tables import (
    accounts,
    follows,
    notice_choices,
    notice_rounds,
    push_again,
    push_subscriptions,
    rooms,
)

PUSH, MAIL = "push", "mail"
"""Kinds of rounds."""
DAY_MS = 86_400_000
MAILS_A_DAY = 5
"""Of notices, to one person."""

Place = tuple[int, str]
"""Since when somebody follows, and who."""


@dataclass(frozen=True, slots=True)
class Round:
    """As whoever holds it knows it: everybody up to (`since`, `follower`) is told, and it is theirs until `due_at`.
    Times are milliseconds since 1970."""

    room_id: str
    kind: str
    host: str
    started_at: int
    since: int
    follower: str
    due_at: int
    title: str
    access: Access
    is_live: bool


@dataclass(frozen=True, slots=True)
class Reader:
    """Who wants to be told by mail."""

    account_id: str
    language: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Failed:
    """What is to be pushed again; `tries` counts those that failed."""

    room_id: str
    subscription_id: str
    tries: int


class Rounds:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def take(self, now: int, until: int, limit: int) -> list[Round]:
        """Some that are due, and until `until` nobody else's: what is pushed first, which no letters that are stuck
        keep waiting."""
        query = _rounds().where(notice_rounds.c.due_at <= now)
        query = query.order_by(notice_rounds.c.kind == MAIL, notice_rounds.c.due_at).limit(limit)
        async with self._database.read() as connection:
            due = [_round(row) for row in await connection.execute(query)]
        held = [await self.hold(one, until) for one in due]
        return [one for one in held if one is not None]

    async def hold(self, round: Round, until: int) -> Round | None:
        """The same, for longer, and with what has become of the room; None where somebody else has it by now."""
        return await self.advance(round, (round.since, round.follower), until)

    async def advance(self, round: Round, place: Place, until: int) -> Round | None:
        """Everybody up to `place` is told. None where somebody else has it by now."""
        values = {"since": place[0], "follower": place[1], "due_at": until}
        async with self._database.write() as connection:
            if not (
                await connection.execute(update(notice_rounds).where(_is(round)).values(**values))
            ).rowcount:
                return None
            row = (await connection.execute(_rounds().where(_same(round)))).one()
        return _round(row)

    async def finish(self, round: Round) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(notice_rounds).where(_is(round)))

    async def boundary(self, round: Round, followers: int) -> Place | None:
        """Where a slice of so many followers ends; None where it is the last one."""
        place = (follows.c.since, follows.c.follower)
        query = select(*place).where(_behind(round)).order_by(*place).offset(followers - 1).limit(1)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return (row.since, row.follower) if row is not None else None

    async def subscriptions(
        self, round: Round, end: Place | None, most: int
    ) -> tuple[list[Subscription], Place | None]:
        """Those of the slice up to `end` who may be told, and want to be; where the slice ends after that many, which
        is more than anybody has."""
        there = exists().where(push_subscriptions.c.account_id == follows.c.follower)
        those = _those(round, end, there)
        wants = _wanting(round, those)
        if wants is None:
            return [], end
        place = (those.c.since, those.c.follower)
        query = (
            subscribed()
            .add_columns(*place)
            .join(those, those.c.follower == push_subscriptions.c.account_id)
            .where(wants)
            .order_by(*place)
            .limit(most + 1)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        if len(rows) > most:
            # Nobody is told by half of their devices.
            rows = [row for row in rows if row.follower != rows[most].follower]
            end = (rows[-1].since, rows[-1].follower)
        return [subscription_of(row) for row in rows], end

    async def readers(self, round: Round, end: Place | None, most: int) -> tuple[list[Reader], Place | None]:
        """Likewise by mail, in the order of their places."""
        choice = (notice_choices.c.account_id == follows.c.follower) & notice_choices.c.email.is_(True)
        those = _those(round, end, exists().where(choice))
        wants = _wanting(round, those)
        if wants is None:
            return [], end
        query = (
            select(those.c.follower, accounts.c.language, those.c.since)
            .join(accounts, accounts.c.id == those.c.follower)
            .where(wants, accounts.c.suspended_at.is_(None), accounts.c.deleted_at.is_(None))
            .order_by(those.c.since, those.c.follower)
            .limit(most + 1)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        found = [Reader(row.follower, row.language, (row.since, row.follower)) for row in rows[:most]]
        return found, found[-1].place if len(rows) > most else end

    async def write(
        self, round: Round, place: Place | None, letters: Sequence[Letter], now: int, until: int
    ) -> Round | None:
        """Puts the letters into the outbox, but for who has had enough of them today, and advances; where `place` is
        None the round is over. None then, too, and where somebody else has it by now: nothing is written in that
        case."""
        changed: Executable = delete(notice_rounds).where(_is(round))
        if place is not None:
            values = {"since": place[0], "follower": place[1], "due_at": until}
            changed = update(notice_rounds).where(_is(round)).values(**values)
        async with self._database.write() as connection:
            if not (await connection.execute(changed)).rowcount:
                return None
            if letters:
                to = [letter.account_id for letter in letters if letter.account_id is not None]
                allowed = {row.account_id for row in await connection.execute(_one_more_mail(to, now))}
                await put_letters(connection, [one for one in letters if one.account_id in allowed], now)
            if place is None:
                return None
            row = (await connection.execute(_rounds().where(_same(round)))).one()
        return _round(row)

    async def may_read(self, room_id: str, account_id: str) -> bool:
        """Whether a letter that was written may go out now: the room is live, and its reader may know of it and wants
        to."""
        round = await self._of_room(room_id)
        wants = _wanting(round) if round is not None and round.is_live else None
        if round is None or wants is None:
            return False
        query = (
            select(follows.c.follower)
            .join(notice_choices, notice_choices.c.account_id == follows.c.follower)
            .where(follows.c.followed == round.host, follows.c.follower == account_id, wants)
            .where(notice_choices.c.email.is_(True))
        )
        async with self._database.read() as connection:
            return (await connection.execute(query)).first() is not None

    # What a push service did not take.

    async def put_again(self, failed: Sequence[tuple[Failed, int]]) -> None:
        """Each with when it is due; what has ended meanwhile is left out."""
        ids = {one.subscription_id for one, _ in failed}
        there = select(push_subscriptions.c.id).where(push_subscriptions.c.id.in_(ids))
        async with self._database.write() as connection:
            known = {row.id for row in await connection.execute(there)}
            make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
            for one, due_at in failed:
                if one.subscription_id in known:
                    key = {"room_id": one.room_id, "subscription_id": one.subscription_id}
                    values = {"due_at": due_at, "tries": one.tries}
                    put = make(push_again).values(**key, **values)
                    await connection.execute(put.on_conflict_do_update(index_elements=list(key), set_=values))

    async def take_again(self, now: int, until: int, limit: int) -> list[Failed]:
        query = (
            select(push_again).where(push_again.c.due_at <= now).order_by(push_again.c.due_at).limit(limit)
        )
        async with self._database.read() as connection:
            due = (await connection.execute(query)).all()
        if not due:
            return []
        taken = []
        async with self._database.write() as connection:
            for row in due:
                failed = Failed(row.room_id, row.subscription_id, row.tries)
                as_seen = _is_failed(failed) & (push_again.c.due_at == row.due_at)
                if (
                    await connection.execute(update(push_again).where(as_seen).values(due_at=until))
                ).rowcount:
                    taken.append(failed)
        return taken

    async def failed(self, failed: Failed) -> tuple[Round, Subscription] | None:
        """Of which room, and where to; None where nobody is to be told any more."""
        round = await self._of_room(failed.room_id)
        wants = _wanting(round) if round is not None and round.is_live else None
        if round is None or wants is None:
            return None
        query = (
            subscribed()
            .join(follows, follows.c.follower == push_subscriptions.c.account_id)
            .where(follows.c.followed == round.host, push_subscriptions.c.id == failed.subscription_id, wants)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return (round, subscription_of(row)) if row is not None else None

    async def done_again(self, failed: Failed) -> None:
        async with self._database.write() as connection:
            await connection.execute(delete(push_again).where(_is_failed(failed)))

    async def _of_room(self, room_id: str) -> Round | None:
        """As if everybody were still to be told of it, and nobody held it."""
        query = select(
            rooms.c.id.label("room_id"),
            literal(PUSH).label("kind"),
            rooms.c.host,
            rooms.c.listed_at.label("started_at"),
            literal(0).label("since"),
            literal("").label("follower"),
            literal(0).label("due_at"),
            rooms.c.title,
            rooms.c.access,
            rooms.c.state,
        ).where(rooms.c.id == room_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return _round(row) if row is not None else None


async def begin_rounds(connection: AsyncConnection, room: Room, events: Sequence[Event]) -> None:
    """In the transaction that appends them: what has started will be told, whatever dies."""
    if room.access is Access.LINK:
        return
    for event in events:
        if isinstance(event, RoomStarted):
            at = milliseconds(event.at)
            row = {
                "room_id": room.id,
                "host": room.host,
                "started_at": at,
                "since": -1,
                "follower": "",
                "due_at": at,
            }
            await connection.execute(insert(notice_rounds), [{**row, "kind": kind} for kind in (PUSH, MAIL)])


def _rounds() -> Select[Any]:
    query = select(notice_rounds, rooms.c.title, rooms.c.access, rooms.c.state)
    return query.join(rooms, rooms.c.id == notice_rounds.c.room_id)


def _round(row: Any) -> Round:
    same = (field.name for field in dataclasses.fields(Round)[:-2])
    values = {name: getattr(row, name) for name in same}
    return Round(**values, access=Access(row.access), is_live=row.state == Lifecycle.LIVE.value)


def _one_more_mail(account_ids: Sequence[str], now: int) -> Any:
    """Returns whom of them one more may be sent today."""
    fresh = notice_choices.c.mails_since <= now - DAY_MS
    counted = {
        "mails": case((fresh, 1), else_=notice_choices.c.mails + 1),
        "mails_since": case((fresh, now), else_=notice_choices.c.mails_since),
    }
    return (
        update(notice_choices)
        .where(notice_choices.c.account_id.in_(account_ids), or_(fresh, notice_choices.c.mails < MAILS_A_DAY))
        .values(**counted)
        .returning(notice_choices.c.account_id)
    )


def _same(round: Round) -> ColumnElement[bool]:
    return (notice_rounds.c.room_id == round.room_id) & (notice_rounds.c.kind == round.kind)


def _is(round: Round) -> ColumnElement[bool]:
    """For as long as nobody else has taken it."""
    return _same(round) & (notice_rounds.c.due_at == round.due_at)


def _is_failed(failed: Failed) -> ColumnElement[bool]:
    return (push_again.c.room_id == failed.room_id) & (push_again.c.subscription_id == failed.subscription_id)


def _wanting(round: Round, those: FromClause = follows) -> ColumnElement[bool] | None:
    return tellable(round.host, round.room_id, round.access, those)


def _those(round: Round, end: Place | None, reachable: ColumnElement[bool]) -> CTE:
    """Followers of the slice who can be reached at all. Most cannot: found first, and by a database that does as it is
    told, nobody asks of the others whether they may know and want to."""
    query = select(follows).where(_behind(round), _up_to(end), reachable)
    return query.cte("those").prefix_with("MATERIALIZED")


def _behind(round: Round) -> ColumnElement[bool]:
    """Followers who are still to be told. Who has come since the start has seen that the room is live."""
    place = tuple_(follows.c.since, follows.c.follower)
    told = tuple_(literal(round.since), literal(round.follower))
    return and_(follows.c.followed == round.host, place > told, follows.c.since <= round.started_at)


def _up_to(end: Place | None) -> ColumnElement[bool]:
    if end is None:
        return literal(True)
    return tuple_(follows.c.since, follows.c.follower) <= tuple_(literal(end[0]), literal(end[1]))
