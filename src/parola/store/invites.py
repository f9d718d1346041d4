"""Invitations: codes that open one sign-up each. Whose they are, how long they hold, and who came by them.

Invariant: a code is used together with the account that it makes, in one transaction and by compare and set: of two
who use it at once exactly one has an account.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, insert, literal, or_, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.audit import Deed
from parola.store.accounts import Account, account_of
from parola.store.audit import alone, record
from parola.store.codes import hash_of, is_fresh, is_open
from parola.store.cursors import make_cursor, parse_cursor
from parola.store.database import Database
from parola.store.relations import blocked_between
from parola.store.tables import accounts, active_days, invites


@dataclass(frozen=True, slots=True)
class Invitation:
    """`made_by` is None where the server invites. Times are milliseconds since 1970; `code` is None once it is used."""

    id: str
    code: str | None
    made_by: str | None
    created_at: str
    expires_at: int | None
    used_by: Account | None = None


@dataclass(frozen=True, slots=True)
class InvitationPage:
    """`next` is the cursor of those behind these, None at the end."""

    invitations: tuple[Invitation, ...]
    next: str | None


class Invites:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, invitation: Invitation) -> None:
        """One of the server's own."""
        async with self._database.write() as connection:
            await put_invitations(connection, [invitation])

    async def add_within(self, invitation: Invitation, most: int, now: datetime) -> bool:
        """False where its maker has given `most` away already; whatever was revoked or ran out does not count."""
        async with self._database.write() as connection:
            # One after the other for each maker: on SQLite all who write are.
            maker = select(accounts.c.id).where(accounts.c.id == invitation.made_by).with_for_update()
            await connection.execute(maker)
            theirs = and_(invites.c.made_by == invitation.made_by, _counts(now))
            given = (await connection.execute(select(func.count()).where(theirs))).scalar_one()
            if given >= most:
                return False
            await put_invitations(connection, [invitation])
        return True

    async def given(self, maker: str, now: datetime) -> int:
        """How many of a maker's count: those that were used, and those that still hold."""
        query = select(func.count()).where(invites.c.made_by == maker, _counts(now))
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def of(self, maker: str, limit: int) -> list[Invitation]:
        """The newest first, without those that were revoked; used by nobody where a block stands between them."""
        query = (
            select(invites, accounts.c.id.label("account_id"))
            .outerjoin(accounts, accounts.c.id == invites.c.used_by)
            .where(invites.c.made_by == maker, invites.c.revoked_at.is_(None))
            .order_by(invites.c.created_at.desc(), invites.c.id)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
            ids = [row.account_id for row in rows if row.account_id is not None]
            seen = accounts.c.id.in_(ids) & ~blocked_between(accounts.c.id, maker)
            found = await connection.execute(select(accounts).where(seen))
            people = {row.id: account_of(row) for row in found}
        return [
            Invitation(r.id, r.code, r.made_by, r.created_at, r.expires_at, people.get(r.account_id))
            for r in rows
        ]

    async def revoke(self, maker: str, id: str, now: datetime) -> bool:
        """By its maker. False where it is not theirs, or not open any more."""
        this = and_(invites.c.id == id, invites.c.made_by == maker, is_open(now))
        async with self._database.write() as connection:
            values = {"revoked_at": now.isoformat(), "code": None}
            return bool((await connection.execute(update(invites).where(this).values(**values))).rowcount)

    async def open_ones(self, cursor: str | None, limit: int, now: datetime) -> InvitationPage:
        """Whosever they are, those first that hold the longest; without their codes. Raises BadCursor."""
        # What has no id is a claim, or of a time when codes had none: those are revoked by the code alone.
        query = select(invites).where(is_open(now), invites.c.id.is_not(None))
        place = tuple_(invites.c.expires_at, invites.c.id)
        if cursor is not None:
            query = query.where(place < tuple_(*map(literal, parse_cursor(cursor))))
        query = query.order_by(invites.c.expires_at.desc(), invites.c.id.desc()).limit(limit + 1)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        last = rows[limit - 1] if len(rows) > limit else None
        found = tuple(Invitation(r.id, None, r.made_by, r.created_at, r.expires_at) for r in rows[:limit])
        return InvitationPage(found, make_cursor(last.expires_at, last.id) if last is not None else None)

    async def revoke_any(self, which: str, actor: str, reason: str, now: datetime) -> bool:
        """Whosever it is, by its id or its code, and the entry that tells of it. False where it is not open any
        more."""
        named = or_(invites.c.id == which, invites.c.code_hash == hash_of(which))
        values = {"revoked_at": now.isoformat(), "code": None}
        revoking = update(invites).where(named, is_open(now)).values(**values).returning(invites.c.id)
        async with self._database.write() as connection:
            await alone(connection)
            row = (await connection.execute(revoking)).first()
            if row is None:
                return False
            await record(connection, Deed(actor, "revoke", "invitation", row.id or "", reason), now)
        return True

    async def find_open(self, code: str, now: datetime) -> Invitation | None:
        """What a code would open just now."""
        query = select(invites).where(invites.c.code_hash == hash_of(code), is_open(now))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            return None
        return Invitation(row.id or "", None, row.made_by, row.created_at, row.expires_at)

    async def note_days(self, days: Iterable[tuple[str, str]], most: int) -> None:
        """(account, day) each; of those who have `most` days already no more are kept."""
        noted = sorted(set(days))
        async with self._database.write() as connection:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            for account_id, day in noted:
                theirs = select(func.count()).where(active_days.c.account_id == account_id)
                if (await connection.execute(theirs)).scalar_one() < most:
                    row = dialect.insert(active_days).values(account_id=account_id, day=day)
                    await connection.execute(row.on_conflict_do_nothing())

    async def earned(self, maker: str, days: int) -> int:
        """How many of those who came by a maker's invitations were active on `days` days."""
        active = (
            select(active_days.c.account_id)
            .join(accounts, accounts.c.id == active_days.c.account_id)
            .where(accounts.c.invited_by == maker)
            .group_by(active_days.c.account_id)
            .having(func.count() >= days)
            .subquery()
        )
        async with self._database.read() as connection:
            return int((await connection.execute(select(func.count()).select_from(active))).scalar_one())


async def put_invitations(connection: AsyncConnection, invitations: Iterable[Invitation]) -> None:
    """Fresh ones, that have their codes."""
    rows = [
        {
            "code_hash": hash_of(invitation.code or ""),
            "created_at": invitation.created_at,
            "id": invitation.id,
            "made_by": invitation.made_by,
            # Those of the server's own are shown once, or stand in a mail.
            "code": invitation.code if invitation.made_by is not None else None,
            "expires_at": invitation.expires_at,
        }
        for invitation in invitations
    ]
    if rows:
        await connection.execute(insert(invites), rows)


def _counts(now: datetime) -> ColumnElement[bool]:
    return and_(invites.c.revoked_at.is_(None), or_(invites.c.used_by.is_not(None), is_fresh(now)))
