"""What the database's figures say of transactions that worked, that met another, and that failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from parola.store import HandleTaken, Store, StoreUnavailable

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def figure(store: Store, name: str, **labels: str) -> float:
    registry = CollectorRegistry()
    registry.register(store.figures)
    value = registry.get_sample_value(name, labels)
    assert value is not None, name
    return value


async def test_each_transaction_is_timed_by_its_kind(store: Store) -> None:
    before = {k: figure(store, "parola_sql_transaction_seconds_count", kind=k) for k in ("read", "write")}
    await store.accounts.add("A", "ada", "Ada", "-", NOW)
    await store.rooms.load("nothing")
    for kind in ("read", "write"):
        assert figure(store, "parola_sql_transaction_seconds_count", kind=kind) > before[kind]
        assert figure(store, "parola_sql_failures_total", kind=kind) == 0
    assert figure(store, "parola_sql_connections_in_use") == 0


async def test_a_name_that_is_taken_is_no_failure_of_the_database(store: Store) -> None:
    await store.accounts.add("A", "ada", "Ada", "-", NOW)
    with pytest.raises(HandleTaken):
        await store.accounts.add("B", "ada", "Ada", "-", NOW)
    assert figure(store, "parola_sql_failures_total", kind="write") == 0


async def test_a_database_that_is_away_is_a_failure() -> None:
    away = Store.open("postgresql+asyncpg://nobody:x@127.0.0.1:1/none")
    calls: list[Any] = [away.rooms.load("A"), away.accounts.add("A", "ada", "Ada", "-", NOW)]
    for call in calls:
        with pytest.raises(StoreUnavailable):
            await call
    await away.close()
    for kind in ("read", "write"):
        assert figure(away, "parola_sql_failures_total", kind=kind) == 1
        assert figure(away, "parola_sql_transaction_seconds_count", kind=kind) == 0
