"""What a media process keeps of its rooms: what was heard, sealed, as long as said, never at the sound's expense."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from parola.bus import subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import EvidenceOrder, EvidencePart
from parola.domain import rooms
from parola.domain.evidence import Program, Segment, context
from parola.media.codec import Decoder
from parola.media.keeping import PART_BYTES, Keeping
from parola.media.orders import OrderDesk
from parola.rtp.hpke import PrivateKeys, new_key
from tests.media.fakes import live_room
from tests.media.test_owner_edge import House, amplitude, heard

KEYS = PrivateKeys.parse(new_key(bytes(range(32))))
UNIX_AT_0 = 1_700_000_000.0
MINUTE = 60.0


class Keeper:
    """A process's keeping, its clock, and the key that the process does not have."""

    def __init__(self, **more: Any) -> None:
        self.now = 1000.0
        self.keeping = Keeping(KEYS.public, lambda: self.now, UNIX_AT_0, 600.0, **more)

    def opened(self, room_id: str = "room") -> list[Segment]:
        found: list[Segment] = []
        part, until = self.keeping.part(room_id, 0, None)
        while part:
            for one in part:
                found.append(Segment.parse(KEYS.open(one.data, context(room_id, one.number))))
            part, _ = self.keeping.part(room_id, part[-1].number, until)
        return found

    def says(self, seconds: float, room: rooms.Room | None = None, packet: bytes = b"abc") -> None:
        room = room or live_room("bob")
        kept = self.keeping.open(room.id)
        for _ in range(round(seconds * 50)):
            kept.heard(room, round(self.now / 0.02), self.now, ("bob",), packet)
            self.now += 0.02

    async def later(self, seconds: float) -> None:
        """As upkeep would: every half second."""
        for _ in range(round(seconds * 2)):
            self.now += 0.5
            await self.keeping.maintain()
            await settled()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.fixture
async def keeper() -> AsyncIterator[Keeper]:
    made = Keeper()
    running = asyncio.create_task(made.keeping.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def kept_house(keeper: Keeper, *speakers: str) -> House:
    house = House(*speakers)
    house.owned._kept = keeper.keeping.open("room")
    house.watched.on_change(lambda *_: None)
    return house


async def test_what_the_room_hears_is_kept_and_opens_with_the_key_alone(keeper: Keeper) -> None:
    house = kept_house(keeper, "bob")
    _, audience = house.listener("carla")
    house.talking = {"bob": 440.0}
    house.run(100)
    keeper.now = house.now
    segments = keeper.opened()
    assert set(segments[0].floor) == {"host", "bob"}
    program = Program(segments)
    decoder = Decoder()
    sound = np.concatenate([decoder.decode(packet) for packet in program.packets(b"\xf8\xff\xfe")])
    assert amplitude(sound, 440) > 0.1
    assert abs(program.parts[0].at_ms - (UNIX_AT_0 + 1000) * 1000) < 200
    (span,) = program.spans()
    assert span.account == "bob"
    assert span.to_ms - span.from_ms > 1500
    packets = {one.packet for segment in segments for one in segment.heard}
    assert packets, "and it is what went out to who listened"
    assert any(packet in data for data in audience.packets for packet in packets if len(packet) > 20)


async def test_where_only_speakers_hear_each_other_all_of_it_is_kept_and_nobody_hears_themselves(
    keeper: Keeper,
) -> None:
    house = kept_house(keeper, "bob")
    _, host = house.listener("host")
    _, bob = house.listener("bob")
    house.talking = {"host": 440.0, "bob": 1000.0}
    house.run(100)
    keeper.now = house.now
    decoder = Decoder()
    packets = Program(keeper.opened()).packets(b"\xf8\xff\xfe")
    sound = np.concatenate([decoder.decode(packet) for packet in packets])
    assert amplitude(sound[-48_000:], 440) > 0.1
    assert amplitude(sound[-48_000:], 1000) > 0.1
    for peer in (host, bob):
        peer.packets = peer.packets[50:]
    assert amplitude(heard(host.packets), 440) < 0.002
    assert amplitude(heard(bob.packets), 1000) < 0.002


async def test_what_nobody_could_hear_is_not_kept(keeper: Keeper) -> None:
    house = kept_house(keeper, "bob")
    house.talking = {"bob": 440.0}
    house.run(50)
    assert keeper.opened() == []


async def test_a_muted_voice_is_not_kept(keeper: Keeper) -> None:
    house = kept_house(keeper, "bob")
    house.listener("carla")
    house.watched.decide(rooms.Mute("host", "bob"))
    house.talking = {"bob": 440.0}
    house.run(50)
    assert Program(keeper.opened()).spans() == []
    packets = Program(keeper.opened()).packets(b"\xf8\xff\xfe")
    assert all(len(packet) <= 3 for packet in packets), "silence, as the audience hears it"


async def test_only_the_last_seconds_lie_open_in_memory(keeper: Keeper) -> None:
    keeper.says(30, packet=b"a secret that was said")
    await settled()
    open_now = sum(growing._used for growing in keeper.keeping._growing.values())
    assert open_now <= 200 * 28
    ring = keeper.keeping._rings["room"]
    assert len(ring.segments) == 7
    assert not any(b"a secret" in segment.data for segment in ring.segments)
    await keeper.later(4)
    assert not keeper.keeping._growing, "also where nobody says anything more"


async def test_five_minutes_are_kept_of_a_room_that_talks_and_of_one_that_fell_silent(keeper: Keeper) -> None:
    keeper.says(20)
    await keeper.later(4 * MINUTE)
    keeper.says(20)
    await keeper.later(MINUTE)
    program = Program(keeper.opened())
    assert 18_000 < program.length_ms <= 24_000, "the first twenty seconds are too old now"
    await keeper.later(5 * MINUTE)
    assert keeper.opened() == []
    assert (keeper.keeping.size, keeper.keeping.rooms) == (0, 0)


async def test_it_is_there_nine_minutes_after_the_end_and_not_after_ten(keeper: Keeper) -> None:
    keeper.says(20)
    keeper.keeping.open("room").ended()
    await keeper.later(9 * MINUTE)
    assert Program(keeper.opened()).length_ms == 20_000
    await keeper.later(MINUTE)
    assert keeper.opened() == []
    assert (keeper.keeping.size, keeper.keeping.rooms) == (0, 0)


async def test_a_room_that_ends_in_the_owner_ends_what_is_kept_of_it(keeper: Keeper) -> None:
    house = kept_house(keeper, "bob")
    house.listener("carla")
    house.talking = {"bob": 440.0}
    house.run(50)
    keeper.now = house.now
    house.watched.decide(rooms.End("host"))
    await settled()
    await keeper.later(590)
    assert keeper.opened() != []
    await keeper.later(10)
    assert keeper.opened() == []


async def test_a_room_of_which_nothing_was_kept_leaves_nothing_at_its_end(keeper: Keeper) -> None:
    keeper.keeping.open("quiet").ended()
    assert keeper.keeping.rooms == 0


async def test_one_room_gets_nothing_of_another(keeper: Keeper) -> None:
    keeper.says(10)
    assert keeper.opened("elsewhere") == []


async def test_a_new_ownership_of_the_same_room_goes_on_where_the_last_one_was(keeper: Keeper) -> None:
    keeper.says(10)
    keeper.says(10)  # each asks `open` for itself
    numbers = [segment.number for segment in keeper.opened()]
    assert numbers == sorted(set(numbers))
    assert Program(keeper.opened()).length_ms == 20_000


async def test_all_of_it_goes_with_the_process() -> None:
    keeper = Keeper()
    running = asyncio.create_task(keeper.keeping.run())
    keeper.says(10)
    await settled()
    (growing,) = keeper.keeping._growing.values()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert keeper.opened() == []
    assert not any(growing._buffer)


async def test_where_memory_is_short_the_oldest_goes_and_is_counted() -> None:
    keeper = Keeper(most_bytes=30_000)
    running = asyncio.create_task(keeper.keeping.run())
    keeper.says(40, packet=bytes(100))
    await settled()
    assert keeper.keeping.size <= 30_000
    assert keeper.keeping.dropped > 5
    assert Program(keeper.opened()).spans()[-1].account == "bob"
    running.cancel()


class Broken:
    """A key that fails."""

    id = "broken"

    def seal(self, *_: object) -> bytes:
        raise OSError("no")


async def test_a_fault_in_it_never_touches_the_sound() -> None:
    for break_it in (_break_key, _break_buffer, _break_floor):
        keeper = Keeper()
        running = asyncio.create_task(keeper.keeping.run())
        break_it(keeper)
        house = kept_house(keeper, "bob")
        _, audience = house.listener("carla")
        house.talking = {"bob": 440.0}
        house.run(250)
        house.watched.decide(rooms.RaiseHand("dora"))
        house.watched.decide(rooms.Grant("host", "dora"))
        await settled()
        house.run(50)
        assert amplitude(heard(audience.packets[-50:]), 440) > 0.1
        assert keeper.keeping.failed > 0
        assert not running.done()
        running.cancel()


def _break_key(keeper: Keeper) -> None:
    keeper.keeping._public = Broken()  # type: ignore[assignment]


def _break_buffer(keeper: Keeper) -> None:
    def add(*_: object) -> None:
        raise MemoryError()

    keeper.keeping.add = add  # type: ignore[method-assign]


def _break_floor(keeper: Keeper) -> None:
    def floor_changed(*_: object) -> None:
        raise MemoryError()

    keeper.keeping.floor_changed = floor_changed  # type: ignore[method-assign]


async def test_it_is_asked_for_over_the_bus_in_parts(keeper: Keeper) -> None:
    bus = MemoryBus()
    tasks: list[asyncio.Task[None]] = []
    process: Any = SimpleNamespace(
        identity=SimpleNamespace(process_id="m"),
        keeping=keeper.keeping,
        soon=lambda work: tasks.append(asyncio.ensure_future(work)),
    )
    await OrderDesk(process, bus).open()
    keeper.says(120, packet=bytes(150))
    found: list[tuple[int, str]] = []
    until = None
    parts = 0
    while until is None or found[-1][0] < until:
        order = EvidenceOrder("room", found[-1][0] if found else 0, until)
        reply = await bus.request(subjects.media("m", "evidence"), order.to_bytes(), 1.0)
        assert len(reply) < PART_BYTES * 1.4
        part = EvidencePart.from_bytes(reply)
        found += part.segments
        until = part.until
        parts += 1
        keeper.says(5, packet=b"too late")
    assert parts > 5
    segments = [Segment.parse(KEYS.open(base64.b64decode(d), context("room", n))) for n, d in found]
    assert Program(segments).length_ms == 120_000, "as of the first question"
    process.keeping = None
    order = EvidenceOrder("room", 0, None)
    reply = await bus.request(subjects.media("m", "evidence"), order.to_bytes(), 1.0)
    assert EvidencePart.from_bytes(reply) == EvidencePart([], 0)
