"""A room that many change at once: nobody is told that it is done where it is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from parola.domain import rooms as r
from parola.domain.moderation import Measure, Reason
from parola.services import everywhere
from parola.store import SeqConflict
from tests.services.house import House, always, opened, refusal_of
from tests.services.test_administering import administrator


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(everywhere, "_PAUSE_S", 0.0)
    async with opened(tmp_path) as house:
        yield house


async def two_rooms(house: House) -> list[str]:
    """Ada's; bob has the floor in each."""
    ada, bob = await house.caller("ada"), await house.caller("bob")
    bobs, found = bob.account_id or "", []
    for n in range(2):
        room = await house.services.rooms.open(ada, f"Room {n}", "open", None, None)
        await house.services.rooms.command(bob, room.id, r.RaiseHand)
        await house.services.rooms.command(ada, room.id, lambda by: r.Grant(by, bobs))
        found.append(room.id)
    return found


def keep_busy(house: House, monkeypatch: pytest.MonkeyPatch, room_id: str, times: int) -> None:
    """Somebody else is faster in this room, so many times."""
    append, left = house.store.rooms.append, [times]

    async def slow(before: r.Room, events: Sequence[r.Event], after: r.Room, *more: Any) -> None:
        if before.id == room_id and left[0] > 0:
            left[0] -= 1
            raise SeqConflict(room_id)
        await append(before, events, after, *more)

    monkeypatch.setattr(house.store.rooms, "append", slow)


async def is_heard(house: House, room_id: str, account_id: str) -> bool:
    room = await house.store.rooms.load(room_id)
    assert room is not None
    return room.may_be_heard(account_id)


async def test_a_room_that_was_busy_is_asked_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    root, ids = await administrator(house, "root"), await two_rooms(house)
    bob = (await house.caller("bob")).account_id or ""
    keep_busy(house, monkeypatch, ids[0], 50)
    await house.services.moderating.act(root, "bob", Measure.REMOVE, "shouts")
    assert [await is_heard(house, id, bob) for id in ids] == [False, False]


async def test_one_that_stays_busy_closes_no_report_and_keeps_no_other_room_waiting(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, ids = await administrator(house, "root"), await two_rooms(house)
    ada, bob = await house.caller("ada"), (await house.caller("bob")).account_id or ""
    said = await house.services.reports.file(ada, "bob", None, None, Reason.SPAM, "", always)
    keep_busy(house, monkeypatch, ids[0], 10_000)
    resolving = house.services.reports.resolve(root, said.report.id, Measure.REMOVE, "shouts")
    assert await refusal_of(resolving) == "not_done"
    assert [await is_heard(house, id, bob) for id in ids] == [True, False]
    report = await house.store.reports.load(said.report.id)
    assert report is not None
    assert report.closed_at is None


async def test_nobody_is_erased_while_they_are_heard(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, bob = await two_rooms(house), await house.caller("bob")
    with monkeypatch.context() as busy:
        keep_busy(house, busy, ids[0], 10_000)
        assert await refusal_of(house.services.deletion.delete(bob, "bob")) == "not_done"
    found = await house.store.accounts.by_ids([bob.account_id or ""])
    assert found[bob.account_id or ""].handle == "bob"
    await house.services.deletion._go_on(bob.account_id or "")
    assert not await is_heard(house, ids[0], bob.account_id or "")


async def test_only_so_many_rooms_are_changed_at_once_and_all_of_them_are() -> None:
    changing, most, done = set[str](), 0, list[str]()

    async def carry_out(room_id: str, _: str) -> None:
        nonlocal most
        changing.add(room_id)
        most = max(most, len(changing))
        await asyncio.sleep(0)
        changing.remove(room_id)
        done.append(room_id)

    work = [(f"room {n}", "something") for n in range(100)]
    await everywhere.in_each(work, carry_out)
    assert most == everywhere.AT_ONCE
    assert sorted(done) == sorted(room_id for room_id, _ in work)
