"""Who is alive, by counters that move and by answers; in virtual time over a real database."""

from __future__ import annotations

import pytest

from parola.projection.leases import Leases
from parola.store import Store, StoreUnavailable


class World:
    def __init__(self, store: Store) -> None:
        self.store = store
        self.now = 100.0
        self.answering: set[str] = set()
        self.dead: list[str] = []
        self.leases = Leases(store, lambda: self.now, self._answers)
        self.leases.on_death(self.dead.append)

    async def _answers(self, process_id: str) -> bool:
        return process_id in self.answering

    async def beat(self, *process_ids: str) -> None:
        for process_id in process_ids:
            await self.store.leases.beat(process_id, "machine", 0.1)

    async def look(self, after_s: float = 1.0) -> set[str]:
        self.now += after_s
        await self.leases.look()
        return set(self.leases.alive())


@pytest.fixture
def world(store: Store) -> World:
    return World(store)


async def test_a_counter_that_stands_still_for_three_seconds_of_looking_is_dead(world: World) -> None:
    await world.beat("p", "q")
    for _ in range(4):
        assert await world.look() == {"p", "q"}
        await world.beat("q")
    assert world.dead == []
    assert await world.look() == {"q"}
    assert world.dead == ["p"]
    await world.look()
    assert world.dead == ["p"], "it is told once"
    await world.beat("p")
    assert await world.look() == {"p", "q"}


async def test_whoever_answers_lives(world: World) -> None:
    await world.beat("p")
    world.answering.add("p")
    for _ in range(10):
        assert await world.look() == {"p"}
    world.answering.clear()
    for _ in range(4):
        await world.look()
    assert world.dead == ["p"]


async def test_time_in_which_nobody_could_look_counts_for_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.beat("p")
    await world.look()

    async def away() -> list[object]:
        raise StoreUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(world.store.leases, "all", away)
        for _ in range(20):
            with pytest.raises(StoreUnavailable):
                await world.look()
    assert set(world.leases.alive()) == {"p"}
    assert await world.look(0.1) == {"p"}, "it could not beat either"
    await world.beat("p")
    assert await world.look() == {"p"}
    assert world.dead == []


async def test_whoever_was_seen_dying_is_dead_until_the_counter_moves(world: World) -> None:
    await world.beat("p")
    assert await world.look() == {"p"}
    world.leases.forget("p")
    assert set(world.leases.alive()) == set()
    assert await world.look() == set()
    assert world.dead == [], "whoever forgets it knows already"
    await world.beat("p")
    assert await world.look() == {"p"}


async def test_a_lease_that_was_ended_is_gone(world: World) -> None:
    await world.beat("p")
    assert await world.look() == {"p"}
    await world.store.leases.release("p")
    assert await world.look() == set()
