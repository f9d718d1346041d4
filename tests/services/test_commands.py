"""Two commands at once, and a silence that nobody could confirm."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from parola.domain import rooms as r
from parola.services import rooms as rooms_module
from tests.web_process import WebProcess


async def test_two_commands_decided_on_the_same_room_are_both_carried_out(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both read the room before either has written: whoever comes second decides anew."""
    ada, bob, carla = await web.members("ada", "bob", "carla")
    room = await ada.opens()
    real, both = web.services.gate.enter, asyncio.Barrier(2)
    entered = 0

    async def together(*arguments: object) -> r.Room:
        nonlocal entered
        found = await real(*arguments)  # type: ignore[arg-type]
        entered += 1
        if entered <= 2:
            await both.wait()
        return found

    monkeypatch.setattr(type(web.services.gate), "enter", lambda _, *arguments: together(*arguments))
    answers = await asyncio.gather(*(p.put(f"/api/rooms/{room}/hands/me") for p in (bob, carla)))
    assert [a.status for a in answers] == [204, 204]
    assert entered == 3, "one of them had to look again"
    events = await web.store.rooms.events_after(room, 2)
    assert [e.seq for e in events] == [3, 4]
    assert {e.by for e in events} == {bob.id, carla.id}


async def test_a_second_decision_sees_what_the_first_one_did(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Removed between reading and writing: the command is refused, and nothing of it stays."""
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    real = web.store.rooms.append
    removed = False

    async def interrupted(*appended: Any) -> None:
        nonlocal removed
        if not removed:
            removed = True
            assert (await ada.put(f"/api/rooms/{room}/removed/bob")).status == 200
        await real(*appended)

    monkeypatch.setattr(web.store.rooms, "append", interrupted)
    assert (await bob.put(f"/api/rooms/{room}/hands/me")).said == (403, "removed")
    shown = (await ada.get(f"/api/rooms/{room}")).json
    assert shown["hands"] == []


async def test_too_many_at_once_are_told_to_come_back(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await web.member("ada")
    room = await ada.opens()

    async def lost(*_: object) -> None:
        raise rooms_module.SeqConflict(room)

    monkeypatch.setattr(web.store.rooms, "append", lost)
    answer = await ada.put(f"/api/rooms/{room}/mutes/ada")
    assert answer.said == (503, "busy")
    assert answer.headers["retry-after"].isdigit()


async def test_an_owner_nobody_has_looked_at_yet_is_not_taken_for_dead(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As just after the start of a web process."""
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.01)
    ada = await web.member("ada")
    room = await ada.opens()
    assert (await ada.connects(room, "whip")).status == 201
    web.services.projections.leases._seen.clear()
    web.media.replies["settle"] = None
    assert (await ada.put(f"/api/rooms/{room}/mutes/ada")).said == (503, "not_confirmed")
    found = await web.store.rooms.load(room)
    assert found is not None
    assert found.is_muted(ada.id), "the event stands"


async def test_an_owner_whose_lease_was_given_up_sounds_no_more(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms_module, "SETTLE_TIMEOUT_S", 0.01)
    ada = await web.member("ada")
    room = await ada.opens()
    assert (await ada.connects(room, "whip")).status == 201
    web.media.replies["settle"] = None
    await web.store.leases.release(web.media.process_id)
    assert (await ada.put(f"/api/rooms/{room}/mutes/ada")).json == {"silent": True}
