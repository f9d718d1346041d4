"""What a row says of two accounts: follows, requests to follow, blocks, hushes; and conditions made of them.

Invariant: a block ends follows and requests both ways in its own transaction, and none is begun where one stands. Who
reads follows for a right asks for blocks as well all the same: PostgreSQL lets both be written at the same moment.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Select,
    Table,
    and_,
    bindparam,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.rooms import Access
from parola.store.accounts import Account, account_of
from parola.store.cursors import make_cursor, parse_cursor
from parola.store.database import Database
from parola.store.tables import (
    accounts,
    blocks,
    follow_requests,
    follows,
    hushes,
    notice_choices,
    room_people,
)

MOST_BARRED = 10_000
"""Of so many that stand against one account none is kept in memory."""
_MOST_IN_ONE_QUERY = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """How an account stands to a viewer: `follows`, `quiet` and `requested` are the viewer's, `followed` is the
    account's."""

    follows: bool = False
    followed: bool = False
    requested: bool = False
    blocked: bool = False
    hushed: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class FollowCounts:
    followers: int
    following: int


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """`next` is the cursor of the page after this one, None at the end."""

    people: tuple[Account, ...]
    next: str | None


class Relations:
    """`now` is milliseconds since 1970. All ids are of accounts that exist."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def visible(self, handle: str, viewer: str | None) -> Account | None:
        """The account, but for whom it has blocked: one query whatever the answer, so that the time tells nothing."""
        query = select(accounts).where(accounts.c.handle == handle, accounts.c.deleted_at.is_(None))
        if viewer is not None:
            query = query.where(~_row(blocks, accounts.c.id, viewer))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return account_of(row) if row is not None else None

    async def standing(self, viewer: str, other: str) -> Standing:
        columns = (
            _row(follows, viewer, other),
            _row(follows, other, viewer),
            _row(follow_requests, viewer, other),
            _row(blocks, viewer, other),
            _row(hushes, viewer, other),
            exists().where(
                follows.c.follower == viewer, follows.c.followed == other, follows.c.quiet.is_(True)
            ),
        )
        async with self._database.read() as connection:
            row = (await connection.execute(select(*columns))).one()
        return Standing(*map(bool, row))

    # Following.

    async def follow(self, follower: str, followed: str, now: int) -> None:
        """Does nothing where a block stands between them."""
        async with self._database.write() as connection:
            await _put(connection, follows, follower, followed, now, ~blocked_between(follower, followed))

    async def request(self, follower: str, followed: str, now: int) -> None:
        """To follow a private account; nothing where it is followed already, or blocked."""
        free = and_(~blocked_between(follower, followed), ~_row(follows, follower, followed))
        async with self._database.write() as connection:
            await _put(connection, follow_requests, follower, followed, now, free)

    async def unfollow(self, follower: str, followed: str) -> None:
        async with self._database.write() as connection:
            for table in (follows, follow_requests):
                await _take(connection, table, follower, followed)

    async def follows(self, follower: str, followed: str) -> bool:
        async with self._database.read() as connection:
            return bool((await connection.execute(select(_row(follows, follower, followed)))).scalar())

    async def set_quiet(self, follower: str, followed: str, quiet: bool) -> bool:
        """Whether notices of that host's rooms are unwanted; False where they are not followed."""
        this = (follows.c.follower == follower) & (follows.c.followed == followed)
        async with self._database.write() as connection:
            changed = await connection.execute(update(follows).where(this).values(quiet=quiet))
        return bool(changed.rowcount)

    async def approve(self, follower: str, followed: str, now: int) -> bool:
        """False where nobody has asked."""
        async with self._database.write() as connection:
            if not await _take(connection, follow_requests, follower, followed):
                return False
            await _put(connection, follows, follower, followed, now, ~blocked_between(follower, followed))
        return True

    async def refuse(self, follower: str, followed: str) -> bool:
        """False where nobody has asked."""
        async with self._database.write() as connection:
            return await _take(connection, follow_requests, follower, followed)

    async def counts(self, id: str) -> FollowCounts:
        followers = select(func.count()).where(follows.c.followed == id).scalar_subquery()
        following = select(func.count()).where(follows.c.follower == id).scalar_subquery()
        async with self._database.read() as connection:
            row = (await connection.execute(select(followers, following))).one()
        return FollowCounts(row[0], row[1])

    async def followers(self, id: str, viewer: str | None, cursor: str | None, limit: int) -> PeoplePage:
        """Those first who came last; but for whom a block keeps from the viewer. Raises BadCursor."""
        return await self._page(follows, follows.c.followed == id, "follower", viewer, cursor, limit)

    async def following(self, id: str, viewer: str | None, cursor: str | None, limit: int) -> PeoplePage:
        """Likewise."""
        return await self._page(follows, follows.c.follower == id, "followed", viewer, cursor, limit)

    async def requests(self, id: str, cursor: str | None, limit: int) -> PeoplePage:
        """Who wants to follow a private account."""
        mine = follow_requests.c.followed == id
        return await self._page(follow_requests, mine, "follower", id, cursor, limit)

    # Blocks and hushes.

    async def block(self, blocker: str, blocked: str, now: int) -> None:
        async with self._database.write() as connection:
            await _put(connection, blocks, blocker, blocked, now)
            for table in (follows, follow_requests):
                await _take(connection, table, blocker, blocked)
                await _take(connection, table, blocked, blocker)

    async def unblock(self, blocker: str, blocked: str) -> None:
        async with self._database.write() as connection:
            await _take(connection, blocks, blocker, blocked)

    async def hush(self, account: str, hushed: str, now: int) -> None:
        async with self._database.write() as connection:
            await _put(connection, hushes, account, hushed, now)

    async def unhush(self, account: str, hushed: str) -> None:
        async with self._database.write() as connection:
            await _take(connection, hushes, account, hushed)

    async def blocked_by(self, id: str, cursor: str | None, limit: int) -> PeoplePage:
        return await self._page(blocks, blocks.c.blocker == id, "blocked", None, cursor, limit)

    async def hushed_by(self, id: str, cursor: str | None, limit: int) -> PeoplePage:
        return await self._page(hushes, hushes.c.account == id, "hushed", id, cursor, limit)

    async def is_blocked(self, one: str, other: str) -> bool:
        """Whichever of the two did it."""
        async with self._database.read() as connection:
            return bool((await connection.execute(select(blocked_between(one, other)))).scalar())

    async def blocked_among(self, blocker: str, ids: Collection[str]) -> set[str]:
        """Whom of them an account has blocked."""
        query = select(blocks.c.blocked).where(blocks.c.blocker == blocker)
        return await self._ids(query, blocks.c.blocked, ids)

    async def blockers_of(self, ids: Collection[str]) -> frozenset[str] | None:
        """Who has blocked one of them; None for more than can be kept."""
        query = select(blocks.c.blocker).where(blocks.c.blocked.in_(sorted(ids))).limit(MOST_BARRED + 1)
        if not ids:
            return frozenset()
        async with self._database.read() as connection:
            found = {row.blocker for row in await connection.execute(query)}
        return frozenset(found) if len(found) <= MOST_BARRED else None

    async def unseen_by(self, viewer: str, ids: Collection[str]) -> set[str]:
        """Whose faces a viewer is not shown: a block stands between the two, or the viewer has hushed them."""
        found: set[str] = set()
        for table, mine, other in (
            (blocks, blocks.c.blocker, blocks.c.blocked),
            (blocks, blocks.c.blocked, blocks.c.blocker),
            (hushes, hushes.c.account, hushes.c.hushed),
        ):
            found |= await self._ids(select(other).select_from(table).where(mine == viewer), other, ids)
        return found

    async def barred(self, ids: Iterable[str]) -> dict[str, frozenset[str] | None]:
        """For each account, between whom and itself a block stands; None for more than can be kept."""
        wanted = sorted(set(ids))
        found: dict[str, set[str]] = {id: set() for id in wanted}
        for at in range(0, len(wanted), _MOST_IN_ONE_QUERY):
            part = wanted[at : at + _MOST_IN_ONE_QUERY]
            query = union_all(
                select(blocks.c.blocker.label("id"), blocks.c.blocked.label("other")).where(
                    blocks.c.blocker.in_(part)
                ),
                select(blocks.c.blocked, blocks.c.blocker).where(blocks.c.blocked.in_(part)),
            ).limit(MOST_BARRED + 1)
            async with self._database.read() as connection:
                rows = (await connection.execute(query)).all()
            if len(rows) > MOST_BARRED:
                return dict.fromkeys(wanted)
            for row in rows:
                found[row.id].add(row.other)
        return {id: frozenset(others) for id, others in found.items()}

    # Notices.

    async def to_be_told(self, host: str, room_id: str, access: Access, ids: Collection[str]) -> set[str]:
        """Who of `ids` follows a host, may enter the room, and wants to know of it in the page."""
        this = follows.c.follower
        in_page = ~exists().where(notice_choices.c.account_id == this, notice_choices.c.in_page.is_(False))
        wants = tellable(host, room_id, access)
        if wants is None:
            return set()
        query = select(this).where(follows.c.followed == host, wants, in_page)
        return await self._ids(query, this, ids)

    async def _ids(self, query: Select[Any], column: ColumnElement[Any], ids: Collection[str]) -> set[str]:
        wanted = sorted(ids)
        found: set[str] = set()
        among = query.where(column.in_(bindparam("ids", expanding=True)))
        async with self._database.read() as connection:
            for at in range(0, len(wanted), _MOST_IN_ONE_QUERY):
                part = wanted[at : at + _MOST_IN_ONE_QUERY]
                found.update(row[0] for row in await connection.execute(among, {"ids": part}))
        return found

    async def _page(
        self,
        table: Table,
        mine: ColumnElement[bool],
        shown: str,
        viewer: str | None,
        cursor: str | None,
        limit: int,
    ) -> PeoplePage:
        query = select(table.c.since, accounts).join(accounts, accounts.c.id == table.c[shown]).where(mine)
        if viewer is not None:
            query = query.where(~blocked_between(viewer, table.c[shown]))
        if cursor is not None:
            last = tuple_(*map(literal, parse_cursor(cursor)))
            query = query.where(tuple_(table.c.since, table.c[shown]) < last)
        query = query.order_by(table.c.since.desc(), table.c[shown].desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        last_row = rows[limit - 1] if len(rows) > limit else None
        return PeoplePage(
            tuple(account_of(row) for row in rows[:limit]),
            make_cursor(last_row.since, last_row.id) if last_row is not None else None,
        )


Id = str | ColumnElement[str]

_ALIASES = {table: table.alias() for table in (follows, follow_requests, blocks, hushes)}
"""What is asked about may be a row of the same table. Made once: to make one takes as long as many a query."""


def blocked_between(one: Id, other: Id) -> ColumnElement[bool]:
    """Whichever of the two did it."""
    return or_(_row(blocks, one, other), _row(blocks, other, one))


def tellable(
    host: str, room_id: str, access: Access, those: FromClause = follows
) -> ColumnElement[bool] | None:
    """Of a row of `follows`, or of what has its columns, whose host it is: the follower may enter the room, and wants
    to know of it. None for nobody: of a room for whoever has its link, only its host may speak."""
    this = those.c.follower
    if access is Access.LINK:
        return None
    conditions = [
        those.c.quiet.is_(False),
        ~_row(hushes, this, host),
        ~blocked_between(this, host),
        ~_is_in(room_id, this, "removed"),
    ]
    if access is Access.MUTUALS:
        conditions.append(or_(_row(follows, host, this), _is_in(room_id, this, "invited", "cohost")))
    if access is Access.INVITED:
        conditions.append(_is_in(room_id, this, "invited", "cohost"))
    return and_(*conditions)


def follows_row(follower: Id, followed: Id) -> ColumnElement[bool]:
    return _row(follows, follower, followed)


async def put_rows(connection: AsyncConnection, table: Table, values: Select[Any, Any, Any]) -> None:
    """Whose it is, whom it concerns, and since when. What is there already stays, also where two put it at once."""
    names = [column.name for column in table.c][:3]
    make = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    await connection.execute(make(table).from_select(names, values).on_conflict_do_nothing())


def _row(table: Table, one: Id, other: Id) -> ColumnElement[bool]:
    """That there is one; each table's first column is whose it is, the second whom it concerns."""
    first, second, *_ = _ALIASES[table].c
    return exists().where(first == one, second == other)


def _is_in(room_id: str, account: Id, *relations: str) -> ColumnElement[bool]:
    return exists().where(
        room_people.c.room_id == room_id,
        room_people.c.account_id == account,
        room_people.c.relation.in_(relations),
    )


async def _put(
    connection: AsyncConnection,
    table: Table,
    one: str,
    other: str,
    now: int,
    condition: ColumnElement[bool] | None = None,
) -> None:
    """Where the condition holds."""
    values = select(literal(one), literal(other), literal(now))
    await put_rows(connection, table, values.where(true() if condition is None else condition))


async def _take(connection: AsyncConnection, table: Table, one: str, other: str) -> bool:
    first, second, *_ = table.c
    result = await connection.execute(delete(table).where(first == one, second == other))
    return bool(result.rowcount)
