"""The event stream over HTTP: how it begins, where it goes on, and when it ends."""

from __future__ import annotations

import pytest

from parola.bus import subjects
from parola.store import StoreUnavailable
from tests.web_process import WebProcess


async def test_begins_with_a_snapshot_and_goes_on(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    async with bob.reads(room) as stream:
        assert (stream.status, stream.content_type) == (200, "text/event-stream; charset=utf-8")
        first = await stream.next()
        assert first is not None
        assert (first.kind, first.id) == ("snapshot", 2)
        assert first.data == (await bob.get(f"/api/rooms/{room}")).json
        assert 1000 <= stream.retry_ms <= 5000
        await bob.put(f"/api/rooms/{room}/hands/me")
        raised = await stream.until("hand.raised")
        assert (raised.id, raised.data["seq"]) == (3, 3)
        assert raised.data.keys() == {"seq", "at", "by", "handle", "name", "picture", "raised_at", "note"}
        assert (raised.data["handle"], raised.data["name"], raised.data["by"]) == ("bob", "Bob", "bob")
        await ada.put(f"/api/rooms/{room}/floor/bob")
        granted = await stream.until("floor.granted")
        assert (granted.id, granted.data["by"], granted.data["handle"]) == (4, "ada", "bob")


async def test_goes_on_behind_the_last_event_id(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    for _ in range(3):
        await bob.put(f"/api/rooms/{room}/hands/me")
        await bob.delete(f"/api/rooms/{room}/hands/me")
    for last in range(9):
        async with web.guest.reads(room, str(last)) as stream:
            if last < 8:
                told = await stream.lasting_until(8)
                assert [t.id for t in told] == list(range(last + 1, 9))
            await bob.call("PUT", f"/api/rooms/{room}/hands/me")
            await ada.call("DELETE", f"/api/rooms/{room}/hands/bob")
            seq = (await ada.get(f"/api/rooms/{room}")).json["seq"]
            told = await stream.lasting_until(seq)
            assert told[-1].kind == "hand.lowered"
            assert [t.id for t in told] == list(range(told[0].id or 0, seq + 1))


@pytest.mark.parametrize("last", ["99", "-1", "2.0", "x", "", "9" * 40, "٣", "\x00", "1e0"])
async def test_a_number_that_leads_nowhere_gets_a_snapshot(web: WebProcess, last: str) -> None:
    room = await (await web.member("ada")).opens()
    async with web.guest.reads(room, last) as stream:
        told = await stream.next()
        assert told is not None
        assert (told.kind, told.id) == ("snapshot", 2)


async def test_too_far_back_gets_a_snapshot(web: WebProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parola.services.feeds.MOST_REPLAYED", 3)
    ada = await web.member("ada")
    room = await ada.opens()
    await ada.put(f"/api/rooms/{room}/mutes/ada")
    await ada.delete(f"/api/rooms/{room}/mutes/ada")
    for last, kind in (("0", "snapshot"), ("1", "room.started")):
        async with web.guest.reads(room, last) as stream:
            told = await stream.next()
            assert told is not None
            assert told.kind == kind


async def test_ends_with_the_room(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    async with web.guest.reads(room) as stream:
        await stream.until("snapshot")
        await ada.post(f"/api/rooms/{room}/end")
        assert (await stream.rest())[-1].kind == "room.ended"
    for last, kinds in ((None, ["snapshot"]), ("2", ["room.ended"]), ("77", ["snapshot"])):
        async with web.guest.reads(room, last) as stream:
            assert [t.kind for t in await stream.rest()] == kinds
    async with web.guest.reads(room, "3") as stream:
        assert stream.status == 204
        assert await stream.rest() == []
    assert web.services.feeds.open_streams == 0


async def test_ends_for_who_is_removed(web: WebProcess) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    room = await ada.opens()
    async with bob.reads(room) as bobs, carla.reads(room) as carlas, web.guest.reads(room) as guests:
        for stream in (bobs, carlas, guests):
            await stream.until("snapshot")
        await ada.put(f"/api/rooms/{room}/removed/bob")
        assert [t.kind for t in await bobs.rest() if t.id] == ["person.removed"]
        await ada.delete(f"/api/rooms/{room}/removed/bob")
        for stream in (carlas, guests):
            assert (await stream.until("person.restored")).data["handle"] == "bob"
    await ada.put(f"/api/rooms/{room}/removed/bob")
    assert (await bob.get(f"/api/rooms/{room}/events")).said == (403, "removed")


async def test_ends_for_who_is_no_longer_invited(web: WebProcess) -> None:
    ada, bob, carla = await web.members("ada", "bob", "carla")
    room = await ada.opens(access="invited")
    for handle in ("bob", "carla"):
        await ada.put(f"/api/rooms/{room}/invited/{handle}")
    async with bob.reads(room) as bobs, carla.reads(room) as carlas:
        for stream in (bobs, carlas):
            await stream.until("snapshot")
        await ada.delete(f"/api/rooms/{room}/invited/bob")
        told = await bobs.rest()
        assert "handle" not in told[-1].data, "nobody learns who is invited"
        seq = (await ada.get(f"/api/rooms/{room}")).json["seq"]
        assert (await carlas.lasting_until(seq))[-1].id == seq


async def test_ends_with_its_session(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    async with ada.reads(room) as stream, web.guest.reads(room) as guests:
        await stream.until("snapshot")
        await guests.until("snapshot")
        await ada.delete("/api/sessions/current")
        await stream.rest()
        assert web.services.feeds.open_streams == 1


async def test_a_session_whose_end_was_lost_is_found_out(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    async with ada.reads(room) as stream:
        await stream.until("snapshot")
        web.bus.lose.add(subjects.SESSION_ENDED)
        await ada.delete("/api/sessions/current")
        await web.services.feeds.streams.check_sessions()
        await stream.rest()


async def test_what_was_answered_is_in_the_snapshot_though_the_message_was_lost(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    async with web.guest.reads(room) as first:
        await first.until("snapshot")
        web.bus.lose.add(subjects.room_events(room))
        await bob.put(f"/api/rooms/{room}/hands/me")
        async with bob.reads(room) as second:
            assert (await second.until("snapshot")).id == 3
        async with bob.reads(room, "2") as third:
            assert (await third.until("hand.raised")).id == 3


async def test_a_comment_keeps_it_open(web: WebProcess) -> None:
    room = await (await web.member("ada")).opens()
    async with web.guest.reads(room) as stream:
        await stream.until("snapshot")
        for slot in range(150):
            web.services.feeds.streams.comments.take(slot)
        while not (await stream._told.get() or b"").startswith(b":"):
            pass


async def test_passing_events_carry_no_id(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    async with bob.reads(room) as stream:
        await stream.until("snapshot")
        for person, kind in ((ada, "whip"), (ada, "whep"), (bob, "whep"), (web.guest, "whep")):
            assert (await person.connects(room, kind)).status == 201
        await web.media.tell_presence(room)
        audience = await stream.until("audience")
        assert (audience.id, audience.data) == (None, {"count": 2})
        presence = await stream.until("presence")
        assert (presence.id, presence.data) == (None, {"handle": "ada", "connected": True})
    shown = (await bob.get(f"/api/rooms/{room}")).json
    assert shown["audience"] == {"count": 2}
    assert shown["speakers"][0]["connected"] is True


async def test_everything_is_let_go_with_the_last_reader(web: WebProcess) -> None:
    room = await (await web.member("ada")).opens()
    before = len(web.bus.subscriptions)
    for _ in range(2):
        async with web.guest.reads(room) as one, web.guest.reads(room) as two:
            await one.until("snapshot")
            await two.until("snapshot")
            assert web.services.feeds.open_streams == 2
        assert web.services.feeds.open_streams == 0
        assert len(web.bus.subscriptions) == before
        assert web.services.projections.watched(room) is None


async def test_a_database_that_goes_away_in_mid_stream_ends_it_and_is_no_bug(
    web: WebProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await web.member("ada")
    room = await ada.opens()

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(web.services.views, "shared", away)
    async with web.guest.reads(room) as stream:  # the exit would raise what the app raises
        assert stream.status == 200
        assert await stream.rest() == []
