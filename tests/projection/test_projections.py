"""A process's view of its rooms against what really happened."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest

from parola.bus import subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import OwnerChanged, RoomEvents
from parola.domain import rooms as r
from parola.domain.errors import NotFound
from parola.projection import Projections
from parola.store import Store, StoreUnavailable

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class World:
    """SQL, a bus, and one process's projections; `happen` writes to SQL and, unless told otherwise, publishes."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.bus = MemoryBus()
        self.now = 100.0
        self.projections = Projections(store, self.bus, lambda: self.now)
        events = r.create("room", "host", "A room", r.Access.OPEN, True, None, NOW)
        self.room = r.fold(None, events)
        self._first = events

    async def begin(self) -> None:
        await self.store.accounts.add("host", "host", "Host", "", NOW)
        await self.store.rooms.create(self.room, self._first)

    async def happen(self, *commands: r.Command, publish: bool = True) -> None:
        for command in commands:
            events = r.decide(self.room, command, NOW)
            after = r.fold(self.room, events)
            await self.store.rooms.append(self.room, events, after)
            self.room = after
            if publish:
                await self.tell(events)

    async def tell(self, events: tuple[r.Event, ...]) -> None:
        body = RoomEvents("room", [r.encode_event(e) for e in events])
        await self.bus.publish(subjects.room_events("room"), body.to_bytes())
        await self.bus.drained()


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    world = World(store)
    await world.begin()
    yield world
    await world.bus.close()


async def test_messages_are_folded_as_they_come_and_listeners_told(world: World) -> None:
    watched = await world.projections.watch("room")
    told: list[tuple[int, int]] = []
    watched.on_change(lambda before, events, after: told.append((before.seq, after.seq)))
    await world.happen(r.RaiseHand("ada"), r.Grant("host", "ada"))
    assert watched.room == world.room
    assert told == [(2, 3), (3, 4)]


async def test_a_lost_last_message_is_found_by_comparing(world: World) -> None:
    watched = await world.projections.watch("room")
    await world.happen(r.RaiseHand("ada"), publish=False)
    assert watched.room.seq == 2
    await world.projections.compare()
    assert watched.room == world.room


async def test_a_gap_is_filled_from_sql_and_a_repeat_changes_nothing(world: World) -> None:
    watched = await world.projections.watch("room")
    await world.happen(r.RaiseHand("ada"), publish=False)
    await world.happen(r.RaiseHand("bob"))
    assert watched.room == world.room
    events = tuple(await world.store.rooms.events_after("room", 0))
    await world.tell(events)
    assert watched.room == world.room


async def test_after_a_reconnect_everything_is_compared(world: World) -> None:
    watched = await world.projections.watch("room")
    world.bus.away = True
    await world.happen(r.RaiseHand("ada"), publish=False)
    await world.bus.reconnect()
    assert watched.room == world.room


async def test_catching_up_reads_what_no_message_said(world: World) -> None:
    watched = await world.projections.watch("room")
    await world.happen(r.RaiseHand("ada"), r.Grant("host", "ada"), publish=False)
    await watched.catch_up(world.room.seq)
    assert watched.room == world.room
    await watched.catch_up(world.room.seq + 5)  # of an event that never was: returns


async def test_a_database_that_is_away_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = await world.projections.watch("room")

    async def away(ids: object) -> object:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.store.rooms, "heads", away)
        with pytest.raises(StoreUnavailable):
            await world.projections.compare()
    assert watched.room == world.room
    assert world.projections.watched("room") is watched


async def test_owners_change_forward_only(world: World) -> None:
    watched = await world.projections.watch("room")
    for owner, epoch in (("p", 2), ("q", 1), ("r", 3)):
        await world.bus.publish(subjects.room_owner("room"), OwnerChanged("room", owner, epoch).to_bytes())
        await world.bus.drained()
    assert (watched.owner, watched.epoch) == ("r", 3)


async def test_one_listeners_failure_is_not_the_others(world: World) -> None:
    watched = await world.projections.watch("room")
    told: list[int] = []

    def fails(before: r.Room, events: tuple[r.Event, ...], after: r.Room) -> None:
        raise RuntimeError("of my own")

    watched.on_change(fails)
    watched.on_change(lambda before, events, after: told.append(after.seq))
    await world.happen(r.RaiseHand("ada"))
    assert told == [3]


async def test_a_room_is_let_go_with_its_last_watcher_and_an_unknown_one_never_held(world: World) -> None:
    first, second = await world.projections.watch("room"), await world.projections.watch("room")
    assert first is second
    await world.projections.unwatch("room")
    assert world.projections.watched("room") is first
    await world.projections.unwatch("room")
    assert world.projections.watched("room") is None
    with pytest.raises(NotFound):
        await world.projections.watch("nowhere")
    assert world.bus.subscriptions == []
