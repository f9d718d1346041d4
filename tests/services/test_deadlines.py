"""Turns and offers end by themselves: once, in any number of processes, after a restart, whatever clocks do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.services import rooms as rooms_module
from parola.services.bell import Bell
from parola.services.deadlines import LOOK_EVERY_S, Deadlines
from parola.store import StoreUnavailable
from tests.services.house import MEDIA, House, opened


class Time:
    """A wall clock and a monotonic one, which part where the wall clock is set."""

    def __init__(self) -> None:
        self.wall = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        self.monotonic = 100.0

    def pass_(self, seconds: float) -> None:
        self.wall += timedelta(seconds=seconds)
        self.monotonic += seconds


class World:
    def __init__(self, house: House) -> None:
        self.house = house
        self.time = Time()
        house.services.rooms._now = lambda: self.time.wall

    def process(self) -> Deadlines:
        """Another one looks at the same database."""
        services = self.house.services
        return Deadlines(services.store, services.rooms, lambda: self.time.wall, lambda: self.time.monotonic)

    async def look(self, *processes: Deadlines) -> None:
        await asyncio.gather(*(process.look() for process in processes))
        await asyncio.gather(*(process.ended() for process in processes))

    async def room(self) -> r.Room:
        found = await self.house.store.rooms.load(self.room_id)
        assert found is not None
        return found

    async def begin(self) -> None:
        """Bob has a turn of a minute, and Carla an offer of a minute, made ten seconds later."""
        ada, bob, carla = [await self.house.caller(name) for name in ("ada", "bob", "carla")]
        self.bob, self.carla = str(bob.account_id), str(carla.account_id)
        rooms = self.house.services.rooms
        self.room_id = (await rooms.open(ada, "A room", "open", True, None)).id
        await rooms.command(ada, self.room_id, lambda by: r.SetTurns(by, 30, 60))
        await rooms.command(bob, self.room_id, r.RaiseHand)
        await rooms.command(ada, self.room_id, lambda by: r.Grant(by, self.bob))
        self.time.pass_(10)
        await rooms.command(ada, self.room_id, lambda by: r.Grant(by, self.carla))


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as house:
        world = World(house)
        await world.begin()
        yield world


async def test_each_ends_at_its_time(world: World) -> None:
    process = world.process()
    world.time.pass_(49.5)
    assert await process.look() == pytest.approx(0.5)
    await process.ended()
    assert (await world.room()).has_floor(world.bob)
    world.time.pass_(0.5)
    await world.look(process)
    room = await world.room()
    assert not room.has_floor(world.bob)
    assert room.is_offered(world.carla)
    world.time.pass_(10)
    await world.look(process)
    assert not (await world.room()).is_offered(world.carla)
    assert await process.look() == LOOK_EVERY_S
    assert await world.house.store.rooms.due() == {}


async def test_several_processes_end_a_turn_once(world: World) -> None:
    before = await world.room()
    world.time.pass_(50)
    await world.look(*(world.process() for _ in range(4)))
    events = await world.house.store.rooms.events_after(world.room_id, before.seq)
    assert [(r.type_name(e), e.by) for e in events] == [("floor.revoked", r.HOUSE)]


async def test_what_came_due_while_nothing_ran_ends_at_the_next_start(world: World) -> None:
    world.time.pass_(3600)
    await world.look(world.process())
    room = await world.room()
    assert [s.account for s in room.speakers] == [room.host]
    assert room.offers == ()


@pytest.mark.parametrize("jump_s", [3600, -3600])
async def test_a_wall_clock_that_jumps_moves_no_deadline_that_was_seen(world: World, jump_s: int) -> None:
    process = world.process()
    await world.look(process)
    world.time.wall += timedelta(seconds=jump_s)
    world.time.pass_(49)
    await world.look(process)
    assert (await world.room()).has_floor(world.bob)
    world.time.pass_(1)
    await world.look(process)
    assert not (await world.room()).has_floor(world.bob)


async def test_the_owner_is_asked_for_silence(world: World) -> None:
    await world.house.media_lives()
    await world.house.store.rooms.claim(world.room_id, MEDIA, 0)
    world.time.pass_(50)
    await world.look(world.process())
    assert [s.seq for s in world.house.media.settled] == [(await world.room()).seq]


async def test_an_owner_that_is_deaf_holds_up_no_other_room(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.05)
    await world.house.media_lives()
    await world.house.store.rooms.claim(world.room_id, MEDIA, 0)
    world.house.media.deaf = True
    world.time.pass_(50)
    await world.look(world.process())
    assert not (await world.room()).has_floor(world.bob), "the event stands"


async def test_a_database_that_is_away_is_no_end_of_looking(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = world.process()
    looked = asyncio.Event()

    async def away() -> object:
        looked.set()
        raise StoreUnavailable("away")

    monkeypatch.setattr(world.house.store.rooms, "due", away)
    running = asyncio.create_task(process.run())
    await asyncio.wait_for(looked.wait(), 5)
    await asyncio.sleep(0)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_bell_rings_once_for_each_turn_and_not_for_what_is_behind(world: World) -> None:
    rung: list[tuple[str, int]] = []
    bell = Bell(lambda: world.time.wall, lambda speaker, left_s: rung.append((speaker.account, left_s)))
    room = await world.room()
    world.time.wall = room.speakers[1].turn.soft_at - timedelta(milliseconds=1)  # type: ignore[union-attr]
    for _ in range(3):
        bell.follow(room)
    await asyncio.sleep(0.05)
    assert rung == [(world.bob, 30)]
    world.time.pass_(1)
    Bell(lambda: world.time.wall, lambda speaker, left_s: rung.append((speaker.account, -1))).follow(room)
    await asyncio.sleep(0.01)
    assert len(rung) == 1
    bell.stop()
