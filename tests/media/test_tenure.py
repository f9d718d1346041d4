"""An owner that may be held for dead is silent; it sounds again under a new epoch, or never."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import pytest

from parola.bus import Message, subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import Figures
from parola.domain import rooms as r
from parola.media import tenure as module
from parola.media.owner import OwnedRoom
from parola.media.tenure import Tenure
from parola.media.ticker import STALL_S
from parola.projection import Projections
from parola.store import Store, StoreUnavailable

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class World:
    """A process `me` that owns a room in which ada, its host, may be heard."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 100.0
        self.bus = MemoryBus()
        self.projections = Projections(store, self.bus, lambda: self.now)
        self.lost: list[str] = []
        self.owned: dict[str, OwnedRoom] = {}
        self.tenure = Tenure(
            "me", self.owned, store, self.bus, self.projections, lambda: self.now, self._disown
        )

    async def _disown(self, owned: OwnedRoom, reason: str) -> None:
        self.lost.append(reason)
        del self.owned[owned.room_id]
        owned.close(reason)

    async def go(self) -> None:
        await self.store.accounts.add("ada", "ada", "Ada", "", NOW)
        events = r.create("room", "ada", "A room", r.Access.OPEN, True, None, NOW)
        await self.store.rooms.create(r.fold(None, events), events)
        assert await self.store.rooms.claim("room", "me", 0) == 1
        watched = await self.projections.watch("room")
        self.owned["room"] = OwnedRoom(watched, 1, lambda room: None, lambda room_id, levels: None)
        for process_id in ("me", "other"):
            await self.store.leases.beat(process_id, "machine", 0.0)
        await self.projections.leases.look()

    @property
    def room(self) -> OwnedRoom:
        return self.owned["room"]

    async def other_says(self, looked_at: Callable[[], float]) -> None:
        """When the other one saw the database last."""

        async def figures(message: Message) -> None:
            await message.respond(Figures({"looked_ago": self.now - looked_at()}).to_bytes())

        await self.bus.subscribe(subjects.media("other", "figures"), figures)

    async def passes(self, seconds: float) -> None:
        """Time in which the process works evenly, so that its pulse has nothing to complain of."""
        for _ in range(int(seconds / 0.5)):
            self.now += 0.5
            await asyncio.sleep(0.03)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not condition():  # noqa: ASYNC110 — what is waited for has no event of its own
                await asyncio.sleep(0.005)


@pytest.fixture
async def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    for name in ("_PULSE_S", "_WATCH_EVERY_S", "_ASK_AGAIN_S"):
        monkeypatch.setattr(module, name, 0.01)
    world = World(store)
    await world.go()
    running = asyncio.create_task(world.tenure.run())
    yield world
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await world.bus.close()


@pytest.fixture
def no_database(world: World, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Call it, and this process does not see the database any more."""

    async def away(*_: object) -> object:
        raise StoreUnavailable("away")

    def go() -> None:
        monkeypatch.setattr(world.store.rooms, "heads", away)
        monkeypatch.setattr(world.store.rooms, "claim", away)

    return go


async def epoch(world: World) -> int:
    return (await world.store.rooms.heads(["room"]))["room"].epoch


async def test_after_a_standstill_it_is_silent_until_it_has_a_new_epoch(world: World) -> None:
    assert world.room.may_be_heard("ada")
    world.tenure.stood_still()
    assert not world.room.may_be_heard("ada"), "at once, before anything is awaited"
    await world.until(lambda: world.room.may_be_heard("ada"))
    assert (world.room.epoch, await epoch(world)) == (2, 2)
    watched = world.projections.watched("room")
    assert watched is not None
    assert (watched.owner, watched.epoch) == ("me", 2)


async def test_its_own_pulse_notices_a_standstill(world: World) -> None:
    world.now += STALL_S + 1
    await world.until(lambda: world.owned["room"].epoch == 2)
    assert world.room.may_be_heard("ada")


async def test_whoever_took_the_room_meanwhile_keeps_it(world: World) -> None:
    room = world.room
    assert await world.store.rooms.claim("room", "other", 1) == 2
    world.tenure.stood_still()
    await world.until(lambda: bool(world.lost))
    assert world.lost == ["ownership_lost"]
    assert not room.may_be_heard("ada")
    assert await epoch(world) == 2


async def test_whoever_was_about_to_take_it_comes_too_late(world: World) -> None:
    head = (await world.store.rooms.heads(["room"]))["room"]
    world.tenure.stood_still()
    await world.until(lambda: world.room.epoch == 2)
    assert await world.store.rooms.claim("room", "other", head.epoch) is None


async def test_a_database_that_is_away_for_all_silences_nobody(
    world: World, no_database: Callable[[], None]
) -> None:
    since = world.now + 1.0  # it looked just before the database went, when here it was about to
    await world.other_says(lambda: since)
    no_database()
    for _ in range(20):
        await world.passes(0.5)
        assert world.room.may_be_heard("ada")


@pytest.mark.parametrize("other", ["sees the database", "does not answer"])
async def test_whoever_is_cut_off_falls_silent(
    world: World, no_database: Callable[[], None], other: str
) -> None:
    if other == "sees the database":
        await world.other_says(lambda: world.now)
    no_database()
    await world.passes(module.BLIND_S - 0.5)
    assert world.room.may_be_heard("ada"), "it has seen the database just now"
    await world.passes(1)
    await world.until(lambda: not world.room.may_be_heard("ada"))
    assert world.room.epoch == 1


async def test_without_bus_and_database_it_falls_silent_and_comes_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:

        async def away(*_: object) -> object:
            raise StoreUnavailable("away")

        patched.setattr(MemoryBus, "connected", property(lambda self: False))
        patched.setattr(world.store.rooms, "claim", away)
        await world.passes(module.BLIND_S + 0.5)
        await world.until(lambda: not world.room.may_be_heard("ada"))
    await world.until(lambda: world.room.may_be_heard("ada"))
    assert world.room.epoch == 2
    assert world.tenure.sees_database
    await world.passes(module.BLIND_S - 0.5)
    assert (world.room.epoch, world.room.may_be_heard("ada")) == (2, True), "once is enough"
