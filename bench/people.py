"""What people cost the server: the home page of somebody who follows many, the start of a room that very many follow,
and signing in while a room is on. Accounts and follows are put into the database beforehand, as if they had come over
the years. Beside what a caller waits stands the time of a core that the server took: that means something on a busy
machine, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert

from bench.figures import Figure, quantile, spread
from bench.scene import live_room, peer, talk
from bench.ticks import late_ticks, share_since
from parola.bus import subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import RoomStarted
from parola.client.api import Api
from parola.domain import rooms as r
from parola.services.audience import Audience
from parola.services.caller import Caller, Member
from parola.services.notices import Notices
from parola.services.streams import Streams
from parola.services.views import Views
from parola.settings import Settings
from parola.store import Account, Store
from parola.store.tables import accounts, follows
from tests.e2e.house import House, children

FOLLOWED = 1000
LIVE = 200
FOLLOWERS = 100_000
TRIES = 40
SIGN_INS = 20
"""A second, on one core."""
_SIGNING_IN_S = 10.0
_TURNS = 4
_MARGIN_MS = 5.0
_BETWEEN_S = 0.5
"""From one start to the next: nobody starts faster, and what goes on behind the one before is not this one's."""
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
            home = await _home(house, reader)
        async with Api(house.origin, await _member(store, "star")) as star:
            await _followers(store)
            start = await _starts(house, star)
        told = await _notices(store)
    finally:
        await store.close()
    return [home, start, told]


async def signing_in(house: House) -> list[Figure]:
    """A room in which one talks; in turns nobody signs in, and as many as a core is to bear."""
    waits: list[float] = []
    late: dict[bool, list[float]] = {False: [], True: []}
    core_ms: list[float] = []
    async with (
        live_room(house, "ada") as (room_id, (ada,)),
        peer(ada, room_id, "whip") as speaker,
        peer(ada, room_id, "whep"),
        await house.person("bob") as bob,
    ):
        handle = str((await bob.call("GET", "/api/me"))["handle"])
        talking = asyncio.create_task(talk(speaker))
        await asyncio.sleep(2)
        for turn in range(2 * _TURNS):
            busy = turn % 2 == 1
            before, began = late_ticks(house.origin), _core_s(house)
            if busy:
                waits += await _sign_in(bob, handle)
                core_ms.append((_core_s(house) - began) * 1000 / (SIGN_INS * _SIGNING_IN_S))
            else:
                await asyncio.sleep(_SIGNING_IN_S)
            late[busy].append(share_since(before, late_ticks(house.origin), 0.999))
        talking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await talking
    more = max(late[True]) - max(late[False])
    beside = f"with {_each(late[True])}, without {_each(late[False])} ms, in turns of {_SIGNING_IN_S:g} s"
    ticks = f"how much later ticks are (p99.9) while {SIGN_INS} a second sign in"
    core = f"a core's time for {SIGN_INS} sign-ins"
    return [
        Figure(ticks, more, "ms", _MARGIN_MS, f"{beside}; the buckets of /metrics are as wide"),
        Figure(core, max(core_ms) * SIGN_INS, "ms", 1000, f"sign-in: {spread(waits, 'ms')}"),
    ]


async def _sign_in(bob: Api, handle: str) -> list[float]:
    """How long each waited, in ms."""

    async def once() -> float:
        began = time.perf_counter()
        await bob.sign_in(handle, "correct horse battery")
        return (time.perf_counter() - began) * 1000

    loop = asyncio.get_running_loop()
    begin, tasks = loop.time(), []
    for n in range(int(SIGN_INS * _SIGNING_IN_S)):
        await asyncio.sleep(max(0.0, begin + n / SIGN_INS - loop.time()))
        tasks.append(asyncio.create_task(once()))
    return list(await asyncio.gather(*tasks))


async def _home(house: House, reader: Api) -> Figure:
    """The three lists that the page asks for, all at once."""
    took, began_core = [], _core_s(house)
    for _ in range(TRIES):
        began = time.perf_counter()
        lists = await asyncio.gather(*(reader.call("GET", path) for path in _HOME))
        took.append((time.perf_counter() - began) * 1000)
        assert len(lists[1]["rooms"]) == 50
    core = (_core_s(house) - began_core) / TRIES * 1000
    name = f"home page of a member following {FOLLOWED:,} people, {LIVE} rooms live, p95"
    return Figure(name, quantile(took, 0.95), "ms", 50, f"{spread(took, 'ms')}; {core:.1f} ms of a core each")


async def _starts(house: House, star: Api) -> Figure:
    took, began_core = [], _core_s(house)
    for n in range(TRIES):
        began = time.perf_counter()
        await star.call("POST", "/api/rooms", {"title": f"Start {n}"})
        took.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(_BETWEEN_S)
    core = (_core_s(house) - began_core) / TRIES * 1000
    name = f"starting a room that {FOLLOWERS:,} follow, p95"
    beside = f"{spread(took, 'ms')}; {core:.1f} ms of a core each, with what goes on behind it"
    return Figure(name, quantile(took, 0.95), "ms", 100, beside)


async def _notices(store: Store) -> Figure:
    """Every one of them has the page open, in one web process: from the word on the bus to the last stream."""
    bus = MemoryBus()
    views = Views(store, Audience(bus, time.monotonic), "http://localhost")
    notices = Notices(store, bus, views, Streams(store, bus))
    await notices.start()
    counting = _Counting(FOLLOWERS)
    for n in range(FOLLOWERS):
        account = Account(f"follower{n}", f"follower{n}", "", "", "-")
        await notices.follow(Caller(Member(account, f"session{n}")), counting.outlet())
    at = datetime.now(UTC)
    events = r.create(secrets.token_urlsafe(16), "star", "Talk", r.Access.OPEN, True, None, at)
    room = r.fold(None, events)
    await store.rooms.create(room, events)
    word = RoomStarted(room.id, room.host, room.title, room.access.value, at.isoformat())
    began, core = time.perf_counter(), time.process_time()
    await bus.publish(subjects.ROOM_STARTED, word.to_bytes())
    await asyncio.wait_for(counting.done.wait(), 60)
    took, core = time.perf_counter() - began, time.process_time() - core
    await bus.close()
    name = f"until {FOLLOWERS:,} open pages of one web process have their notice"
    return Figure(name, took, "s", 5, f"once, no sockets behind it; {core:.2f} s of a core")


class _Counting:
    """Outlets that count what comes; `done` when all have something."""

    def __init__(self, most: int) -> None:
        self.done = asyncio.Event()
        self._left = most

    def outlet(self) -> _Outlet:
        return _Outlet(self)

    def one(self) -> None:
        self._left -= 1
        if self._left == 0:
            self.done.set()


class _Outlet:
    def __init__(self, counting: _Counting) -> None:
        self._counting = counting
        self.on_lost: Callable[[], None] = lambda: None

    def write(self, text: bytes) -> None:
        self._counting.one()

    def unread(self) -> int:
        return 0

    def close(self) -> None:
        pass


def _core_s(house: House) -> float:
    """What the web processes have taken of a core since they began."""
    ticks = 0
    for pid in children(house)["web"]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        ticks += int(fields[11]) + int(fields[12])  # utime and stime, proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _each(values: list[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


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
