"""Whoever is cancelled in the middle of a query gives their connection back."""

from __future__ import annotations

import asyncio
import gc
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete, insert, update

from parola.store import Store
from parola.store.tables import leases

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize("kind", ["read", "write"])
async def test_a_cancelled_query_costs_no_connection(store: Store, kind: str) -> None:
    """Warnings are errors, and the pool warns of a connection that was lost to it."""
    pools = store._database.pools
    for step in range(60):
        work = store.rooms.heads(["a"]) if kind == "read" else store.leases.beat("p", "machine", 0.0)
        task = asyncio.ensure_future(work)
        for i in range(step):
            # Every third time to the selector, so that the driver's thread comes to say something.
            await asyncio.sleep(0 if i % 3 else 0.0001)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert [pool.checkedout() for pool in pools] == [0] * len(pools)  # type: ignore[attr-defined]
    del task, work
    gc.collect()
    await store.accounts.add("ada", "ada", "Ada", "", NOW)
    assert await store.accounts.by_handle("ada") is not None


@pytest.mark.parametrize("steps", [0, 5, 12, 30])
async def test_closing_waits_for_what_is_on_its_way_back(database_url: str, steps: int) -> None:
    """An engine that ends forgets what is lent out: its thread, or its socket, would stay for ever."""
    store = Store.open(database_url)
    await store.accounts.add("ada", "ada", "Ada", "", NOW)
    taken = [asyncio.ensure_future(store.rooms.heads(["a"])) for _ in range(4)]
    for i in range(steps):
        await asyncio.sleep(0 if i % 3 else 0.0001)
    for task in taken:
        task.cancel()
    await asyncio.sleep(0)
    pools = store._database.pools
    await store.close()
    assert [pool.checkedout() for pool in pools] == [0] * len(pools)  # type: ignore[attr-defined]
    await asyncio.gather(*taken, return_exceptions=True)


LEASE = {"process_id": "p", "machine": "m", "beat": 1, "load": 0.0}


async def test_a_cancelled_write_holds_nobody_up_whoever_keeps_its_traceback(store: Store) -> None:
    database = store._database
    kept = []

    async def write() -> None:
        async with database.write() as connection:
            await connection.execute(insert(leases).values(**LEASE))
            await connection.execute(update(leases).values(beat=2).returning(leases.c.process_id))

    for step in range(0, 60, 3):
        task = asyncio.ensure_future(write())
        for i in range(step):
            await asyncio.sleep(0 if i % 3 else 0.0001)
        task.cancel()
        kept.append((task, await asyncio.gather(task, return_exceptions=True)))
        async with asyncio.timeout(2), database.write() as connection:
            await connection.execute(delete(leases))
