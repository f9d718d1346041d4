"""What following costs the server: the home page of somebody who follows many, and the start of a room that very many
follow. Accounts and follows are put into the database beforehand, as if they had come over the years."""

from __future__ import annotations

import asyncio
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import insert

from bench.figures import Figure, quantile, spread
from parola.bus.memory import MemoryBus
from parola.client.api import Api
from parola.domain import rooms as r
from parola.services.audience import Audience
from parola.services.caller import Caller, Member
from parola.services.notices import Notices
from parola.services.rooms import Rooms
from parola.services.streams import Streams
from parola.services.views import Views
from parola.settings import Settings
from parola.store import Account, Store
from parola.store.tables import accounts, follows
from tests.e2e.house import House

FOLLOWED = 1000
LIVE = 200
FOLLOWERS = 100_000
TRIES = 40
_AT_ONCE = 5000
_HOME = (
    "/api/rooms?state=live&limit=50",
    "/api/rooms?following=true&limit=50",
    "/api/rooms?state=scheduled&limit=50",
)


async def following(house: House) -> list[Figure]:
    store = Store.open(_database_url(house))
    try:
        async with Api(house.origin, await _member(store, "reader")) as reader:
            await _hosts(store)
            home = await _home(reader)
        async with Api(house.origin, await _member(store, "star")) as star:
            await _followers(store)
            start = await _starts(star)
        told = await _notices(store)
    finally:
        await store.close()
    return [home, start, told]


async def _home(reader: Api) -> Figure:
    """The three lists that the page asks for, all at once."""
    took = []
    for _ in range(TRIES):
        began = time.perf_counter()
        lists = await asyncio.gather(*(reader.call("GET", path) for path in _HOME))
        took.append((time.perf_counter() - began) * 1000)
        assert len(lists[1]["rooms"]) == 50
    name = f"home page of a member following {FOLLOWED:,} people, {LIVE} rooms live, p95"
    return Figure(name, quantile(took, 0.95), "ms", 50, spread(took, "ms"))


async def _starts(star: Api) -> Figure:
    took = []
    for n in range(TRIES):
        began = time.perf_counter()
        await star.call("POST", "/api/rooms", {"title": f"Start {n}"})
        took.append((time.perf_counter() - began) * 1000)
    name = f"starting a room that {FOLLOWERS:,} follow, p95"
    return Figure(name, quantile(took, 0.95), "ms", 100, spread(took, "ms"))


async def _notices(store: Store) -> Figure:
    """Every one of them has the page open, in one web process: from the word on the bus to the last stream."""
    bus = MemoryBus()
    notices = Notices(
        store, bus, Views(store, Audience(bus, time.monotonic), "http://localhost"), Streams(store, bus)
    )
    await notices.start()
    told = 0
    done = asyncio.Event()

    class Counting:
        def __init__(self) -> None:
            self.on_lost: Callable[[], None] = lambda: None

        def write(self, text: bytes) -> None:
            nonlocal told
            told += 1
            if told == FOLLOWERS:
                done.set()

        def unread(self) -> int:
            return 0

        def close(self) -> None:
            pass

    for n in range(FOLLOWERS):
        account = Account(f"follower{n}", f"follower{n}", "", "", "-")
        await notices.follow(Caller(Member(account, f"session{n}")), Counting())
    created = r.create(
        secrets.token_urlsafe(16), "star", "Talk", r.Access.OPEN, True, None, datetime.now(UTC)
    )
    rooms = Rooms(store, bus, None, None, None, time.monotonic)  # type: ignore[arg-type] # it only says the word
    began = time.perf_counter()
    await rooms._tell_started(r.fold(None, created))
    await asyncio.wait_for(done.wait(), 60)
    took = time.perf_counter() - began
    await bus.close()
    return Figure(
        f"until {FOLLOWERS:,} open pages of one web process have their notice",
        took,
        "s",
        5,
        "once, no sockets behind it",
    )


def _database_url(house: House) -> str:
    given = {"data_dir": house.folder / "data"}
    url = house.environment.get("PAROLA_DATABASE_URL") or os.environ.get("PAROLA_DATABASE_URL")
    return Settings.load(**given, **({"database_url": url} if url else {})).database_url


async def _member(store: Store, handle: str) -> str:
    """The token of a session of a new account, whose id is its handle."""
    token, now = secrets.token_urlsafe(32), datetime.now(UTC)
    await store.accounts.add(handle, handle, handle.capitalize(), "-", now)
    await store.sessions.add(
        secrets.token_urlsafe(16), hashlib.sha256(token.encode()).hexdigest(), handle, now
    )
    return token


async def _hosts(store: Store) -> None:
    names = [f"host{n}" for n in range(FOLLOWED)]
    await _add(store, names)
    await _follow(store, [("reader", name) for name in names])
    for n in range(LIVE):
        created = r.create(
            secrets.token_urlsafe(16), names[n], f"Room {n}", r.Access.OPEN, True, None, datetime.now(UTC)
        )
        await store.rooms.create(r.fold(None, created), created)


async def _followers(store: Store) -> None:
    names = [f"follower{n}" for n in range(FOLLOWERS)]
    await _add(store, names)
    await _follow(store, [(name, "star") for name in names])


async def _add(store: Store, names: list[str]) -> None:
    for at in range(0, len(names), _AT_ONCE):
        rows = [
            {
                "id": n,
                "handle": n,
                "name": n,
                "bio": "",
                "password_hash": "-",
                "created_at": "",
                "search": f"{n}\n{n}",
            }
            for n in names[at : at + _AT_ONCE]
        ]
        async with store._database.write() as connection:
            await connection.execute(insert(accounts), rows)


async def _follow(store: Store, pairs: list[tuple[str, str]]) -> None:
    for at in range(0, len(pairs), _AT_ONCE):
        rows = [
            {"follower": one, "followed": other, "since": at + n}
            for n, (one, other) in enumerate(pairs[at : at + _AT_ONCE])
        ]
        async with store._database.write() as connection:
            await connection.execute(insert(follows), rows)
