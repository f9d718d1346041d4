"""Notes, `next`, turns, the stage's capacity, slow hands and the successor, as a client sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parola.domain import rooms as r
from tests.web_process import WebProcess


async def test_a_note_is_seen_by_everybody_and_may_change(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    path = f"/api/rooms/{room}"
    async with ada.reads(room) as stream:
        await stream.until("snapshot")
        assert (await bob.put(f"{path}/hands/me", json={"note": "  why  so? "})).status == 204
        assert (await stream.until("hand.raised")).data["note"] == "why so?"
        assert [h["note"] for h in (await web.guest.get(path)).json["hands"]] == ["why so?"]
        assert (await bob.put(f"{path}/hands/me", json={"note": "how?"})).status == 204
        assert (await stream.until("hand.noted")).data["note"] == "how?"
    assert (await bob.put(f"{path}/hands/me")).status == 204, "an old client says nothing of notes"
    assert [h["note"] for h in (await ada.get(path)).json["hands"]] == ["how?"]
    assert (await bob.put(f"{path}/hands/me", json={"note": "x" * 141})).said == (422, "invalid")
    assert (await bob.put(f"{path}/hands/me", json={"text": "x"})).said == (422, "invalid")


async def test_next_calls_up_the_first_and_is_silent_of_the_one_before(web: WebProcess) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    room = await ada.opens()
    path = f"/api/rooms/{room}"
    assert (await ada.post(f"{path}/floor/next")).said == (409, "no_hands")
    for who in (bob, carla):
        await who.put(f"{path}/hands/me")
    assert (await ada.post(f"{path}/floor/next")).json == {"silent": True, "handle": "bob"}
    assert (await bob.connects(room, "whip")).status == 201
    before = len(web.media.settled())
    assert (await ada.post(f"{path}/floor/next", json={"hand": "bob"})).json["handle"] == "bob"
    assert (await ada.post(f"{path}/floor/next", json={"hand": "ada"})).json["handle"] == "ada"
    assert (await ada.post(f"{path}/floor/next", json={"hand": "carla"})).json["handle"] == "carla"
    shown = (await ada.get(path)).json
    assert [s["handle"] for s in shown["speakers"]] == ["ada", "carla"]
    assert web.media.settled()[before:][-1] == shown["seq"], "answered only after the silence"


async def test_turns_stand_in_the_room_and_in_the_grant(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    path = f"/api/rooms/{room}"
    async with bob.reads(room) as stream:
        await stream.until("snapshot")
        assert (await ada.put(f"{path}/turns", json={"soft_s": 90, "hard_s": 120})).status == 204
        told = (await stream.until("turns.set")).data
        assert (told["soft_s"], told["hard_s"]) == (90, 120)
        assert told["turn"].keys() == {"began_at", "soft_at", "hard_at"}
        await bob.put(f"{path}/hands/me")
        await ada.put(f"{path}/floor/bob")
        turn = (await stream.until("floor.granted")).data["turn"]
    shown = (await ada.get(path)).json
    assert shown["turns"] == {"soft_s": 90, "hard_s": 120}
    assert [s["turn"] for s in shown["speakers"]] == [None, turn]
    began, soft, hard = (datetime.fromisoformat(turn[n]) for n in ("began_at", "soft_at", "hard_at"))
    assert (soft - began, hard - began) == (timedelta(seconds=90), timedelta(seconds=120))
    assert (await ada.delete(f"{path}/turns")).status == 204
    assert (await ada.get(path)).json["speakers"][1]["turn"] is None
    for wrong in (
        {"soft_s": 60},
        {"soft_s": 61, "hard_s": 60},
        {"soft_s": 5, "hard_s": 5},
        {"soft_s": 1.5, "hard_s": 60},
    ):
        assert (await ada.put(f"{path}/turns", json=wrong)).said == (422, "invalid")


async def test_a_full_stage_refuses(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    path = f"/api/rooms/{await ada.opens()}"
    assert (await ada.put(f"{path}/stage", json={"capacity": 1})).status == 204
    await bob.put(f"{path}/hands/me")
    assert (await ada.put(f"{path}/floor/bob")).said == (409, "stage_full")
    assert (await ada.post(f"{path}/floor/next")).said == (409, "stage_full")
    assert (await ada.put(f"{path}/stage", json={"capacity": 2})).status == 204
    assert (await ada.put(f"{path}/floor/bob")).status == 200
    assert (await bob.put(f"{path}/stage", json={"capacity": 9})).said == (403, "host_only")
    assert (await ada.put(f"{path}/stage", json={"capacity": 501})).said == (422, "invalid")


async def test_an_offer_says_until_when_and_lapses(web: WebProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    ada, bob = await web.members("ada", "bob")
    path = f"/api/rooms/{await ada.opens()}"
    assert (await ada.put(f"{path}/floor/bob")).status == 202
    shown = (await bob.get(path)).json
    assert shown["offers"] == ["bob"]
    left = datetime.fromisoformat(shown["offers_until"]["bob"]) - datetime.now(UTC)
    assert timedelta(seconds=50) < left <= timedelta(seconds=60)
    late = datetime.now(UTC) + timedelta(seconds=61)
    monkeypatch.setattr(web.services.rooms, "_now", lambda: late)
    assert (await bob.post(f"{path}/floor/accept")).said == (409, "offer_expired")
    assert (await bob.get(path)).json["you"]["may_speak"] is False


async def test_slow_hands_say_when_to_come_back(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    path = f"/api/rooms/{await ada.opens()}"
    assert (await ada.put(f"{path}/pauses/hands", json={"pause_s": 30})).status == 204
    assert (await ada.get(path)).json["hands_pause_s"] == 30
    await bob.put(f"{path}/hands/me")
    await bob.delete(f"{path}/hands/me")
    answer = await bob.put(f"{path}/hands/me")
    assert answer.said == (409, "slow_hands")
    assert 25 <= int(answer.headers["retry-after"]) <= 30
    assert (await ada.put(f"{path}/pauses/hands", json={"pause_s": 1})).said == (422, "invalid")
    assert (await ada.delete(f"{path}/pauses/hands")).status == 204
    assert (await bob.put(f"{path}/hands/me")).status == 204


async def test_a_successor_grants_while_the_host_is_away(web: WebProcess) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    room = await ada.opens()
    path = f"/api/rooms/{room}"
    await ada.put(f"{path}/cohosts/bob")
    assert (await ada.put(f"{path}/successor/bob")).status == 204
    await carla.put(f"{path}/hands/me")
    assert (await bob.put(f"{path}/floor/carla")).said == (403, "host_only")
    async with carla.reads(room) as stream:
        await stream.until("snapshot")
        await web.services.rooms.come_about(room, r.LeaveHost(r.HOUSE, frozenset({ada.id})))
        told = await stream.until("host.succeeded")
        assert (told.data["handle"], told.data["by"]) == ("bob", "")
        shown = (await bob.get(path)).json
        assert (shown["acting_host"], shown["successor"], shown["host"]["handle"]) == ("bob", "bob", "ada")
        assert shown["you"]["may_grant"] is True
        assert shown["you"]["role"] == "cohost"
        assert (await bob.put(f"{path}/floor/carla")).json == {"state": "granted"}
        await web.services.rooms.come_about(room, r.ReturnHost(r.HOUSE))
        await stream.until("host.returned")
    assert (await bob.get(path)).json["acting_host"] is None
    assert (await bob.put(f"{path}/floor/ada")).said == (403, "host_only")
