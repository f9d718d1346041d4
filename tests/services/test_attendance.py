"""A host who has gone is noticed after two minutes, who has a hand up after one, and neither while there is a doubt."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from parola.bus import subjects
from parola.bus.messages import PresenceChanged, PresenceHeads, Reading
from parola.domain import rooms as r
from parola.services.attendance import FORGOTTEN_AFTER_S, Attendance
from parola.services.audience import Audience
from parola.services.caller import Caller
from tests.services.house import MEDIA, House, opened


class World:
    """Ada's room with co-host Bob, in a house whose time passes by hand; one media process says that it is there."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.now = 0.0
        self.number = 0
        self.here: set[tuple[str, str]] = set()
        services = house.services
        self.audience = Audience(house.bus, lambda: self.now)
        services.projections.leases._monotonic = lambda: self.now
        self.attendance = self.process("here/web-0", "p0", self.audience)

    def process(self, name: str, process_id: str, audience: Audience, host_away_s: float = 120) -> Attendance:
        s = self.house.services
        return Attendance(
            s.store, s.bus, s.projections, audience, s.feeds, s.rooms, lambda: self.now, name, process_id,
            host_away_s, 60,
        )  # fmt: skip

    async def begin(self) -> None:
        await self.audience.start()
        await self.attendance.start()
        self.ada, self.bob = await self.house.caller("ada"), await self.house.caller("bob")
        self.host, self.cohost = str(self.ada.account_id), str(self.bob.account_id)
        rooms = self.house.services.rooms
        self.room_id = (await rooms.open(self.ada, "A room", "open", True, None)).id
        await rooms.command(self.ada, self.room_id, lambda by: r.AddCohost(by, self.cohost))

    async def name(self) -> None:
        await self.house.services.rooms.command(
            self.ada, self.room_id, lambda by: r.NameSuccessor(by, self.cohost)
        )

    async def reads(self, caller: Caller) -> AsyncGenerator[bytes]:
        """Their event stream, begun."""
        stream = self.house.services.feeds.read(caller, await self.room(), None)
        await anext(stream)
        return stream

    async def hands(self) -> list[str]:
        """Whose hands are up, the first first."""
        return [hand.account for hand in (await self.room()).hands]

    async def comes(self, account: str, listens: bool = True) -> None:
        self.number += 1
        come = [(f"c{self.number}", account)]
        changed = PresenceChanged(
            MEDIA, self.room_id, self.audience_number, self.number,
            come if listens else [], [] if listens else come, [],
        )  # fmt: skip
        await self.house.bus.publish(subjects.PRESENCE, changed.to_bytes())
        await self.house.bus.drained()

    async def goes(self, connection: int) -> None:
        number = self.audience_number
        self.number += 1
        changed = PresenceChanged(MEDIA, self.room_id, number, self.number, [], [], [f"c{connection}"])
        await self.house.bus.publish(subjects.PRESENCE, changed.to_bytes())
        await self.house.bus.drained()

    @property
    def audience_number(self) -> int:
        here = self.audience._rooms.get(self.room_id)
        return here.number(MEDIA) if here is not None else 0

    async def passes(self, seconds: float, media: bool = True, lease: bool = True) -> None:
        """In steps of five seconds, at each of which everybody says and looks."""
        for _ in range(round(seconds / 5)):
            self.now += 5
            if lease:
                await self.house.store.leases.beat(MEDIA, "here", 0.0)
                await self.house.services.projections.leases.look()
            if media:
                number = self.audience_number
                heads = PresenceHeads(MEDIA, self.number, {self.room_id: number} if number else {})
                await self.house.bus.publish(subjects.PRESENCE, heads.to_bytes())
                await self.house.bus.drained()
            await self.attendance.look()

    async def room(self) -> r.Room:
        found = await self.house.store.rooms.load(self.room_id)
        assert found is not None
        return found

    async def is_live(self) -> bool:
        return (await self.room()).state is r.Lifecycle.LIVE


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with opened(tmp_path) as house:
        world = World(house)
        await world.begin()
        yield world


async def test_a_room_without_its_host_ends_after_two_minutes(world: World) -> None:
    await world.passes(120)
    assert await world.is_live()
    await world.passes(5)
    assert not await world.is_live()
    (*_, last) = await world.house.store.rooms.events_after(world.room_id, 0)
    assert isinstance(last, r.RoomEnded)
    assert (last.by, last.reason) == (r.HOUSE, "host_left")


@pytest.mark.parametrize("listens", [True, False])
async def test_a_host_who_listens_or_speaks_is_there(world: World, listens: bool) -> None:
    await world.comes(world.host, listens)
    await world.passes(300)
    assert await world.is_live()
    await world.goes(1)
    await world.passes(115)
    await world.comes(world.host, listens)
    await world.passes(300)
    assert await world.is_live(), "the two minutes begin anew"


async def test_a_host_who_reads_along_is_there(world: World) -> None:
    stream = await world.reads(world.ada)
    await world.passes(300)
    assert await world.is_live()
    await stream.aclose()
    await world.passes(125)
    assert not await world.is_live()


async def test_a_host_who_reads_at_another_web_process_is_there(world: World) -> None:
    for _ in range(60):
        body = Reading("there/web-0", "p1", [(world.room_id, world.host)])
        await world.house.bus.publish(subjects.READING, body.to_bytes())
        await world.house.bus.drained()
        await world.passes(5)
    assert await world.is_live()


async def test_somebody_elses_presence_is_not_the_hosts(world: World) -> None:
    await world.comes("somebody")
    await world.passes(125)
    assert not await world.is_live()


async def test_whom_the_host_named_goes_on_until_the_host_is_back(world: World) -> None:
    await world.name()
    await world.comes(world.cohost)
    await world.passes(125)
    room = await world.room()
    assert room.acting == world.cohost
    await world.passes(600)
    assert (await world.room()).seq == room.seq, "said once"
    await world.comes(world.host)
    await world.passes(5)
    room = await world.room()
    assert (room.acting, room.state) == (None, r.Lifecycle.LIVE)


async def test_where_the_successor_goes_as_well_the_room_ends(world: World) -> None:
    await world.name()
    await world.comes(world.cohost)
    await world.passes(125)
    await world.goes(1)
    await world.passes(115)
    assert await world.is_live()
    await world.passes(10)
    assert not await world.is_live()


async def test_a_successor_who_is_away_for_a_moment_is_not_passed_over(world: World) -> None:
    await world.name()
    await world.comes(world.cohost)
    await world.passes(115)
    await world.goes(1)
    await world.passes(10)
    assert (await world.room()).acting == world.cohost


@contextlib.asynccontextmanager
async def doubting(world: World, doubt: str) -> AsyncIterator[None]:
    """For 200 seconds one cannot be sure of who is there; after it one can again."""
    bus = world.house.bus
    if doubt == "web":
        await bus.publish(subjects.READING, Reading("there/web-0", "p1", []).to_bytes())
        await bus.drained()
        await world.passes(10)
    bus.away = doubt == "bus"
    await world.passes(200, media=doubt not in ("media", "bus"), lease=doubt != "lease")
    yield
    bus.away = False
    if doubt == "web":
        await bus.publish(subjects.READING, Reading("there/web-0", "p2", [], leaves=True).to_bytes())
        await bus.drained()


@pytest.mark.parametrize("doubt", ["bus", "media", "lease", "web"])
async def test_in_doubt_it_waits_and_counts_anew(world: World, doubt: str) -> None:
    await world.passes(100)
    async with doubting(world, doubt):
        assert await world.is_live()
    await world.passes(115)
    assert await world.is_live()
    await world.passes(30)
    assert not await world.is_live()


async def test_a_web_process_that_is_silent_for_long_is_dead(world: World) -> None:
    await world.house.bus.publish(subjects.READING, Reading("there/web-0", "p1", []).to_bytes())
    await world.house.bus.drained()
    await world.passes(FORGOTTEN_AFTER_S)
    assert await world.is_live()
    await world.passes(130)
    assert not await world.is_live()


async def two_processes_look(world: World, times: int) -> None:
    """Every five seconds, one after the other."""
    other = world.process("there/web-0", "p1", world.audience)
    await other.start()
    for _ in range(times):
        await other.tell()
        await world.attendance.tell()
        await world.house.bus.drained()
        await world.passes(5)
        await other.look()


async def test_two_processes_find_it_and_it_happens_once(world: World) -> None:
    await two_processes_look(world, 26)
    events = await world.house.store.rooms.events_after(world.room_id, 0)
    assert [e.by for e in events if isinstance(e, r.RoomEnded)] == [r.HOUSE]


@dataclass
class Hands:
    """Carla's and Dora's are up, Ada reads along, and no other presence is known."""

    world: World
    carla: str
    dora: str
    carlas: Caller
    stream: AsyncGenerator[bytes]


@pytest.fixture
async def hands(world: World) -> AsyncIterator[Hands]:
    stream = await world.reads(world.ada)
    carla, dora = [await world.house.caller(name) for name in ("carla", "dora")]
    for who in (carla, dora):
        await world.house.services.rooms.command(who, world.room_id, r.RaiseHand)
    yield Hands(world, str(carla.account_id), str(dora.account_id), carla, stream)
    await stream.aclose()


async def test_the_hand_of_who_has_gone_is_lowered_after_one_minute(hands: Hands) -> None:
    world = hands.world
    await world.comes(hands.carla)
    await world.passes(60)
    assert await world.hands() == [hands.carla, hands.dora]
    await world.passes(5)
    assert await world.hands() == [hands.carla], "who listens is there"
    (*_, last) = await world.house.store.rooms.events_after(world.room_id, 0)
    assert isinstance(last, r.HandLowered)
    assert (last.by, last.account, last.reason) == (r.HOUSE, hands.dora, "away")
    await world.goes(1)
    await world.passes(65)
    assert await world.hands() == []
    assert await world.is_live()


async def test_who_reads_along_keeps_the_hand_and_who_reloads_does_too(hands: Hands) -> None:
    world = hands.world
    stream = await world.reads(hands.carlas)
    await world.passes(300)
    assert await world.hands() == [hands.carla]
    for _ in range(3):
        await stream.aclose()
        await world.passes(50)
        stream = await world.reads(hands.carlas)
        await world.passes(5)
    assert await world.hands() == [hands.carla], "the minute begins anew"
    await stream.aclose()


async def test_who_reads_at_another_web_process_keeps_the_hand(hands: Hands) -> None:
    world = hands.world
    for _ in range(30):
        body = Reading("there/web-0", "p1", [(world.room_id, hands.carla)])
        await world.house.bus.publish(subjects.READING, body.to_bytes())
        await world.house.bus.drained()
        await world.passes(5)
    assert await world.hands() == [hands.carla]


@pytest.mark.parametrize("doubt", ["bus", "media", "lease", "web"])
async def test_in_doubt_the_hand_stays(hands: Hands, doubt: str) -> None:
    world = hands.world
    await world.passes(40)
    async with doubting(world, doubt):
        assert await world.hands() == [hands.carla, hands.dora]
    await world.passes(55)
    assert await world.hands() == [hands.carla, hands.dora]
    await world.passes(30)
    assert await world.hands() == []


async def test_two_processes_lower_a_hand_once(hands: Hands) -> None:
    world = hands.world
    await two_processes_look(world, 14)
    events = await world.house.store.rooms.events_after(world.room_id, 0)
    lowered = [(e.account, e.by) for e in events if isinstance(e, r.HandLowered)]
    assert lowered == [(hands.carla, r.HOUSE), (hands.dora, r.HOUSE)]


async def test_hands_are_lowered_also_where_hosts_may_be_away_for_ever(hands: Hands) -> None:
    world = hands.world
    world.attendance = world.process("here/web-0", "p0", world.audience, host_away_s=0)
    await world.passes(70)
    assert await world.hands() == []
    await hands.stream.aclose()
    await world.passes(300)
    assert await world.is_live()


async def test_where_nobody_reads_hands_stay_as_they_are(hands: Hands) -> None:
    world = hands.world
    await hands.stream.aclose()
    await world.comes(world.host)
    await world.passes(300)
    assert await world.hands() == [hands.carla, hands.dora]


async def test_who_leads_or_has_a_hand_up_is_told_and_nobody_else(world: World) -> None:
    told: list[Reading] = []

    async def heard(message: object) -> None:
        told.append(Reading.from_bytes(message.data))  # type: ignore[attr-defined]

    await world.house.bus.subscribe(subjects.READING, heard)
    carla = await world.house.caller("carla")
    streams = [await world.reads(who) for who in (world.ada, carla, Caller())]
    await world.attendance.tell()
    await world.house.bus.drained()
    assert told[-1].readers == [(world.room_id, world.host)]
    await world.house.services.rooms.command(carla, world.room_id, r.RaiseHand)
    await world.attendance.tell()
    await world.house.bus.drained()
    assert told[-1].readers == sorted([(world.room_id, world.host), (world.room_id, str(carla.account_id))])
    await world.attendance.close()
    await world.house.bus.drained()
    assert told[-1].leaves
    for stream in streams:
        await stream.aclose()
