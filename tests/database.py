"""The database that a run of the tests is about: SQLite files, or databases of one real PostgreSQL (`--database`)."""

from __future__ import annotations

import asyncio
import itertools
import shutil
import tempfile
from pathlib import Path
from typing import Literal

from parola.store import upgrade
from tools.postgres import Cluster

Kind = Literal["sqlite", "postgresql"]


class Databases:
    """Makes databases, and removes what it made at the end. Outside of pytest, as in benchmarks, it is SQLite."""

    def __init__(self) -> None:
        self.kind: Kind = "sqlite"
        self._numbers = itertools.count()
        self._cluster: Cluster | None = None
        self._folder: Path | None = None
        self._ready = ""
        """What this version's tables are copied from: a file, or the name of a database."""

    def empty(self, folder: Path) -> str:
        """The URL of a database without any table; a file's is below `folder`. As PAROLA_DATABASE_URL takes it."""
        if self.kind == "sqlite":
            return f"sqlite:///{folder / f'parola-{next(self._numbers)}.db'}"
        return self._server().create_database(f"test_{next(self._numbers)}")

    def fresh(self, folder: Path) -> str:
        """The URL of one with this version's tables, and nothing in them."""
        if not self._ready:
            self._ready = self._make_ready()
        if self.kind == "sqlite":
            path = folder / f"parola-{next(self._numbers)}.db"
            shutil.copy(self._ready, path)
            return f"sqlite:///{path}"
        return self._server().create_database(f"test_{next(self._numbers)}", self._ready)

    def drop(self, url: str) -> None:
        """Some hundred databases of eight megabytes would fill the disk."""
        if self.kind == "postgresql":
            name = url.partition("?")[0].rpartition("/")[2]
            self._server().execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def close(self) -> None:
        if self._cluster is not None:
            self._cluster.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _server(self) -> Cluster:
        if self._cluster is None:
            self._cluster = Cluster(durable=False)
            self._cluster.start()
        return self._cluster

    def _make_ready(self) -> str:
        if self.kind == "postgresql":
            asyncio.run(upgrade(driven(self._server().create_database("ready"))))
            return "ready"
        self._folder = Path(tempfile.mkdtemp(prefix="parola-template-"))
        path = self._folder / "ready.db"
        asyncio.run(upgrade(driven(f"sqlite:///{path}")))
        return str(path)


def driven(url: str) -> str:
    """With the driver in it, as SQLAlchemy and the store take it."""
    scheme, separator, rest = url.partition("://")
    return {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg"}[scheme] + separator + rest


DATABASES = Databases()
