"""The administration's calls: nothing is there for others, and what is done shows."""

from __future__ import annotations

from datetime import timedelta

import pytest

from parola.services import clock
from tests.web_process import Person, WebProcess

CALLS = [
    ("GET", "/api/admin/people"),
    ("GET", "/api/admin/people?limit=nonsense"),
    ("POST", "/api/admin/people"),
    ("POST", "/api/admin/people/bob/suspend"),
    ("POST", "/api/admin/people/bob/restore"),
    ("POST", "/api/admin/people/bob/role"),
    ("GET", "/api/admin/rooms"),
    ("POST", "/api/admin/rooms/x/end"),
    ("GET", "/api/admin/audit"),
    ("DELETE", "/api/admin/audit"),
    ("GET", "/api/admin/health"),
    ("POST", "/api/admin/nothing"),
]


async def administrator(web: WebProcess, handle: str = "root") -> Person:
    root = await web.member(handle)
    token = (await web.services.claims.link()).partition("#")[2]
    assert (await root.post("/api/admin/claim", json={"token": token})).status == 204
    assert (await root.get("/api/me")).json["role"] == "administrator"
    return root


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_for_others_nothing_is_there(web: WebProcess, method: str, path: str) -> None:
    ada, _ = await web.members("ada", "bob")
    stale = Person(web, token="stale")
    for body in (
        {},
        {"json": {}},
        {"json": {"reason": "x"}},
        {"content": "{", "headers": {"Content-Type": "application/json"}},
    ):
        nowhere = await ada.call(method, "/api/nowhere", **body)
        for person in (web.guest, ada, stale):
            answer = await person.call(method, path, **body)
            assert (answer.status, answer.content) == (404, nowhere.content)
            assert "allow" not in answer.headers


async def test_people_are_found_suspended_and_restored(web: WebProcess) -> None:
    root = await administrator(web)
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    await bob.put(f"/api/rooms/{room}/hands/me")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    await bob.connects(room, "whip")
    async with bob.reads(room) as stream:
        assert (await stream.next()) is not None
        answer = await root.post("/api/admin/people/bob/suspend", json={"reason": "shouts"})
        assert (answer.status, answer.json) == (200, {"suspended": 1, "silent": True})
        assert web.media.settled(), "the owner was asked before the answer"
        await stream.rest()
    assert (await bob.get("/api/me")).said == (401, "not_signed_in")
    assert [s["handle"] for s in (await ada.get(f"/api/rooms/{room}")).json["speakers"]] == ["ada"]
    found = (await root.get("/api/admin/people?q=b")).json["people"]
    assert [(one["handle"], one["suspended"]) for one in found] == [("bob", True)]
    assert (await ada.get("/api/accounts/bob")).json["name"] == "Bob"
    assert (await root.post("/api/admin/people/bob/restore", json={"reason": "calm"})).status == 204
    entries = (await root.get("/api/admin/audit")).json["entries"]
    assert [(e["actor"], e["action"], e["object"], e["reason"]) for e in entries[:2]] == [
        ("root", "restore", "bob", "calm"),
        ("root", "suspend", "bob", "shouts"),
    ]


async def test_people_come_in_pages(web: WebProcess) -> None:
    root = await administrator(web)
    await web.members("ada", "bob", "carla")
    seen, cursor = [], ""
    while cursor is not None:
        page = (await root.get(f"/api/admin/people?limit=3&cursor={cursor}")).json
        seen += [one["handle"] for one in page["people"]]
        cursor = page["next"]
    assert seen == ["ada", "bob", "carla", "root"]


async def test_rooms_are_seen_whoever_may_enter_and_ended(web: WebProcess) -> None:
    root = await administrator(web)
    ada = await web.member("ada")
    hidden = await ada.opens(access="invited", title="Secret")
    listed = (await root.get("/api/admin/rooms")).json["rooms"]
    assert [(one["id"], one["title"], one["host"]["handle"]) for one in listed] == [(hidden, "Secret", "ada")]
    assert (await root.get(f"/api/rooms/{hidden}")).said == (404, "not_found"), "to hear it is another right"
    assert (await root.post(f"/api/admin/rooms/{hidden}/end", json={"reason": "x"})).json == {"silent": True}
    assert (await ada.get(f"/api/rooms/{hidden}")).json["state"] == "ended"
    again = await root.post(f"/api/admin/rooms/{hidden}/end", json={"reason": "x"})
    assert again.said == (409, "not_live")
    assert (await root.post("/api/admin/rooms/none/end", json={"reason": "x"})).said == (404, "not_found")


async def test_an_administrator_listens_to_a_private_room_and_everybody_sees_it(web: WebProcess) -> None:
    root, ada = await administrator(web), await web.member("ada")
    hidden = await ada.opens(access="invited", title="Secret")
    visit = f"/api/admin/rooms/{hidden}/visit"
    async with ada.reads(hidden) as stream:
        await stream.until("snapshot")
        assert (await root.put(visit, json={"reason": "two complaints"})).status == 204
        told = await stream.until("visit.began")
        assert (told.data["handle"], told.data["by"]) == ("root", "")
        await root.connects(hidden)
        shown = (await ada.get(f"/api/rooms/{hidden}")).json
        assert [one["handle"] for one in shown["visitors"]] == ["root"]
        assert (await root.put(visit, json={"reason": "again"})).status == 204, "it holds already"
        assert (await root.delete(visit)).status == 204
        await stream.until("visit.ended")
    assert (await root.get(f"/api/rooms/{hidden}")).said == (404, "not_found")
    checked = (await root.get("/api/admin/audit/verify")).json
    assert (checked["count"], checked["broken_at"], checked["holds_seal"]) == (3, None, False)
    kept = (await root.get(f"/api/admin/audit/verify?seal={checked['seal']}")).json
    assert kept["holds_seal"]
    deeds = [(one["action"], one["reason"]) for one in (await root.get("/api/admin/audit")).json["entries"]]
    assert deeds[0] == ("visit", "two complaints")


async def test_a_visit_ends_with_the_office(web: WebProcess) -> None:
    root, ada = await administrator(web), await web.member("ada")
    other = await administrator(web, "other")
    hidden = await ada.opens(access="invited")
    await other.put(f"/api/admin/rooms/{hidden}/visit", json={"reason": "a look"})
    assert (await other.get(f"/api/rooms/{hidden}")).status == 200
    await root.post("/api/admin/people/other/role", json={"role": "member", "reason": "helps no more"})
    assert (await other.get(f"/api/rooms/{hidden}")).said == (404, "not_found")


async def test_roles(web: WebProcess) -> None:
    root = await administrator(web)
    ada = await web.member("ada")
    change = {"role": "administrator", "reason": "helps"}
    assert (await root.post("/api/admin/people/ada/role", json=change)).status == 204
    assert (await ada.get("/api/admin/people")).status == 200
    away = {"role": "member", "reason": "done"}
    assert (await ada.post("/api/admin/people/root/role", json=away)).status == 204
    assert (await root.get("/api/admin/people")).status == 404
    assert (await ada.post("/api/admin/people/ada/role", json=away)).said == (409, "last_administrator")


async def test_who_makes_administrators_has_lately_shown_who_they_are(web: WebProcess) -> None:
    root = await administrator(web)
    await web.member("ada")
    web.services.administering._now = lambda: clock.now() + timedelta(seconds=601)
    change = {"role": "administrator", "reason": "helps"}
    assert (await root.post("/api/admin/people/ada/role", json=change)).said == (403, "sign_in_again")
    assert (await root.post("/api/admin/evidence/none/listen", json={"reason": "to judge"})).said == (
        403,
        "sign_in_again",
    )
    assert (await root.get("/api/admin/people")).status == 200


async def test_health(web: WebProcess) -> None:
    root = await administrator(web)
    seen = (await root.get("/api/admin/health")).json
    assert (seen["ready"], seen["missing"]) == (True, [])
    assert [(one["machine"], one["alive"]) for one in seen["processes"]] == [("here", True)]


async def test_a_link_is_nothing_to_guests_and_guesses(web: WebProcess) -> None:
    ada = await web.member("ada")
    token = (await web.services.claims.link()).partition("#")[2]
    for person in (web.guest, Person(web, token="stale")):
        assert (await person.post("/api/admin/claim", json={"token": token})).said == (404, "not_found")
    assert (await ada.post("/api/admin/claim", json={"token": token + "x"})).said == (404, "not_found")
    assert (await ada.post("/api/admin/claim", json={"token": token})).status == 204
