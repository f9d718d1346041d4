"""What was true at the gate, or at the last look, and is so no more when it counts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Unavailable
from parola.services import rooms as rooms_module
from parola.services.caller import Caller
from tests.services.house import MEDIA, House, opened
from tests.services.test_rooms_and_silence import stage


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def told(house: House, caller: Caller, room: r.Room, last_seq: int | None) -> list[bytes]:
    """Everything that a stream tells until it ends by itself."""
    stream = house.services.feeds.read(caller, room, last_seq)
    async with asyncio.timeout(5):
        return [text async for text in stream]


@pytest.mark.parametrize("comes_back", [False, True])
@pytest.mark.parametrize("access", ["open", "invited"])
async def test_removed_behind_the_gate(house: House, access: str, comes_back: bool) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    bob_id = str(bob.account_id)
    room = await house.services.rooms.open(ada, "A room", access, None, None)
    await house.services.rooms.command(ada, room.id, lambda by: r.Invite(by, bob_id))
    seen = await house.services.gate.enter(bob, room.id)
    out = r.Remove if access == "open" else r.Uninvite
    await house.services.rooms.command(ada, room.id, lambda by: out(by, bob_id))
    assert await told(house, bob, seen, seen.seq if comes_back else None) == []
    assert house.services.feeds.open_streams == 0


@pytest.mark.parametrize("last_seq", [None, 2, 3])
async def test_ended_behind_the_gate(house: House, last_seq: int | None) -> None:
    ada = await house.caller("ada")
    room = await house.services.rooms.open(ada, "A room", "open", True, None)
    await house.services.rooms.command(ada, room.id, r.End)
    events = await told(house, ada, room, last_seq)
    kinds = [text.decode().splitlines()[1] for text in events]
    assert kinds == {None: ["event: snapshot"], 2: ["event: room.ended"], 3: []}[last_seq]


@pytest.mark.parametrize("kind", [r.Revoke, r.Mute, r.Remove])
async def test_a_living_owner_out_of_sight_is_not_taken_for_silent(
    house: House, kind: type[r.Revoke], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.05)
    room, bob = await stage(house)
    await house.media_lives()
    await house.store.rooms.claim(room.id, MEDIA, 0)
    house.media.deaf = True
    house.services.projections.leases._seen.clear()
    with pytest.raises(Unavailable) as refused:
        await house.services.rooms.command(await house.caller("ada"), room.id, lambda by: kind(by, bob))
    assert refused.value.code == "not_confirmed"


async def test_an_owner_whose_lease_has_run_out_is_silent(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.05)
    room, bob = await stage(house)
    await house.store.leases.beat(MEDIA, "here", 0.0)
    await house.store.rooms.claim(room.id, MEDIA, 0)
    monkeypatch.setattr("parola.projection.leases.DEAD_S", -1.0)
    house.media.deaf = True
    carried = await house.services.rooms.command(
        await house.caller("ada"), room.id, lambda by: r.Revoke(by, bob)
    )
    assert not carried.room.has_floor(bob)
