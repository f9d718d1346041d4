"""A real database for whoever asks for one: SQLite, or with `--database postgresql` a real PostgreSQL."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import structlog

from parola.store import Store
from tests.database import DATABASES, driven

COMPILED = Path(__file__).parents[1] / ".cache" / "compiled"
_WITH_DATABASE = frozenset({"database_url", "house", "web"})
"""Fixtures behind which a database is; what is marked e2e has a whole server."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=("sqlite", "postgresql"), default="sqlite")
    parser.addoption("--database-only", action="store_true", help="only tests to which it matters which")


def pytest_configure(config: pytest.Config) -> None:
    DATABASES.kind = config.getoption("--database")
    # Compiled once for all, not once for each server that a test starts.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(COMPILED))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--database-only"):
        return
    kept = [item for item in items if _depends_on_database(item)]
    if not kept:
        raise pytest.UsageError("to no test the database matters: the selection is wrong")
    config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
    items[:] = kept


def _depends_on_database(item: pytest.Item) -> bool:
    return not item.get_closest_marker("any_database") and bool(
        _WITH_DATABASE.intersection(getattr(item, "fixturenames", ())) or item.get_closest_marker("e2e")
    )


def pytest_unconfigure() -> None:
    DATABASES.close()


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Commands configure the log of their whole process, which here is everybody's."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture
def database_url(tmp_path: Path) -> Iterator[str]:
    """Of a database with this version's tables and nothing in them, as the store takes it."""
    url = DATABASES.fresh(tmp_path)
    yield driven(url)
    DATABASES.drop(url)


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    store = Store.open(database_url)
    yield store
    await store.close()
