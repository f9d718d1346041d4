"""The beat of the rooms, on a loop whose time jumps from one timer to the next."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from parola.media.ticker import SKIP_AFTER_S, STALL_S, TICK_S, Ticker


class Jumping(selectors.DefaultSelector):
    """Does not wait: what it would have waited is over at once."""

    now = 1000.0

    def select(self, timeout: float | None = None) -> list[Any]:
        self.now += max(0.0, timeout or 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.clock = Jumping()
        super().__init__(self.clock)

    def time(self) -> float:
        return self.clock.now

    def block(self, seconds: float) -> None:
        """Somebody computes, and nothing else happens."""
        self.clock.now += seconds


@dataclass
class Room:
    """Falls silent after `wanted` ticks; `then` is what each of them does besides."""

    room_id: str = "room"
    wanted: int = 10
    then: Callable[[int], None] = lambda n: None
    ticks: list[tuple[int, float]] = field(default_factory=list)

    def tick(self, tick: int, now: float) -> bool:
        self.ticks.append((tick, now))
        self.then(len(self.ticks))
        return len(self.ticks) < self.wanted

    @property
    def numbers(self) -> list[int]:
        return [number - self.ticks[0][0] for number, _ in self.ticks]


@dataclass
class Beat:
    """What came of letting rooms tick for a while."""

    ticker: Ticker
    stalls: list[None]


def beat(*rooms: Room, block: dict[int, float] | None = None, seconds: float = 5.0) -> Beat:
    """Lets the rooms tick; in the nth tick of the first one the loop is blocked for `block[n]` seconds."""
    loop = VirtualLoop()
    made = Beat(Ticker(loop.time, lambda: made.stalls.append(None)), [])

    async def run() -> None:
        for room in rooms:
            made.ticker.wake(room)
        await asyncio.sleep(seconds)

    if block:
        rooms[0].then = lambda n: loop.block(block.get(n, 0.0))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(run())
    return made


def test_a_room_ticks_every_twenty_milliseconds_until_it_wants_no_more() -> None:
    room = Room(wanted=50)
    made = beat(room)
    assert room.numbers == list(range(50))
    gaps = [b - a for (_, a), (_, b) in zip(room.ticks, room.ticks[1:], strict=False)]
    assert gaps == pytest.approx([TICK_S] * 49)
    assert made.ticker.take_lateness() < 0.001


def test_rooms_are_staggered() -> None:
    rooms = [Room(f"room {n}") for n in range(20)]
    beat(*rooms)
    assert len({round(room.ticks[0][1] % TICK_S, 3) for room in rooms}) > 5


def test_a_little_late_is_made_up_for_at_once_and_said_once() -> None:
    room = Room()
    made = beat(room, block={3: 0.05})
    assert room.numbers == list(range(10))
    assert room.ticks[9][1] - room.ticks[0][1] == pytest.approx(9 * TICK_S)
    assert made.ticker.take_lateness() == pytest.approx(0.05 - TICK_S)
    assert made.ticker.take_lateness() == 0.0


def test_what_is_too_late_is_left_out() -> None:
    room = Room()
    beat(room, block={3: SKIP_AFTER_S + 0.11})
    left_out = room.numbers[3] - room.numbers[2] - 1
    assert left_out == int((SKIP_AFTER_S + 0.11 - TICK_S) / TICK_S)
    # Afterwards every tick is at its own time again.
    number, at = room.ticks[0]
    assert all(now - at - (n - number) * TICK_S < TICK_S for n, now in room.ticks)


def test_a_process_that_stood_still_is_told_before_it_sounds_again() -> None:
    assert not beat(Room(), block={3: STALL_S - 0.1}).stalls
    assert len(beat(Room(), block={3: STALL_S + 0.1}).stalls) == 1


def test_one_rooms_failure_stops_neither_it_nor_others() -> None:
    def fail(n: int) -> None:
        if n == 2:
            raise RuntimeError("a bug")

    broken, other = Room("broken", then=fail), Room("other")
    beat(broken, other)
    assert len(broken.ticks) == len(other.ticks) == 10
