"""Migrations go forward with data in every table, and end where this version's tables begin.

A new revision is covered without a line here: rows are put into every table of each version on the way, and have to be
there at the end. What one gives up on purpose is named in `GIVEN_UP`.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from parola.domain import rooms as r
from parola.domain.moderation import Measure
from parola.store import HandleTaken, Head, Store, Wanted, upgrade
from parola.store.codes import is_open
from parola.store.migrate import revisions
from parola.store.tables import invites, metadata
from tests.database import DATABASES, driven
from tests.store import first_version

GIVEN_UP: frozenset[str] = frozenset()
"""Tables ("name") and columns ("table.column") that a migration drops on purpose."""

_REAL = {"snapshot": first_version.SNAPSHOT, "body": first_version.EVENTS[0]}
"""What migrations may read is as it was written."""
_EACH = 2

STARTS = """
import asyncio, sys
import alembic.command
from parola.store import upgrade

print("imported", flush=True)
sys.stdin.read()
asyncio.run(upgrade(sys.argv[1]))
print("up")
"""
_VERSION = "alembic_version"

Rows = dict[str, list[dict[str, Any]]]


@pytest.fixture
def empty_url(tmp_path: Path) -> Iterator[str]:
    url = DATABASES.empty(tmp_path)
    yield driven(url)
    DATABASES.drop(url)


@pytest.mark.timeout(
    180
)  # each version reflects all of its tables, which a shared PostgreSQL takes its time for
async def test_rows_of_every_version_are_there_at_the_end(empty_url: str) -> None:
    written: Rows = {}
    for version, revision in enumerate(reversed(revisions())):
        await upgrade(empty_url, revision)
        async with opened(empty_url) as engine:
            for table, rows in (await _fill(engine, version)).items():
                written.setdefault(table, []).extend(rows)
    await upgrade(empty_url)
    async with opened(empty_url) as engine:
        kept = await _read(engine)
    assert set(written) - GIVEN_UP <= set(kept)
    for table, rows in written.items():
        for row in rows:
            wanted = {name: v for name, v in row.items() if f"{table}.{name}" not in GIVEN_UP}
            assert (
                any(wanted.items() <= there.items() for there in kept.get(table, [])) or table in GIVEN_UP
            ), f"{table} has lost {wanted}"


async def test_a_house_of_the_first_version_goes_on_living(empty_url: str) -> None:
    await upgrade(empty_url, revisions()[-1])
    async with opened(empty_url) as engine:
        tables = await _tables(engine)
        assert {table.name for table in tables} - {_VERSION} == set(first_version.ROWS)
        async with engine.begin() as connection:
            for table in tables:
                if table.name != _VERSION:
                    await connection.execute(table.insert(), first_version.ROWS[table.name])
    await upgrade(empty_url)
    store = Store.open(empty_url)
    room = await store.rooms.load("room")
    assert room is not None
    assert room == r.fold(None, await store.rooms.events_after("room", 0))
    assert (room.title, room.seq, room.role("carla")) == ("Über alles reden", 11, "cohost")
    assert await store.rooms.heads(["room"]) == {"room": Head(11, "process", 3)}
    listed = {viewer: await _listed(store, viewer) for viewer in (None, "bob", "mallory")}
    assert listed == {None: ["room"], "bob": ["room"], "mallory": []}
    session = await store.sessions.by_token_hash("hash", datetime.now(UTC))
    assert session is not None
    assert session.account.handle == "bob"
    assert await store.relations.follows("bob", "ada")
    assert [lease.beat for lease in await store.leases.all()] == [5_000_000_000]
    page = await store.relations.followers("ada", None, None, 1)
    rest = await store.relations.followers("ada", None, page.next, 1)
    assert [one.handle for one in (*page.people, *rest.people)] == ["carla", "bob"]
    with pytest.raises(HandleTaken):
        await store.accounts.add("new", "car1a", "Another Carla", "", room.created_at)
    query = sa.select(invites.c.code_hash, invites.c.used_by, is_open(room.created_at)).order_by(sa.text("1"))
    async with opened(empty_url) as engine, engine.connect() as connection:
        codes = [tuple(row) for row in await connection.execute(query)]
    assert codes == [("open", None, True), ("used", "bob", False)]
    await store.close()


async def test_accounts_that_look_alike_already_keep_their_handles(empty_url: str) -> None:
    await upgrade(empty_url, "0002")
    rows = [
        {"id": id, "handle": handle, "created_at": f"2026-01-0{day}"}
        for id, handle, day in (("younger", "pao1o", 2), ("older", "paolo", 1), ("other", "ada", 3))
    ]
    async with opened(empty_url) as engine:
        (accounts,) = [table for table in await _tables(engine) if table.name == "accounts"]
        async with engine.begin() as connection:
            more = {"name": "", "bio": "", "password_hash": ""}
            await connection.execute(accounts.insert(), [{**row, **more} for row in rows])
    await upgrade(empty_url)
    async with opened(empty_url) as engine:
        kept = {row["handle"]: row["skeleton"] for row in (await _read(engine))["accounts"]}
    assert kept == {"paolo": "paolo", "pao1o": None, "ada": "ada"}


async def test_who_was_suspended_before_can_appeal(empty_url: str) -> None:
    await upgrade(empty_url, "0006")
    at = "2026-01-02T03:04:05+00:00"
    rows = [
        {"id": id, "handle": id, "suspended_at": suspended, "created_at": at, "password_hash": "", "bio": ""}
        for id, suspended in (("bob", at), ("ada", None))
    ]
    said = {
        "action": "suspend",
        "kind": "account",
        "object": "bob",
        "actor": "root",
        "before": "",
        "hash": "",
    }
    async with opened(empty_url) as engine:
        tables = {table.name: table for table in await _tables(engine)}
        async with engine.begin() as connection:
            await connection.execute(tables["accounts"].insert(), [{**row, "name": ""} for row in rows])
            for seq, reason in ((1, "at first"), (2, "shouts")):
                entry = {**said, "seq": seq, "at": at, "reason": reason}
                await connection.execute(tables["audit"].insert(), [entry])
    await upgrade(empty_url)
    store = Store.open(empty_url)
    (measure,) = await store.measures.of("bob")
    assert (measure.kind, measure.reason, measure.actor, measure.holds) == (
        Measure.SUSPEND,
        "shouts",
        "root",
        True,
    )
    assert measure.at == 1767323045000
    assert await store.measures.of("ada") == []
    await store.close()


async def test_the_last_version_is_what_this_version_writes_to(empty_url: str) -> None:
    await upgrade(empty_url)

    def differences(connection: sa.Connection) -> Any:
        return compare_metadata(MigrationContext.configure(connection), metadata)

    async with opened(empty_url) as engine, engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        await connection.execute(sa.text("CREATE TABLE more (id INTEGER)"))
        assert await connection.run_sync(differences) != []


async def test_those_who_start_at_once_on_an_empty_database_all_come_up(empty_url: str) -> None:
    starts = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", STARTS, empty_url, stdin=PIPE, stdout=PIPE)
        for _ in range(4)
    ]
    for process in starts:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"imported\n"
    said = await asyncio.gather(*(process.communicate(b"") for process in starts))
    assert [out for out, _ in said] == [b"up\n"] * 4
    async with opened(empty_url) as engine:
        assert (await _read(engine))[_VERSION] == [{"version_num": revisions()[0]}]


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[AsyncEngine]:
    engine = create_async_engine(url)
    yield engine
    await engine.dispose()


async def _listed(store: Store, viewer: str | None) -> list[str]:
    return [room.id for room in (await store.rooms.page(Wanted(r.Lifecycle.LIVE), viewer, None, 10)).rooms]


async def _tables(engine: AsyncEngine) -> list[sa.Table]:
    """As they are in the database now, those first that others refer to."""
    found = sa.MetaData()
    async with engine.connect() as connection:
        await connection.run_sync(found.reflect)
    return found.sorted_tables


async def _read(engine: AsyncEngine) -> Rows:
    kept = {}
    for table in await _tables(engine):
        async with engine.connect() as connection:
            rows = await connection.execute(table.select())
            kept[table.name] = [dict(row) for row in rows.mappings()]
    return kept


async def _fill(engine: AsyncEngine, version: int) -> Rows:
    written: Rows = {}
    for table in await _tables(engine):
        if table.name == _VERSION:
            continue
        rows = [
            {column.name: _value(column, version * _EACH + i, i, written) for column in table.columns}
            for i in range(_EACH)
        ]
        async with engine.begin() as connection:
            await connection.execute(table.insert(), rows)
        written[table.name] = rows
    return written


def _value(column: sa.Column[Any], number: int, i: int, written: Rows) -> Any:
    """Another one for each row, `number`, of all versions' together; `i` is its number in this version."""
    for key in column.foreign_keys:
        return written[key.column.table.name][i][key.column.name]
    if column.name in _REAL:
        return _REAL[column.name]
    if isinstance(column.type, sa.Boolean):
        return bool(i)
    if isinstance(column.type, sa.Integer):
        return 1000 + number
    if isinstance(column.type, sa.Float | sa.Numeric):
        return number + 0.25
    if isinstance(column.type, sa.String):
        words = f"{number} {column.table.name}.{column.name} ü"
        return words[: column.type.length or None]
    raise AssertionError(f"how does one fill {column.table.name}.{column.name}: {column.type!r}?")
