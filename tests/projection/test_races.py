"""Opening and closing a room at the same time, and what happens in it meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from parola.bus import subjects
from parola.bus.memory import MemoryBus, MemorySubscription
from parola.bus.messages import RoomEvents
from parola.domain import rooms as r
from parola.projection import Projections
from parola.store import Store, StoreUnavailable

NOW = datetime(2026, 1, 2, tzinfo=UTC)


class World:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.bus = MemoryBus()
        self.projections = Projections(store, self.bus, lambda: 0.0)

    async def happen(self, command: r.Command) -> r.Room:
        before = await self.store.rooms.load("room")
        assert before is not None
        events = r.decide(before, command, NOW)
        after = r.fold(before, events)
        await self.store.rooms.append(before, events, after)
        body = RoomEvents("room", [r.encode_event(e) for e in events])
        await self.bus.publish(subjects.room_events("room"), body.to_bytes())
        await self.bus.drained()
        return after


@pytest.fixture
async def world(store: Store) -> AsyncIterator[World]:
    await store.accounts.add("host", "host", "Host", "", NOW)
    events = r.create("room", "host", "A room", r.Access.OPEN, True, None, NOW)
    await store.rooms.create(r.fold(None, events), events)
    world = World(store)
    yield world
    await world.bus.close()


async def test_one_leaves_while_two_come(world: World) -> None:
    """All that come see the same projection, and it moves."""
    for _ in range(5):
        await world.projections.watch("room")
        _, *watched = await asyncio.gather(
            world.projections.unwatch("room"),
            *(world.projections.watch("room") for _ in range(2)),
        )
        third = await world.projections.watch("room")
        assert len({id(w) for w in (*watched, third)}) == 1
        room = await world.happen(r.LowerHand("ada") if third.room.has_hand("ada") else r.RaiseHand("ada"))
        assert third.room == room
        for _ in range(3):
            await world.projections.unwatch("room")
        assert world.projections.watched("room") is None
        assert world.bus.subscriptions == []


async def test_who_waited_for_the_lock_is_not_left_with_a_room_of_their_own(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One leaves, a second waits for the lock, and a third comes when the second has it."""
    real = MemorySubscription.unsubscribe

    async def unhurried(subscription: MemorySubscription) -> None:
        await asyncio.sleep(0)  # as a real bus does
        await real(subscription)

    monkeypatch.setattr(MemorySubscription, "unsubscribe", unhurried)
    await world.projections.watch("room")
    leaving = asyncio.ensure_future(world.projections.unwatch("room"))
    waiting = asyncio.ensure_future(world.projections.watch("room"))
    await asyncio.wait({leaving})
    second, third = await asyncio.gather(waiting, world.projections.watch("room"))
    assert second is third
    assert world.projections.watched("room") is second


@pytest.mark.parametrize("query", ["load", "heads"])
async def test_what_happens_while_a_room_is_opened_is_not_missed(
    world: World, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    """The event is committed and told after SQL has answered, and before the answer is used."""
    real = getattr(world.store.rooms, query)
    happened: list[r.Room] = []

    async def slow(what: Any) -> Any:
        answer = await real(what)
        if not happened:
            happened.append(r.fold(None, await world.store.rooms.events_after("room", 0)))
            monkeypatch.setattr(world.store.rooms, query, real)
            happened.append(await world.happen(r.RaiseHand("ada")))
        return answer

    monkeypatch.setattr(world.store.rooms, query, slow)
    watched = await world.projections.watch("room")
    assert watched.room == happened[-1]


@pytest.mark.parametrize("query", ["load", "heads"])
async def test_a_room_that_could_not_be_opened_leaves_nothing_behind(
    world: World, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    async def away(_: object) -> object:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.store.rooms, query, away)
        with pytest.raises(StoreUnavailable):
            await world.projections.watch("room")
    assert world.bus.subscriptions == []
    assert world.projections.watched("room") is None
    assert (await world.projections.watch("room")).room.seq == 2


async def test_a_gap_that_sql_cannot_fill_now_changes_nothing_and_is_filled_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched = await world.projections.watch("room")
    world.bus.lose.add(subjects.room_events("room"))
    await world.happen(r.RaiseHand("ada"))

    async def away(*_: object) -> object:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.store.rooms, "events_after", away)
        room = await world.happen(r.RaiseHand("bob"))
        assert watched.room.seq == 2
        with pytest.raises(StoreUnavailable):
            await world.projections.compare()
        assert watched.room.seq == 2
    await world.projections.compare()
    assert watched.room == room
