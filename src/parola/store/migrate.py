"""Brings a database to this version's tables, forward only, and one process at a time.

On PostgreSQL the machines of one Parola may start at once on the same empty database: the first holds a lock until it
has committed, the others find everything done. On SQLite the one writer there can be is that lock.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, text

from parola.store.database import Database, translated

_LOCK = 0x7061726F6C61  # "parola", in a namespace that others of this database may use as well


async def upgrade(url: str, revision: str = "head") -> None:
    """Does nothing where the tables are of that version already. Raises StoreUnavailable."""
    database = Database(url, patience_s=None)
    try:
        with translated():
            async with database.engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
                await connection.run_sync(_upgrade, revision)
    finally:
        await database.close()


def revisions() -> tuple[str, ...]:
    """Of this version's tables, the newest first."""
    from alembic.script import ScriptDirectory

    scripts = ScriptDirectory(str(Path(__file__).parent / "migrations"))
    return tuple(script.revision for script in scripts.walk_revisions())


def _upgrade(connection: Connection, revision: str) -> None:
    # Alembic takes a fifth of a second to import, and only one process of a start needs it.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
