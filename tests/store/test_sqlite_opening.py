"""SQLite is switched to WAL once, and who opens it meanwhile waits for that."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

from sqlalchemy import text

from parola.store.database import Database


async def test_one_who_writes_at_the_first_opening_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "parola.db"
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("CREATE TABLE kept (id INTEGER)")
    database = Database(f"sqlite+aiosqlite:///{path}")
    reading = asyncio.create_task(_read(database))
    await asyncio.sleep(0.2)
    assert not reading.done()
    other.execute("COMMIT")
    assert await reading == ("wal", 0)
    other.close()
    await database.close()


async def _read(database: Database) -> tuple[str, int]:
    async with database.read() as connection:
        mode = (await connection.execute(text("PRAGMA journal_mode"))).scalar_one()
        return mode, (await connection.execute(text("SELECT count(*) FROM kept"))).scalar_one()
