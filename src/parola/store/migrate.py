"""Brings a database to this version's tables, forward only."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection

from parola.store.database import Database


async def upgrade(url: str) -> None:
    """Does nothing where the tables are of this version already."""
    database = Database(url)
    try:
        async with database.engine.begin() as connection:
            await connection.run_sync(_upgrade)
    finally:
        await database.close()


def revisions() -> tuple[str, ...]:
    """Of this version's tables, the newest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    return tuple(script.revision for script in scripts.walk_revisions())


def _upgrade(connection: Connection) -> None:
    # Alembic takes a fifth of a second to import, and only one process of a start needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
