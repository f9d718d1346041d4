"""One way to read and one to write, for SQLite and PostgreSQL alike.

SQLite: WAL, so that readers and the one writer do not wait for each other; synchronous=FULL, so that what was answered
survives even a power cut; BEGIN IMMEDIATE, so that two writers queue instead of failing in mid-transaction.

PostgreSQL is elsewhere, and may be away or say nothing: every transaction there has an end, so that whoever asked is
told in time, and what was connected to a server that fell silent is not used again, so that nobody waits twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from weakref import WeakSet

from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InvalidRequestError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from parola.store.figures import StoreFigures

_PRAGMAS = ("busy_timeout=5000", "synchronous=FULL", "foreign_keys=ON")
_SWITCHING_S = 5.0
"""For the switch to WAL, which happens once in a database's life."""
_RETRY_S = 0.02
PATIENCE_S = 2.5
"""For one transaction on PostgreSQL, with the wait for a connection: a caller is to hear within three seconds."""
_CONNECT_S = 2.0
_GOODBYE_S = 1.0


class StoreUnavailable(Exception):
    """The database cannot be reached, is full, or does not answer. Nothing was changed; or all of it, where the
    connection was lost during the commit: whoever asks again decides on what is there by then."""


class StoreFull(StoreUnavailable):
    """The database can be read, and what would be written finds no room on its disk."""


class Database:
    """`patience_s` is for one transaction on PostgreSQL; None where it may take as long as it likes."""

    def __init__(self, url: str, patience_s: float | None = PATIENCE_S) -> None:
        self.engine = _sqlite(url) if _is_sqlite(url) else self._postgresql(url)
        self.wrote_at = float("-inf")
        """When a transaction was last committed, in monotonic seconds; minus infinity when the last one failed."""
        self._reader = (
            _sqlite_reader(url)
            if _is_sqlite(url)
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self.pools = {self.engine.pool, self._reader.pool}
        self.figures = StoreFigures(self.pools)
        self._patience_s = None if _is_sqlite(url) else patience_s
        self._idle: WeakSet[Any] = WeakSet()
        """The driver's connections that lie in the pool."""
        self._giving: set[asyncio.Future[None]] = set()
        """Connections on their way back; `close` waits for them, since an engine forgets what is out when it ends."""

    @contextlib.asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Single statements, each its own transaction. Raises StoreUnavailable."""
        with self.figures.timed("read", StoreUnavailable), translated():
            async with self._lent(self._reader) as connection:
                yield connection

    @contextlib.asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, durable when this returns. Raises StoreUnavailable, and IntegrityError as it is."""
        try:
            with self.figures.timed("write", StoreUnavailable), translated():
                async with self._lent(self.engine) as connection, connection.begin():
                    yield connection
        except StoreUnavailable:
            self.wrote_at = float("-inf")
            raise
        self.wrote_at = time.monotonic()

    async def close(self) -> None:
        if self._giving:
            await asyncio.wait(self._giving)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_S):
                await asyncio.gather(self.engine.dispose(), self._reader.dispose())

    @contextlib.asynccontextmanager
    async def _lent(self, engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
        """A connection that finds its way back: one whose caller is cancelled while it is being taken out, or given
        back, would be lost to the pool. Raises TimeoutError and whatever connecting does."""
        began = asyncio.get_running_loop().time()
        connection = engine.connect()
        taking = asyncio.ensure_future(connection.start())
        is_late = False
        try:
            await asyncio.wait({taking}, timeout=self._patience_s)
            is_late = not taking.done()
            if is_late:
                raise TimeoutError("no connection to the database in time")
            _check_taken(taking)
            with self._cut_off_when_late(connection, began):
                yield connection
        finally:
            giving = asyncio.ensure_future(_give_back(connection, taking))
            self._giving.add(giving)
            giving.add_done_callback(self._giving.discard)
            if not is_late:
                try:
                    await asyncio.shield(giving)
                except asyncio.CancelledError:
                    await asyncio.wait({giving})
                    raise

    @contextlib.contextmanager
    def _cut_off_when_late(self, connection: AsyncConnection, began: float) -> Iterator[None]:
        """Nothing is asked of a server that has left somebody waiting, not even to give up: its connection is dropped,
        and who waits for its answer learns so at once."""
        if self._patience_s is None:
            yield
            return
        assert connection.sync_connection is not None
        driver: Any = connection.sync_connection.connection.driver_connection

        def cut_off() -> None:
            for one in (driver, *self._idle):
                one.terminate()

        timer = asyncio.get_running_loop().call_at(began + self._patience_s, cut_off)
        try:
            yield
        finally:
            timer.cancel()

    def _postgresql(self, url: str) -> AsyncEngine:
        engine = create_async_engine(
            url, pool_size=8, max_overflow=8, connect_args={"timeout": _CONNECT_S}, pool_timeout=PATIENCE_S
        )
        event.listen(engine.sync_engine, "checkout", self._taken_out)
        event.listen(engine.sync_engine, "checkin", self._given_back)
        return engine

    def _taken_out(self, connection: Any, _record: object, _lent: object) -> None:
        """Costs no question to the server: what the kernel has said of the other end is known here."""
        driver = connection.driver_connection
        self._idle.discard(driver)
        if driver.is_closed():
            raise DisconnectionError("the server has closed it")

    def _given_back(self, connection: Any, _record: object) -> None:
        if connection is not None:
            self._idle.add(connection.driver_connection)


def _check_taken(taking: asyncio.Future[AsyncConnection]) -> None:
    try:
        taking.result()
    except InvalidRequestError as error:
        raise StoreUnavailable("the server closes what was just connected") from error


async def _give_back(connection: AsyncConnection, taking: asyncio.Future[AsyncConnection]) -> None:
    await asyncio.wait({taking})
    if taking.exception() is None:
        await connection.close()


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Whatever a database that is away, silent or full makes of a call is StoreUnavailable or StoreFull."""
    try:
        yield
    except IntegrityError:
        raise
    except (DBAPIError, PoolTimeout, OSError) as error:
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


def _sqlite(url: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=8, max_overflow=8, pool_timeout=5)
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_immediate)
    event.listen(engine.sync_engine, "invalidate", _give_up)
    return engine


def _give_up(connection: Any, _record: object, _error: object) -> None:
    """A connection whose caller was cancelled is closed, and closing waits for cursors that the cancellation's own
    traceback may hold: all who want to write would wait for those."""
    connection.rollback()


def _sqlite_reader(url: str) -> AsyncEngine:
    """Each call of the driver crosses over to its thread and back, which is most of what a read takes: here is nothing
    to begin, to give up, or to set back."""
    engine = create_async_engine(
        url,
        pool_size=8,
        max_overflow=8,
        pool_timeout=5,
        isolation_level="AUTOCOMMIT",
        skip_autocommit_rollback=True,
        pool_reset_on_return=None,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    return engine


def _is_sqlite(url: str) -> bool:
    return url.startswith("sqlite")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver must not begin transactions of its own; `_begin_immediate` does.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(f"PRAGMA {pragma}")
    _switch_to_wal(cursor)
    cursor.close()


def _switch_to_wal(cursor: Any) -> None:
    """Two who switch at once hold each other up, and SQLite tells one of them so without waiting, whatever its
    busy_timeout: that one asks again."""
    end = time.monotonic() + _SWITCHING_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError:
            if time.monotonic() > end:
                raise
            await_only(asyncio.sleep(_RETRY_S))


def _begin_immediate(connection: Any) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")
