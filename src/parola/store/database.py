"""One way to read and one to write, for SQLite and PostgreSQL alike.

SQLite: WAL, so that readers and the one writer do not wait for each other; synchronous=FULL, so that what was answered
survives even a power cut; BEGIN IMMEDIATE, so that two writers queue instead of failing in mid-transaction.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import time
from collections.abc import AsyncIterator
from typing import Any

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from parola.store.figures import StoreFigures

_PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=5000", "foreign_keys=ON")


class StoreUnavailable(Exception):
    """The database cannot be reached, is full, or does not answer; nothing was changed."""


class StoreFull(StoreUnavailable):
    """The database can be read, and what would be written finds no room on its disk."""


class Database:
    def __init__(self, url: str) -> None:
        self.engine = _engine(url)
        self.wrote_at = float("-inf")
        """When a transaction was last committed, in monotonic seconds; minus infinity when the last one failed."""
        self.figures = StoreFigures(self.engine.pool)
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Single statements, each its own transaction. Raises StoreUnavailable."""
        with self.figures.timed("read", StoreUnavailable), _translated():
            async with _lent(self._reader) as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, durable when this returns. Raises StoreUnavailable, and IntegrityError as it is."""
        try:
            with self.figures.timed("write", StoreUnavailable), _translated():
                async with _lent(self.engine) as connection, connection.begin():
                    yield connection
        except StoreUnavailable:
            self.wrote_at = float("-inf")
            raise
        self.wrote_at = time.monotonic()

    async def close(self) -> None:
        await self.engine.dispose()


@contextlib.asynccontextmanager
async def _lent(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    """A connection that finds its way back: one whose caller is cancelled while it is being taken out, or given back,
    would be lost to the pool."""
    connection = engine.connect()
    taking = asyncio.ensure_future(connection.start())
    try:
        await asyncio.shield(taking)
        yield connection
    finally:
        giving = asyncio.ensure_future(_give_back(connection, taking))
        try:
            await asyncio.shield(giving)
        except asyncio.CancelledError:
            await asyncio.wait({giving})
            raise


async def _give_back(connection: AsyncConnection, taking: asyncio.Future[AsyncConnection]) -> None:
    await asyncio.wait({taking})
    if taking.exception() is None:
        await connection.close()


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, TimeoutError, OSError) as error:
        raise (StoreFull if _is_full(error) else StoreUnavailable)(str(error)) from error


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
    # SQLite says the latter where a limit or a quota is reached, or the index beside its log cannot grow; PostgreSQL
    # has a code for it (appendix A of its manual: disk_full).
    said = str(error)
    return (
        "database or disk is full" in said
        or "disk I/O error" in said
        or getattr(getattr(error, "orig", None), "sqlstate", None) == "53100"
    )


def _engine(url: str) -> AsyncEngine:
    engine = create_async_engine(
        url, pool_size=8, max_overflow=8, pool_timeout=5, pool_pre_ping=not _is_sqlite(url)
    )
    if _is_sqlite(url):
        event.listen(engine.sync_engine, "connect", _prepare_sqlite)
        event.listen(engine.sync_engine, "begin", _begin_immediate)
    return engine


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions of its own; `_begin_immediate` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Any) -> None:
    if connection.get_execution_options().get("isolation_level") != "AUTOCOMMIT":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
