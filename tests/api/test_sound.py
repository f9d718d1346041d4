"""WHEP and WHIP as HTTP: who gets a connection, where it lives, and how it ends."""

from __future__ import annotations

import pytest

from parola.bus import subjects
from parola.bus.messages import Body, CloseOrder, Gone, Refused, WhepOrder, WhipOrder
from tests.web_process import ANSWER, DETAILS, OFFER, FakeMedia, WebProcess

FRAGMENT = {"Content-Type": "application/trickle-ice-sdpfrag"}


async def test_a_connection_from_its_offer_to_its_end(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    for person, kind in ((ada, "whip"), (ada, "whep"), (web.guest, "whep")):
        made = await person.connects(room, kind)
        assert (made.status, made.content.decode()) == (201, ANSWER)
        assert made.headers["content-type"] == "application/sdp"
        location = made.headers["location"]
        assert location.startswith(f"/api/rooms/{room}/{kind}/")
        assert (await person.patch(location, content="a=x", headers=FRAGMENT)).status == 204
        refused = await person.patch(location, content="a=x", headers={"Content-Type": "text/plain"})
        assert refused.said == (415, "unsupported_media_type")
        assert (await person.delete(location)).status == 200
        assert (await person.delete(location)).said == (404, "not_found")
    whip, whep, guests = (o for o in web.media.orders if isinstance(o, WhepOrder | WhipOrder))
    assert isinstance(whip, WhipOrder)
    assert (whip.account_id, whip.epoch, whip.seq, whip.offer) == (ada.id, 1, 2, OFFER)
    assert isinstance(whep, WhepOrder)
    assert (whep.account_id, whep.seq) == (ada.id, 2)
    assert (guests.account_id, guests.session_id) == (None, None)


async def test_nobody_ends_the_connection_of_another(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room, other = await ada.opens(), await ada.opens()
    mine = (await ada.connects(room)).headers["location"]
    for person in (bob, web.guest):
        assert (await person.delete(mine)).said == (404, "not_found")
    for wrong in (
        mine.replace(room, other),
        mine + "x",
        mine.replace("/whep/", "/other/"),
        f"/api/rooms/{room}/whep/x",
        f"/api/rooms/{room}/whep/gone.x",
        f"/api/rooms/{room}/whep/media_1.%00",
        f"/api/rooms/{room}/whep/%ff",
    ):
        assert (await ada.delete(wrong)).said == (404, "not_found"), wrong
    assert (await ada.delete(mine)).status == 200
    guests = (await web.guest.connects(room)).headers["location"]
    assert (await ada.delete(guests)).said == (404, "not_found")
    assert (await web.guest.delete(guests)).status == 200


async def test_only_those_whose_connection_it_is_learn_how_it_fares(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room, other = await ada.opens(), await ada.opens()
    for person, kind in ((ada, "whip"), (ada, "whep"), (web.guest, "whep")):
        mine = (await person.connects(room, kind)).headers["location"]
        answer = await person.get(mine)
        assert (answer.status, answer.json) == (200, {**DETAILS, "kind": kind})
        assert answer.headers["cache-control"] == "no-store"
        strangers = {"ada": ada, "bob": bob, "guest": web.guest}
        for name, stranger in strangers.items():
            if stranger.handle != person.handle:
                assert (await stranger.get(mine)).said == (404, "not_found"), (name, kind)
        for wrong in (mine.replace(room, other), mine + "x", mine.replace(f"/{kind}/", "/other/")):
            assert (await person.get(wrong)).said == (404, "not_found"), wrong
        await person.delete(mine)
        assert (await person.get(mine)).said == (404, "not_found")


async def test_only_with_the_floor(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    assert (await web.guest.connects(room, "whip")).said == (401, "not_signed_in")
    assert (await bob.connects(room, "whip")).said == (403, "floor_required")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    assert (await bob.connects(room, "whip")).said == (403, "floor_required"), "an offer is no floor"
    await bob.post(f"/api/rooms/{room}/floor/accept")
    assert (await bob.connects(room, "whip")).status == 201
    await ada.delete(f"/api/rooms/{room}/floor/bob")
    assert (await bob.connects(room, "whip")).said == (403, "floor_required")
    await ada.post(f"/api/rooms/{room}/end")
    for kind in ("whep", "whip"):
        assert (await ada.connects(room, kind)).said == (409, "not_live")


async def test_another_channel_is_not_there(web: WebProcess) -> None:
    room = await (await web.member("ada")).opens()
    assert (await web.guest.connects(room, "whep?channel=main")).status == 201
    assert (await web.guest.connects(room, "whep?channel=other")).said == (404, "not_found")


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (Refused(403, "removed", "Out."), 403),
        (Refused(409, "not_live", "Over."), 409),
        (Refused(422, "bad_sdp", "No m-line."), 422),
        (Refused(404, "not_found", "Nothing."), 404),
        (Refused(429, "too_many_connections", "Enough."), 429),
        (Refused(503, "full", "Full."), 503),
        (Refused(500, "what", "What?"), 503),
    ],
)
async def test_the_media_process_has_the_last_word(web: WebProcess, reply: Refused, status: int) -> None:
    room = await (await web.member("ada")).opens()
    web.media.replies["whep"] = reply
    answer = await web.guest.connects(room)
    assert answer.said == (status, reply.code)
    assert ("retry-after" in answer.headers) is (status in (429, 503))


async def test_a_media_process_that_says_nothing(web: WebProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parola.services.signalling._TIMEOUT_S", 0.01)
    ada = await web.member("ada")
    room = await ada.opens()
    made = await ada.connects(room)
    silent: dict[str, Body | None] = {"whep": None, "whip": None, "close": None}
    web.media.replies.update(silent)
    for kind in ("whep", "whip"):
        answer = await ada.connects(room, kind)
        assert answer.said == (503, "full")
        assert answer.headers["retry-after"].isdigit()
    assert (await ada.delete(made.headers["location"])).said == (503, "media_away")


async def test_a_process_out_of_reach_keeps_its_rooms_and_a_dead_one_is_passed_over(web: WebProcess) -> None:
    """Nobody listens any more: that may be its death, or a bus that does not reach it. Its lease decides."""
    ada = await web.member("ada")
    room = await ada.opens()
    lost = (await ada.connects(room, "whip")).headers["location"]
    for subscription in list(web.bus.subscriptions):
        if subscription.subject.startswith("media.media_1."):
            await subscription.unsubscribe()
    assert (await ada.delete(lost)).said == (503, "media_away")
    assert (await ada.connects(room, "whep")).said == (503, "full")
    other = FakeMedia(web.bus, web.store, "media_2")
    await other.start()
    await web.services.projections.leases.look()
    assert (await ada.connects(room, "whep")).headers["location"].rpartition("/")[2].startswith("media_2.")
    assert (await ada.connects(room, "whip")).said == (503, "owner_unreachable"), "it may sound where it is"
    await web.bus.publish(subjects.MEDIA_GONE, Gone("media_1").to_bytes())
    await web.bus.drained()
    assert (await ada.delete(lost)).said == (404, "not_found"), "the connection has died with it"
    made = await ada.connects(room, "whip")
    assert made.headers["location"].rpartition("/")[2].startswith("media_2.")
    orders = [o for o in other.orders if isinstance(o, WhipOrder)]
    assert orders[-1].epoch == 2
    assert not [o for o in other.orders if isinstance(o, CloseOrder)]
