"""Coming to hear: what is asked of SQL for it, and that whoever was put out stays out all the same."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from parola.bus import subjects
from parola.bus.messages import PresenceChanged, Refused
from parola.domain import rooms as r
from parola.domain.errors import Refusal, Unavailable
from parola.services import clock
from parola.services.caller import GUEST, Caller
from parola.services.placement import LATELY_S, Refusals, retry_after_s
from parola.store import relations
from tests.services.house import MEDIA, House, opened, refusal_of
from tests.services.test_streams import Outlet, statements


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        await house.media_lives()
        yield house


async def listen(house: House, caller: Caller, room_id: str) -> str:
    return await refusal_of(house.services.signalling.listen(caller, room_id, "v=0\r\n", "main", "192.0.2.1"))


async def followed(house: House, access: str = "open", guests: bool | None = True) -> r.Room:
    """A room that this process has open."""
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "A room", access, guests, None)
    await house.services.feeds.follow(ada, room, None, Outlet())
    return room


async def test_a_listener_costs_no_statement(house: House) -> None:
    room, bob = await followed(house), await house.caller("bob")
    before = statements(house)
    for caller in (GUEST, bob, GUEST, bob):
        assert await listen(house, caller, room.id) == "yes"
        seen = await house.services.gate.admit(caller, room.id)
        await house.services.feeds.follow(caller, seen, None, Outlet())
    assert statements(house) == before


async def test_what_has_not_been_compared_for_two_seconds_is_asked_for(house: House) -> None:
    room = await followed(house)
    watched = house.services.projections.watched(room.id)
    assert watched is not None
    watched.compared_at -= 2.1
    before = statements(house)
    assert await listen(house, GUEST, room.id) == "yes"
    assert statements(house) == before + 1
    await house.services.projections.compare()
    before = statements(house)
    assert await listen(house, GUEST, room.id) == "yes"
    assert statements(house) == before


@pytest.mark.parametrize("lost", [False, True])
async def test_whoever_is_put_out_or_comes_too_late_is_refused_at_once(house: House, lost: bool) -> None:
    room, bob, ada = await followed(house), await house.caller("bob"), await house.caller("ada")
    if lost:
        house.bus.lose.add(subjects.room_events(room.id))
    assert await listen(house, bob, room.id) == "yes"
    await house.services.rooms.command(ada, room.id, lambda by: r.Remove(by, str(bob.account_id)))
    assert await listen(house, bob, room.id) == "removed"
    assert await refusal_of(house.services.gate.admit(bob, room.id)) == "removed"
    assert await listen(house, GUEST, room.id) == "yes"
    await house.services.rooms.command(ada, room.id, lambda by: r.Restore(by, str(bob.account_id)))
    assert await listen(house, bob, room.id) == "yes"
    await house.services.rooms.command(ada, room.id, r.End)
    assert await listen(house, bob, room.id) == "not_live"


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("blocker", ["ada", "bob"])
async def test_a_block_made_meanwhile_holds_without_asking(house: House, blocker: str, lost: bool) -> None:
    room, ada, bob = await followed(house), await house.caller("ada"), await house.caller("bob")
    who, whom = (ada, "bob") if blocker == "ada" else (bob, "ada")
    assert await listen(house, bob, room.id) == "yes"
    if lost:
        house.bus.lose.add(subjects.room_events(room.id))
    await house.services.blocking.block(who, whom)
    assert await listen(house, bob, room.id) == "not_found"
    assert await listen(house, GUEST, room.id) == "yes"
    await house.services.blocking.unblock(who, whom)
    assert await listen(house, bob, room.id) == "yes"


async def test_a_block_of_before_is_known_of_a_room_that_is_followed(house: House) -> None:
    ada, bob, carla = [await house.caller(name) for name in ("ada", "bob", "carla")]
    await house.services.blocking.block(ada, "bob")
    room = await followed(house)
    assert await listen(house, bob, room.id) == "not_found"
    before = statements(house)
    assert await listen(house, carla, room.id) == "yes"
    assert statements(house) == before
    await house.services.blocking.unblock(ada, "bob")
    assert await listen(house, bob, room.id) == "yes", "in doubt SQL is asked, and knows better"


async def test_a_block_between_opening_a_page_and_the_start_holds(house: House) -> None:
    """A room that is followed before it is live has no mark of a block that was made by then."""
    ada, bob = await house.caller("ada"), await house.caller("bob")
    soon = clock.now() + timedelta(hours=1)
    room = await house.services.rooms.open(ada, "A room", "open", None, soon)
    await house.services.feeds.follow(ada, room, None, Outlet())
    await house.services.blocking.block(bob, "ada")
    await house.services.rooms.command(ada, room.id, r.Start)
    assert await listen(house, bob, room.id) == "not_found"
    await house.services.projections.compare()
    assert await listen(house, bob, room.id) == "not_found"
    carla = await house.caller("carla")
    before = statements(house)
    assert await listen(house, carla, room.id) == "yes"
    assert statements(house) == before


async def test_of_too_many_blocks_each_is_asked_for(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "MOST_BARRED", 1)
    ada = await house.caller("ada")
    for name in ("bob", "carla"):
        await house.caller(name)
        await house.services.blocking.block(ada, name)
    room, dan = await followed(house), await house.caller("dan")
    before = statements(house)
    assert await listen(house, dan, room.id) == "yes"
    assert statements(house) == before + 1
    assert await listen(house, await house.caller("bob"), room.id) == "not_found"


async def test_a_full_room_is_said_to_be_full_before_a_media_process_is_asked(house: House) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "A room", "open", None, None, 1)
    here = PresenceChanged(MEDIA, room.id, 0, 1, [("one", None)], [], [])
    await house.bus.publish(subjects.PRESENCE, here.to_bytes())
    (presence,) = [s for s in house.bus.subscriptions if s.subject == subjects.PRESENCE]
    await presence.mailbox.drained()
    assert await listen(house, await house.caller("bob"), room.id) == "room_full"
    assert await listen(house, ada, room.id) == "yes"


@pytest.mark.parametrize(("access", "guests"), [("invited", None), ("followers", None), ("open", False)])
async def test_what_not_everybody_may_know_is_asked_for_each_time(
    house: House, access: str, guests: bool | None
) -> None:
    room = await followed(house, access, guests)
    for room_id in (room.id, "nothing"):
        before = statements(house)
        assert await refusal_of(house.services.gate.admit(GUEST, room_id)) == "not_found"
        assert statements(house) == before + 1


def test_the_fuller_all_are_and_the_more_wait_the_later_they_are_told_to_come() -> None:
    assert retry_after_s(0.4, 1) == retry_after_s(1.0, 1) == 2
    waits = [retry_after_s(load, 1) for load in (1.0, 1.3, 1.6, 2.0, 3.0, 9.0)]
    assert waits == sorted(waits)
    assert waits[-1] == 30
    assert retry_after_s(1.0, 1500) == 15
    now = [0.0]
    refusals = Refusals(lambda: now[0])
    assert [refusals.add() for _ in range(3)] == [1, 2, 3]
    now[0] = LATELY_S
    assert refusals.add() == 1


async def test_where_all_say_that_they_are_full_none_is_asked_but_for_who_has_the_floor(house: House) -> None:
    room, ada = await followed(house), await house.caller("ada")
    await house.store.leases.beat(MEDIA, "here", 1.5)
    await house.services.projections.leases.look()
    with pytest.raises(Unavailable) as refused:
        await house.services.signalling.listen(GUEST, room.id, "v=0\r\n", "main", "192.0.2.1")
    assert (refused.value.code, refused.value.retry_after_s) == ("full", 5)
    assert await listen(house, ada, room.id) == "yes"


async def test_another_process_is_tried_before_anybody_is_refused(house: House) -> None:
    room = await followed(house)
    await house.store.leases.beat("another", "here", 0.5)
    await house.services.projections.leases.look()
    house.media.refusal = Refused(503, "full", "No place.")
    with pytest.raises(Refusal) as refused:
        await house.services.signalling.listen(GUEST, room.id, "v=0\r\n", "main", "192.0.2.1")
    assert refused.value.code == "full"
