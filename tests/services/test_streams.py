"""One reader's stream, and many at once: order, bounds, spread, and what is written down once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.services.caller import GUEST
from parola.services.feed import STREAMS_PER_SLICE
from parola.services.pace import BACK_PER_S, PASSING_EVERY_S, PASSING_PER_S, back_within_ms, passing_every_s
from parola.services.readers import MOST_UNREAD_BYTES, SLOW_BYTES, Reader, Told
from parola.services.remembered import FRESH_S, Remembered
from parola.services.turns import Turns
from tests.e2e.house import eventually
from tests.services.house import House, opened


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


class Outlet:
    def __init__(self) -> None:
        self.on_lost = lambda: None
        self.texts: list[bytes] = []
        self.waiting = 0
        self.closed = False

    def write(self, text: bytes) -> None:
        self.texts.append(text)
        self.waiting += len(text)

    def unread(self) -> int:
        return self.waiting

    def close(self) -> None:
        self.closed = True


def reader() -> tuple[Reader, Outlet, list[Reader]]:
    outlet, ended = Outlet(), list[Reader]()
    return Reader(GUEST, outlet, ended.append), outlet, ended


def test_what_is_told_before_the_snapshot_comes_behind_it_and_nothing_twice() -> None:
    one, outlet, _ = reader()
    for seq in (5, 6, 7):
        one.tell(Told(b"%d" % seq, seq))
    one.begin(6, [b"snapshot"])
    one.tell(Told(b"7 again", 7))
    one.tell(Told(b"8", 8))
    assert outlet.texts == [b"snapshot", b"7", b"8"]


def test_an_end_that_came_before_the_snapshot_ends_it() -> None:
    one, outlet, ended = reader()
    one.tell(Told(b"over", 7, frozenset()))
    one.begin(6, [b"snapshot"])
    assert (outlet.texts, outlet.closed, ended) == ([b"snapshot", b"over"], True, [one])
    one.tell(Told(b"more", 8))
    assert len(outlet.texts) == 2


def test_who_reads_slowly_misses_what_may_be_dropped_and_who_does_not_read_ends() -> None:
    one, outlet, ended = reader()
    one.begin(1, [])
    outlet.waiting = SLOW_BYTES + 1
    one.tell(Told(b"levels", may_be_dropped=True))
    one.tell(Told(b"2", 2))
    assert outlet.texts == [b"2"]
    outlet.waiting = 0
    one.tell(Told(b"3" * MOST_UNREAD_BYTES, 3))
    assert not ended
    one.tell(Told(b"4", 4))
    assert (len(outlet.texts), ended) == (2, [one])


def test_what_a_reader_begins_with_may_be_large_and_does_not_end_it() -> None:
    one, outlet, ended = reader()
    one.begin(1, [b"s" * 2 * MOST_UNREAD_BYTES])
    one.tell(Told(b"2" * (MOST_UNREAD_BYTES - 1), 2))
    one.tell(Told(b"3", 3))
    assert not ended
    one.tell(Told(b"4", 4))
    assert (len(outlet.texts), ended) == (3, [one])


def test_passing_things_come_the_more_rarely_the_more_streams_there_are() -> None:
    assert passing_every_s(1, 1) == passing_every_s(10, 15_000) == PASSING_EVERY_S
    paces = [passing_every_s(n, n) for n in (100, 1000, 5000, 15_000)]
    assert paces == sorted(paces)
    assert 15_000 / paces[-1] <= PASSING_PER_S
    assert back_within_ms(3) == 500
    assert back_within_ms(10_000) == 10_000 // BACK_PER_S * 1000
    assert back_within_ms(10**6) == 30_000


def test_comments_are_spread_evenly_over_their_time() -> None:
    took: Counter[Reader] = Counter()
    turns = Turns(15.0, lambda one: took.update([one]))
    many = [reader()[0] for _ in range(1500)]
    for one in many:
        turns.add(one)
    for slot in range(150):
        before = took.total()
        turns.take(slot)
        assert took.total() - before == 10
    assert set(took.values()) == {1}
    for one in many:
        turns.remove(one)
        turns.remove(one)
    assert len(turns) == 0


def test_what_was_told_lately_need_not_be_asked_for() -> None:
    memory = Remembered()
    for seq in range(5, 10):
        memory.add(Told(b"%d" % seq, seq), now=seq)
    assert memory.between(6, 9, now=10) == [b"7", b"8", b"9"]
    assert memory.between(9, 9, now=10) == []
    assert memory.between(3, 9, now=10) is None
    assert memory.between(6, 9, now=8 + FRESH_S) is None
    memory.add(Told(b"20", 20), now=20)
    assert memory.between(8, 20, now=20) is None


async def test_a_crowd_asks_sql_once_and_is_told_all_the_same_bytes(house: House) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "A crowd", "open", True, None)
    first = Outlet()
    await house.services.feeds.follow(GUEST, room, None, first)
    before = statements(house)
    crowd = [Outlet() for _ in range(3 * STREAMS_PER_SLICE)]
    for outlet in crowd:
        await house.services.feeds.follow(
            GUEST, await house.services.gate.admit(GUEST, room.id), None, outlet
        )
    assert statements(house) == before
    await house.services.rooms.command(ada, room.id, lambda by: r.Mute(by, by))
    await eventually(lambda: all(any(b"speaker.muted" in text for text in o.texts) for o in crowd))
    told = {id(text) for outlet in crowd for text in outlet.texts if b"speaker.muted" in text}
    assert len(told) == 1
    back = Outlet()
    before = statements(house)
    seen = await house.services.gate.admit(GUEST, room.id)
    await house.services.feeds.follow(GUEST, seen, room.seq, back)
    assert statements(house) == before
    assert b"speaker.muted" in back.texts[0]
    house.services.feeds.close()


def statements(house: House) -> float:
    """Reads so far."""
    families = house.store.figures.collect()
    samples = [sample for family in families for sample in family.samples]
    named = "parola_sql_transaction_seconds_count"
    return sum(s.value for s in samples if s.name == named and s.labels["kind"] == "read")
