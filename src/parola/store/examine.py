"""A look at a database from outside, which changes nothing in it: for `parola doctor`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.store.database import Database
from parola.store.migrate import revisions


@dataclass(frozen=True, slots=True)
class Examined:
    """`revision` is that of its tables, None where there are none; `known` are this version's, the newest first.
    `ahead_s` is how much the database's clock is ahead of ours, None where it has none of its own."""

    server: str
    revision: str | None
    known: tuple[str, ...]
    seconds: float
    ahead_s: float | None


async def examine(url: str) -> Examined | None:
    """None for a SQLite file that is not there yet. Raises StoreUnavailable."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").exists():
        return None
    database = Database(url)
    try:
        async with database.read() as connection:
            is_sqlite = connection.dialect.name == "sqlite"
            began = time.time()
            ask = (
                "SELECT sqlite_version(), NULL"
                if is_sqlite
                else "SELECT version(), extract(epoch FROM now())"
            )
            version, now = (await connection.execute(text(ask))).one()
            seconds = time.time() - began
            ahead = None if now is None else float(now) - (began + seconds / 2)
            server = f"SQLite {version}" if is_sqlite else " ".join(str(version).split()[:2])
            return Examined(server, await _revision(connection), revisions(), seconds, ahead)
    finally:
        await database.close()


def shown(url: str) -> str:
    """An address of a database as people write it, without its password."""
    parsed = make_url(url)
    return parsed.set(drivername=parsed.get_backend_name()).render_as_string(hide_password=True)


async def _revision(connection: AsyncConnection) -> str | None:
    try:
        return (
            await connection.execute(text("SELECT version_num FROM alembic_version"))
        ).scalar_one_or_none()
    except DBAPIError:
        return None  # it has no such table
