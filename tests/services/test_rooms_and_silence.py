"""Commands through the gate, two at once, and answers that wait for silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Unavailable
from parola.services import rooms as rooms_module
from parola.services.caller import GUEST, Caller
from tests.services.house import MEDIA, House, opened, refusal_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def stage(house: House) -> tuple[r.Room, str]:
    """A live room of ada's in which bob has the floor; with bob's account id."""
    ada, bob = await house.caller("ada"), await house.caller("bob")
    room = await house.services.rooms.open(ada, "A room", "open", True, None)
    await house.services.rooms.command(bob, room.id, r.RaiseHand)
    bob_id = str(bob.account_id)
    carried = await house.services.rooms.command(ada, room.id, lambda by: r.Grant(by, bob_id))
    return carried.room, bob_id


async def test_nothing_owns_the_mixer_so_nothing_sounds_and_nobody_waits(house: House) -> None:
    room, bob = await stage(house)
    carried = await house.services.rooms.command(
        await house.caller("ada"), room.id, lambda by: r.Revoke(by, bob)
    )
    assert not carried.room.has_floor(bob)
    assert house.media.settled == []


@pytest.mark.parametrize("kind", [r.Revoke, r.Mute, r.Remove])
async def test_taking_a_voice_away_asks_the_owner_for_silence(house: House, kind: type[r.Revoke]) -> None:
    room, bob = await stage(house)
    await house.media_lives()
    await house.store.rooms.claim(room.id, MEDIA, 0)
    carried = await house.services.rooms.command(await house.caller("ada"), room.id, lambda by: kind(by, bob))
    assert [(s.room_id, s.seq) for s in house.media.settled] == [(room.id, carried.room.seq)]


async def test_an_owner_that_does_not_answer_makes_503_and_the_event_stands(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.05)
    room, bob = await stage(house)
    await house.media_lives()
    await house.store.rooms.claim(room.id, MEDIA, 0)
    house.media.deaf = True
    with pytest.raises(Unavailable) as refused:
        await house.services.rooms.command(await house.caller("ada"), room.id, lambda by: r.Revoke(by, bob))
    assert refused.value.code == "not_confirmed"
    after = await house.store.rooms.load(room.id)
    assert after is not None
    assert not after.has_floor(bob)


async def test_a_repeat_waits_for_silence_as_the_first_one_did(house: House) -> None:
    room, bob = await stage(house)
    await house.media_lives()
    await house.store.rooms.claim(room.id, MEDIA, 0)
    ada = await house.caller("ada")
    for _ in range(2):
        await house.services.rooms.command(ada, room.id, lambda by: r.Mute(by, bob))
    assert len(house.media.settled) == 2
    assert house.media.settled[0] == house.media.settled[1]


async def test_whoever_ends_it_again_is_told_only_when_it_is_silent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.05)
    room, _ = await stage(house)
    await house.media_lives()
    await house.store.rooms.claim(room.id, MEDIA, 0)
    ada, bob = await house.caller("ada"), await house.caller("bob")

    async def end(caller: Caller) -> str:
        return await refusal_of(house.services.rooms.command(caller, room.id, r.End))

    house.media.deaf = True
    assert [await end(ada), await end(ada)] == ["not_confirmed", "not_confirmed"]
    asked = len(house.media.settled)
    assert await end(bob) == "host_only"
    assert len(house.media.settled) == asked, "who may not end it asks nobody for silence"
    house.media.deaf = False
    assert await end(ada) == "not_live"
    assert len(house.media.settled) == asked + 1


async def test_twenty_hands_at_once_all_go_up_once(house: House) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "Crowd", "open", True, None)
    crowd = [await house.caller(f"person_{i}") for i in range(12)]
    await asyncio.gather(*(house.services.rooms.command(who, room.id, r.RaiseHand) for who in crowd))
    after = await house.store.rooms.load(room.id)
    assert after is not None
    assert sorted(h.account for h in after.hands) == sorted(str(who.account_id) for who in crowd)
    events = await house.store.rooms.events_after(room.id, 0)
    assert [e.seq for e in events] == list(range(1, after.seq + 1))


async def test_a_lost_bus_loses_no_command(house: House) -> None:
    room, bob = await stage(house)
    house.bus.away = True
    await house.services.rooms.command(await house.caller("ada"), room.id, lambda by: r.Mute(by, bob))
    after = await house.store.rooms.load(room.id)
    assert after is not None
    assert after.is_muted(bob)


async def test_who_may_listen_and_who_may_speak(house: House) -> None:
    room, bob = await stage(house)
    signalling = house.services.signalling
    carla = await house.caller("carla")
    assert await refusal_of(signalling.listen(GUEST, room.id, "v=0", "main", "a")) == "full"
    await house.media_lives()
    assert await refusal_of(signalling.listen(GUEST, room.id, "v=0", "main", "a")) == "yes"
    assert await refusal_of(signalling.listen(GUEST, room.id, "v=0", "interpreter", "a")) == "not_found"
    assert await refusal_of(signalling.speak(GUEST, room.id, "v=0", "a")) == "not_signed_in"
    assert await refusal_of(signalling.speak(carla, room.id, "v=0", "a")) == "floor_required"
    assert await refusal_of(signalling.speak(await house.caller("bob"), room.id, "v=0", "a")) == "yes"
    ada = await house.caller("ada")
    await house.services.rooms.command(ada, room.id, lambda by: r.Remove(by, bob))
    assert (
        await refusal_of(signalling.listen(await house.caller("bob"), room.id, "v=0", "main", "a"))
        == "removed"
    )
    await house.services.rooms.command(ada, room.id, r.End)
    assert await refusal_of(signalling.listen(carla, room.id, "v=0", "main", "a")) == "not_live"


async def test_the_least_loaded_process_becomes_owner_and_stays_it(house: House) -> None:
    room, _ = await stage(house)
    await house.media_lives()
    await house.store.leases.beat("busy-process", "here", 0.9)
    await house.services.projections.leases.look()
    for _ in range(2):
        await house.services.signalling.speak(await house.caller("bob"), room.id, "v=0", "a")
    head = (await house.store.rooms.heads([room.id]))[room.id]
    assert (head.owner, head.epoch) == (MEDIA, 1)


async def test_an_owner_that_began_just_now_keeps_the_room(house: House) -> None:
    """Another web process has seen it and given it the room; this one has not looked again since."""
    room, _ = await stage(house)
    await house.store.leases.beat("other", "here", 0.0)
    await house.services.projections.leases.look()
    await house.store.leases.beat(MEDIA, "here", 0.0)
    assert await house.store.rooms.claim(room.id, MEDIA, 0) == 1
    await house.services.signalling.speak(await house.caller("bob"), room.id, "v=0", "a")
    head = (await house.store.rooms.heads([room.id]))[room.id]
    assert (head.owner, head.epoch) == (MEDIA, 1)


async def test_an_ended_session_holds_no_longer(house: House) -> None:
    carla = await house.caller("carla")
    await house.services.sessions.sign_out(carla)
    assert (await house.services.sessions.authenticate(house.tokens["carla"])).member is None
