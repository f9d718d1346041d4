"""What readers of a room are told of somebody who deletes their account: it always folds."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.domain import rooms as r
from tests.services.house import House, opened
from tests.services.test_deletion import load, speaking
from tests.services.test_feeds import Stream, fold, lasting


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def test_who_reads_along_folds_it_as_ever(house: House) -> None:
    room = await load(house, await speaking(house))
    ada = await house.caller("ada")
    stream = Stream(house, ada, room)
    _, snapshot, _ = await stream.next()
    await house.services.deletion.delete(await house.caller("bob"), "bob")
    after = await load(house, room.id)
    events = await stream.until(after.seq)
    assert lasting(fold(snapshot, events)) == lasting(await house.services.views.room(after, ada))
    await stream.close()


async def test_who_comes_back_with_the_old_name_in_mind_gets_a_snapshot(house: House) -> None:
    room = await load(house, await speaking(house))
    ada = await house.caller("ada")
    kept = Stream(house, ada, room)  # so that the feed remembers what it told
    await kept.next()
    running = asyncio.create_task(house.services.feeds.run())
    await asyncio.sleep(0)
    await house.services.deletion.delete(await house.caller("bob"), "bob")
    for last_seq in range(room.seq + 1):
        back = Stream(house, ada, await load(house, room.id), last_seq)
        kind, shown, _ = await back.next()
        assert kind == "snapshot"
        assert "bob" not in str(shown)
        await back.close()
    after = await load(house, room.id)
    await house.services.rooms.command(ada, room.id, r.LockHands)
    back = Stream(house, ada, await load(house, room.id), after.seq)
    assert (await back.next())[0] == "hands.locked", "whoever has it already goes on from there"
    await back.close()
    await kept.close()
    running.cancel()


async def test_an_ended_room_that_shows_them_is_told_as_a_snapshot(house: House) -> None:
    room = await load(house, await speaking(house))
    ada = await house.caller("ada")
    await house.services.rooms.command(ada, room.id, r.End)
    await house.services.deletion.delete(await house.caller("bob"), "bob")
    back = Stream(house, ada, await load(house, room.id), room.seq)
    kind, shown, _ = await back.next()
    assert (kind, shown["state"]) == ("snapshot", "ended")
    await back.close()


async def test_who_is_told_late_comes_back(house: House) -> None:
    """The word of the revoked floor was slow, and the name is gone by the time it is written down."""
    room = await load(house, await speaking(house))
    ada = await house.caller("ada")
    stream = Stream(house, ada, room)
    await stream.next()
    bob = str((await house.caller("bob")).account_id)
    await house.store.deletions.begin(bob, room.created_at)
    await house.store.deletions.erase(bob, "deleted-x", room.created_at)
    await house.services.rooms.come_about(room.id, r.Vanish(bob, bob))
    told = []
    with contextlib.suppress(StopAsyncIteration):
        while True:
            told.append(await stream.next())
    assert "deleted-x" not in str(told)
    with pytest.raises(StopAsyncIteration):
        await stream.next()
