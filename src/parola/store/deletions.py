"""An account's end. What begins it is one transaction, and so is what takes the person out of every table; what happens
in rooms lies between the two, and whoever finds an end that is not through goes on with it.

The row stays, under a handle that nobody can have: rooms of others refer to it, and so does the audit log.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, and_, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.domain.people import DELETED_NAME, is_deleted, skeleton
from parola.store.accounts import ADMINISTRATOR, MEMBER
from parola.store.administration import check_somebody_left, end_sessions
from parola.store.audit import alone
from parola.store.database import Database
from parola.store.rooms import WITHDRAWN
from parola.store.tables import (
    accounts,
    active_days,
    addresses,
    blocks,
    ceremonies,
    deletions,
    evidence_tickets,
    follow_requests,
    follows,
    host_words,
    hushes,
    identities,
    invites,
    kept_out,
    mail_links,
    notice_choices,
    notice_rounds,
    outbox,
    passkeys,
    push_subscriptions,
    recovery_codes,
    reports,
    resting_handles,
    rollout_answers,
    rollout_listeners,
    rooms,
    sessions,
    waitlist,
)

HANDLE_RESTS = timedelta(days=90)
"""So long nobody else gets it, who could be taken for the person."""

PERSONAL: dict[Table, tuple[str, ...]] = {
    active_days: ("account_id",),
    addresses: ("account_id",),
    blocks: ("blocker", "blocked"),
    ceremonies: ("account_id",),
    evidence_tickets: ("actor",),
    follow_requests: ("follower", "followed"),
    follows: ("follower", "followed"),
    host_words: ("account",),
    hushes: ("account", "hushed"),
    identities: ("account_id",),
    kept_out: ("host", "person"),
    mail_links: ("account_id",),
    notice_choices: ("account_id",),
    notice_rounds: ("host",),
    outbox: ("account_id",),
    passkeys: ("account_id",),
    push_subscriptions: ("account_id",),  # and with them what was to be pushed again
    recovery_codes: ("account_id",),
    rollout_answers: ("account_id",),
    rollout_listeners: ("account_id",),
    sessions: ("account_id",),
}
"""Whose rows go where one of these columns names the account. What they have said in reports stays, and so do measures:
both name an account of which nothing else is left."""


class Deletions:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, account_id: str, now: datetime) -> list[str]:
        """The sessions that ended with it: from now on nobody is signed in as them, finds them, or gives them
        anything. Raises LastAdministrator."""
        this = and_(accounts.c.id == account_id, accounts.c.deleted_at.is_(None))
        async with self._database.write() as connection:
            await alone(connection)
            role = (await connection.execute(select(accounts.c.role).where(this))).scalar()
            if role is None:
                return []
            await connection.execute(update(accounts).where(this).values(deleted_at=now.isoformat()))
            if role == ADMINISTRATOR:
                await check_somebody_left(connection)
            await connection.execute(
                insert(deletions).values(account_id=account_id, began_at=milliseconds(now))
            )
            return await end_sessions(connection, account_id)

    async def begun_before(self, moment: datetime) -> list[str]:
        """Accounts whose end began before then, and is not through."""
        query = select(deletions.c.account_id).where(deletions.c.began_at < milliseconds(moment))
        async with self._database.read() as connection:
            return [row.account_id for row in await connection.execute(query)]

    async def erase(self, account_id: str, stand_in: str, now: datetime) -> None:
        """Nothing of the person is left, and their rooms are nobody's; `stand_in` is the handle in place of theirs.
        Does nothing the second time but clear away what came in between."""
        async with self._database.write() as connection:
            query = select(accounts.c.handle).where(accounts.c.id == account_id, _has_begun(account_id))
            found = (await connection.execute(query)).first()
            if found is None:
                return
            if not is_deleted(found.handle):
                await _let_rest(connection, found.handle, now)
                values = {
                    "handle": stand_in,
                    "name": DELETED_NAME,
                    "bio": "",
                    "password_hash": None,
                    "search": "",
                    "skeleton": None,
                    "role": MEMBER,
                    "listen_unseen": True,
                    "language": None,
                    "picture": None,
                }
                await connection.execute(update(accounts).where(accounts.c.id == account_id).values(**values))
            await _forget(connection, account_id)

    async def finish(self, account_id: str) -> None:
        async with self._database.write() as connection:
            await _forget(connection, account_id)
            await connection.execute(delete(deletions).where(deletions.c.account_id == account_id))

    async def forget_old(self, now: int) -> None:
        """Handles that have rested for long enough."""
        async with self._database.write() as connection:
            await connection.execute(delete(resting_handles).where(resting_handles.c.until <= now))


def _has_begun(account_id: str) -> ColumnElement[bool]:
    return select(deletions.c.account_id).where(deletions.c.account_id == account_id).exists()


async def _let_rest(connection: AsyncConnection, handle: str, now: datetime) -> None:
    await connection.execute(delete(resting_handles).where(resting_handles.c.until <= milliseconds(now)))
    until = milliseconds(now + HANDLE_RESTS)
    values = {"handle": handle, "skeleton": skeleton(handle), "until": until}
    await connection.execute(insert(resting_handles).values(**values))


async def _forget(connection: AsyncConnection, account_id: str) -> None:
    mine = select(addresses.c.email).where(addresses.c.account_id == account_id)
    await connection.execute(delete(waitlist).where(waitlist.c.email.in_(mine)))
    asked = select(mail_links.c.email).where(mail_links.c.account_id == account_id)
    to_them = or_(outbox.c.recipient.in_(mine), outbox.c.recipient.in_(asked))
    await connection.execute(delete(outbox).where(to_them))
    for table, columns in PERSONAL.items():
        named = or_(*(table.c[column] == account_id for column in columns))
        await connection.execute(delete(table).where(named))
    unused = and_(invites.c.made_by == account_id, invites.c.used_by.is_(None))
    await connection.execute(delete(invites).where(unused))
    held = and_(reports.c.taken_by == account_id, reports.c.closed_at.is_(None))
    await connection.execute(update(reports).where(held).values(taken_by=None))
    await connection.execute(update(rooms).where(rooms.c.host == account_id).values(state=WITHDRAWN))
