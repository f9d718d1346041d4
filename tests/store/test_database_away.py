"""A real PostgreSQL that is killed, frozen, overcrowded or cut off in mid-commit: whoever asks is told, nobody is lied
to, and as soon as it is back everything works at the first try."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain import rooms as r
from parola.store import Store, StoreUnavailable, upgrade
from parola.store.database import Database
from tests.database import driven
from tests.store.wire import Wire, wire
from tools.postgres import Cluster

NOW = datetime(2026, 1, 2, tzinfo=UTC)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster(durable=True)
    made.start()
    asyncio.run(upgrade(driven(made.create_database("ready"))))
    yield made
    made.stop()


@pytest.fixture
def name(cluster: Cluster) -> str:
    """Of a database with our tables."""
    made = f"away_{next(_numbers)}"
    cluster.create_database(made, "ready")
    return made


@pytest.fixture
async def away(cluster: Cluster, name: str) -> AsyncIterator[Store]:
    """A store with an account and a room, on a server of which each test makes something."""
    async with opened(Database(driven(cluster.url(name)))) as store:
        yield store


@pytest.fixture
async def line(cluster: Cluster) -> AsyncIterator[Wire]:
    async with wire(cluster.socket) as made:
        yield made


@contextlib.asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Store]:
    store = Store(database)
    await store.accounts.add("host", "host", "Host", "", NOW)
    events = r.create("room", "host", "A room", r.Access.OPEN, True, None, NOW)
    await store.rooms.create(r.fold(None, events), events)
    yield store
    await store.close()


def on(line: Wire, name: str, patience_s: float = 0.5) -> Database:
    return Database(driven(f"postgresql://postgres@/{name}?host={line.folder}"), patience_s)


async def raise_hand(store: Store) -> None:
    before = await store.rooms.load("room")
    assert before is not None
    events = r.decide(before, r.RaiseHand("ada"), NOW)
    await store.rooms.append(before, events, r.fold(before, events))


async def test_killed_it_is_away_and_back_at_the_first_try_with_all_that_was_told(
    cluster: Cluster, away: Store
) -> None:
    await asyncio.gather(*(away.rooms.load("room") for _ in range(16)))  # every connection there can be
    await raise_hand(away)
    cluster.kill()
    for call in (away.rooms.load("room"), raise_hand(away), away.ping(), away.leases.beat("p", "m", 0.0)):
        with pytest.raises(StoreUnavailable):
            await call
    await asyncio.to_thread(cluster.start)
    rooms = await asyncio.gather(*(away.rooms.load("room") for _ in range(16)))
    assert all(room is not None and room.has_hand("ada") for room in rooms)


async def test_in_the_middle_of_a_transaction_it_is_away_and_nothing_is_done(
    cluster: Cluster, name: str, away: Store
) -> None:
    async def rename() -> None:
        async with away._database.write() as connection:
            await connection.execute(text("UPDATE accounts SET name = 'Other'"))
            cluster.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
            )

    with pytest.raises(StoreUnavailable):
        await rename()
    account = await away.accounts.by_handle("host")
    assert account is not None
    assert account.name == "Host"


@pytest.mark.parametrize("statement", ["SELECT pg_cancel_backend(pg_backend_pid())", "SELECT pg_sleep(60)"])
async def test_a_query_that_is_cut_off_or_never_answers_ends_as_away(
    cluster: Cluster, name: str, statement: str
) -> None:
    async with opened(Database(driven(cluster.url(name)), patience_s=0.5)) as store:

        async def ask(kind: Callable[[], AbstractAsyncContextManager[AsyncConnection]]) -> None:
            async with kind() as connection:
                await connection.execute(text(statement))

        for kind in (store._database.read, store._database.write):
            with pytest.raises(StoreUnavailable):
                await ask(kind)
            assert await store.rooms.load("room") is not None


async def test_a_connection_that_is_refused_ends_as_away(cluster: Cluster, name: str, away: Store) -> None:
    """With an error of the server's, as while it starts up, shuts down or has too many."""
    cluster.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    other = Store.open(driven(cluster.url(name)))
    with pytest.raises(StoreUnavailable, match="not currently accepting connections"):
        await other.rooms.load("room")
    cluster.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert await other.rooms.load("room") is not None
    await other.close()


async def test_of_two_that_wait_for_each_other_one_is_told_to_come_again(away: Store) -> None:
    await away.accounts.add("ada", "ada", "Ada", "", NOW)
    first_done = asyncio.Barrier(2)

    async def rename(*ids: str) -> None:
        async with away._database.write() as connection:
            for i, id in enumerate(ids):
                if i:
                    await first_done.wait()
                await connection.execute(text(f"UPDATE accounts SET name = 'x' WHERE id = '{id}'"))

    ends = await asyncio.gather(rename("host", "ada"), rename("ada", "host"), return_exceptions=True)
    assert sorted(type(end) for end in ends if end) == [StoreUnavailable]


async def test_frozen_it_is_away_for_those_who_are_connected_and_for_those_who_come(
    cluster: Cluster, name: str
) -> None:
    async with opened(Database(driven(cluster.url(name)), patience_s=0.3)) as store:
        cluster.freeze()
        try:
            asked = [store.rooms.load("room") for _ in range(20)] + [store.ping()]
            ends = await asyncio.gather(*asked, return_exceptions=True)
            assert {type(end) for end in ends} == {StoreUnavailable}
        finally:
            cluster.thaw()
        rooms = await asyncio.gather(*(store.rooms.load("room") for _ in range(20)))
        assert None not in rooms


async def test_nobody_waits_twice_for_a_wire_that_fell_silent(name: str, line: Wire) -> None:
    async with opened(on(line, name)) as store:
        await asyncio.gather(*(store.rooms.load("room") for _ in range(8)))
        assert line.connections >= 8
        line.fall_silent()
        with pytest.raises(StoreUnavailable):
            await store.rooms.load("room")
        rooms = await asyncio.gather(*(store.rooms.load("room") for _ in range(8)))
        assert None not in rooms


async def test_a_commit_whose_answer_is_lost_is_no_success_and_is_done_once(name: str, line: Wire) -> None:
    async with opened(on(line, name)) as store:
        line.breaks_at_commit = True
        with pytest.raises(StoreUnavailable):
            await raise_hand(store)
        assert not line.breaks_at_commit
        room = await store.rooms.load("room")
        assert room is not None
        assert room.has_hand("ada"), "it was carried out"
        # Whoever asks again decides on what is there, and finds it done.
        assert r.decide(room, r.RaiseHand("ada"), NOW) == ()
        assert [event.seq for event in await store.rooms.events_after("room", 0)] == [1, 2, 3]
