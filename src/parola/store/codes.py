"""Names and secrets at random; when a code holds, and using it up."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain.moments import milliseconds
from parola.store.tables import accounts, invites


def new_id() -> str:
    """Of 128 random bits. It begins with no hyphen: on a command line that would be an option."""
    while (made := secrets.token_urlsafe(16)).startswith("-"):
        pass
    return made


def hash_of(code: str) -> str:
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()


async def redeem(
    connection: AsyncConnection, code: str, account_id: str, now: datetime
) -> tuple[bool, str | None]:
    """Whether the code held, and who had made it; used up with the transaction around it.

    On PostgreSQL the maker's row is held until its end: a suspension of the maker waits for it, and finds in the branch
    who came by it, or is seen here."""
    made_by = select(invites.c.made_by).where(invites.c.code_hash == hash_of(code))
    maker = select(accounts.c.id).where(accounts.c.id == made_by.scalar_subquery())
    await connection.execute(maker.with_for_update(read=True))
    this = and_(invites.c.code_hash == hash_of(code), is_open(now))
    values = {"used_by": account_id, "used_at": now.isoformat(), "code": None}
    if not (await connection.execute(update(invites).where(this).values(**values))).rowcount:
        return False, None
    return True, (await connection.execute(made_by)).scalar()


def is_open(now: datetime) -> ColumnElement[bool]:
    """Neither used nor revoked nor too old, and not of somebody who is suspended."""
    maker = accounts.alias("maker")
    suspended = exists().where(maker.c.id == invites.c.made_by, maker.c.suspended_at.is_not(None))
    return and_(invites.c.used_by.is_(None), invites.c.revoked_at.is_(None), is_fresh(now), ~suspended)


def is_fresh(now: datetime) -> ColumnElement[bool]:
    return or_(invites.c.expires_at.is_(None), invites.c.expires_at > milliseconds(now))
