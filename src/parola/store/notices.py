"""How people want to be told that a room has started, and the browsers that are told where no page is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.store.database import Database
from parola.store.tables import accounts, notice_choices, push_subscriptions

MOST_SUBSCRIPTIONS = 10
"""Of one account; the oldest goes for the one after that."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What holds for who has chosen nothing."""

    in_page: bool = True
    email: bool = False


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser that a push service reaches for us (RFC 8030): keys as RFC 8291 wants them, in base64url. `created_at`
    is milliseconds since 1970, `language` the account's."""

    id: str
    account_id: str
    session_id: str
    endpoint: str
    p256dh: str
    auth: str
    created_at: int
    language: str | None = None


_COLUMNS = tuple(name for name in Subscription.__slots__ if name != "language")


class NoticeChoices:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def choices(self, account_id: str) -> Choices:
        query = select(notice_choices).where(notice_choices.c.account_id == account_id)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return Choices(row.in_page, row.email) if row is not None else Choices()

    async def choose(self, account_id: str, changes: dict[str, bool]) -> None:
        """`changes` are fields of Choices."""
        if not changes:
            return
        async with self._database.write() as connection:
            make = postgresql_insert if connection.dialect.name == "postgresql" else sqlite_insert
            put = make(notice_choices).values(account_id=account_id, **changes)
            await connection.execute(put.on_conflict_do_update(index_elements=["account_id"], set_=changes))

    async def subscribe(self, given: Subscription, replaces: str | None) -> None:
        """Takes the place of what was there of the same endpoint, whoever's it was; `replaces` is the id of one of the
        same account that has ended."""
        mine = push_subscriptions.c.account_id == given.account_id
        gone = push_subscriptions.c.id == given.id
        if replaces is not None:
            gone |= mine & (push_subscriptions.c.id == replaces)
        values = {name: getattr(given, name) for name in _COLUMNS}
        try:
            async with self._database.write() as connection:
                await connection.execute(delete(push_subscriptions).where(gone))
                await connection.execute(insert(push_subscriptions).values(**values))
                await _drop_oldest(connection, given.account_id)
        except IntegrityError:
            # The same browser, twice at the same moment; or its session has just ended, and there is nobody to tell.
            return

    async def unsubscribe(self, account_id: str, id: str | None) -> None:
        """None: all of them."""
        which = push_subscriptions.c.account_id == account_id
        if id is not None:
            which &= push_subscriptions.c.id == id
        async with self._database.write() as connection:
            await connection.execute(delete(push_subscriptions).where(which))

    async def subscriptions(self, account_id: str) -> list[Subscription]:
        query = subscribed().where(push_subscriptions.c.account_id == account_id)
        async with self._database.read() as connection:
            rows = await connection.execute(query.order_by(push_subscriptions.c.created_at))
            return [subscription_of(row) for row in rows]

    async def forget(self, ids: Sequence[str]) -> None:
        """Subscriptions that their push services know no more."""
        async with self._database.write() as connection:
            await connection.execute(delete(push_subscriptions).where(push_subscriptions.c.id.in_(ids)))

    async def no_mail(self, account_id: str) -> bool:
        """False where there is no such account, or none was ever wanted."""
        mine = notice_choices.c.account_id == account_id
        async with self._database.write() as connection:
            return bool(
                (await connection.execute(update(notice_choices).where(mine).values(email=False))).rowcount
            )


def subscribed() -> Select[Any]:
    """What `subscription_of` wants: all columns of the table, and the language of the account."""
    query = select(push_subscriptions, accounts.c.language)
    return query.join(accounts, accounts.c.id == push_subscriptions.c.account_id)


def subscription_of(row: Row[Any]) -> Subscription:
    """From a row of `subscribed`."""
    return Subscription(*(getattr(row, name) for name in Subscription.__slots__))


async def _drop_oldest(connection: AsyncConnection, account_id: str) -> None:
    newest_first = (push_subscriptions.c.created_at.desc(), push_subscriptions.c.id)
    query = select(push_subscriptions.c.id).where(push_subscriptions.c.account_id == account_id)
    rows = (await connection.execute(query.order_by(*newest_first).offset(MOST_SUBSCRIPTIONS))).all()
    if rows:
        these = push_subscriptions.c.id.in_([row.id for row in rows])
        await connection.execute(delete(push_subscriptions).where(these))
