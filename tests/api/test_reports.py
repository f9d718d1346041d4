"""Reports, measures, notices and appeals over HTTP; and that a suspended person is answered nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from parola.api.app import ROUTERS
from parola.api.limiting import SEALS
from parola.api.permissions import Call, calls
from parola.services.reports import FakeEvidence
from parola.store import Store
from tests.api.test_administration import administrator
from tests.web_process import Answer, Person, WebProcess

SPAM = {"reason": "spam", "text": "again and again"}


async def suspended(web: WebProcess, person: Person) -> Person:
    """The same person in a session as they get it when they sign in now."""
    account = await web.store.accounts.by_handle(person.handle)
    assert account is not None
    assert account.suspended
    token = (await web.services.sessions.begin(account)).token
    return Person(web, person.handle, person.name, person.id, token)


async def test_a_report_from_room_to_resolution(web: WebProcess) -> None:
    root = await administrator(web)
    ada, bob, lia = await web.members("ada", "bob", "lia")
    room = await ada.opens(title="A room")
    await bob.put(f"/api/rooms/{room}/hands/me")
    await ada.put(f"/api/rooms/{room}/floor/bob")
    await bob.connects(room, "whip")
    about = {"handle": "bob", "room": room, "at_ms": 10**8}
    answer = await lia.post("/api/reports", json={"about": about, **SPAM})
    assert answer.status == 201
    mine = answer.json
    assert (mine["about"], mine["room"]) == (
        {"handle": "bob", "name": "Bob", "picture": None},
        {"id": room, "title": "A room"},
    )
    assert (mine["state"], mine["text"], mine["closed_at"]) == ("open", "again and again", None)
    queue = (await root.get("/api/admin/reports")).json
    assert queue["open"] == 1
    (queued,) = queue["reports"]
    assert (queued["about"]["handle"], queued["voices"], queued["reasons"]) == ("bob", 1, {"spam": 1})
    case = (await root.get(f"/api/admin/reports/{queued['id']}")).json
    (voice,) = case["voices"]
    assert voice["reporter"]["handle"] == "lia"
    assert {one["handle"] for one in voice["floor"]} == {"ada", "bob"}
    assert (case["room"]["host"]["handle"], case["room"]["state"]) == ("ada", "live")
    assert (await root.put(f"/api/admin/reports/{queued['id']}/taken")).status == 204
    assert (await root.get("/api/admin/reports")).json["reports"][0]["taken_by"] == "root"
    body = {"measure": "remove", "reason": "shouts"}
    done = await root.post(f"/api/admin/reports/{queued['id']}/resolve", json=body)
    assert (done.status, done.json) == (200, {"silent": True})
    assert web.media.settled(), "the owner was asked before the answer"
    assert (await bob.get(f"/api/rooms/{room}")).said == (403, "removed")
    assert (await root.get("/api/admin/reports")).json["reports"] == []
    (closed,) = (await root.get("/api/admin/reports?state=closed")).json["reports"]
    assert (closed["outcome"], closed["closed_by"], closed["reason"]) == ("remove", "root", "shouts")
    assert (await lia.get("/api/me/reports")).json["reports"][0]["state"] == "resolved"
    (notice,) = (await bob.get("/api/me/notices")).json["notices"]
    assert (notice["measure"], notice["reason"], notice["seen"]) == ("remove", "shouts", False)
    assert "lia" not in (await bob.get("/api/me/notices")).content.decode(), "never who reported"
    assert (await bob.get("/api/me/reports")).json["reports"] == []


async def test_reports_come_in_pages(web: WebProcess) -> None:
    root = await administrator(web)
    lia, *others = await web.members("lia", "one", "two", "three")
    for person in others:
        await lia.post("/api/reports", json={"about": {"handle": person.handle}, **SPAM})
    for path, who in (("/api/admin/reports?", root), ("/api/me/reports?", lia)):
        seen, cursor = [], ""
        while cursor is not None:
            page = (await who.get(f"{path}limit=2{cursor}")).json
            seen += [one["about"]["handle"] for one in page["reports"]]
            cursor = page["next"] and f"&cursor={page['next']}"
        assert sorted(seen) == ["one", "three", "two"]
        assert (await who.get(f"{path}cursor=nonsense")).said == (422, "invalid")


@pytest.mark.parametrize(
    "body",
    [
        {"about": {}, "reason": "spam"},
        {"about": {"handle": "bob"}, "reason": "boring"},
        {"about": {"handle": "bob", "at_ms": 5}, "reason": "spam"},
        {"about": {"handle": "bob"}, "reason": "spam", "text": "x" * 1001},
        {"about": {"handle": "bob"}, "reason": "spam", "text": "\x00"},
        {"about": {"handle": "lia"}, "reason": "spam"},
    ],
)
async def test_what_is_no_report(web: WebProcess, body: object) -> None:
    lia, _ = await web.members("lia", "bob")
    assert (await lia.post("/api/reports", json=body)).status == 422


async def test_row_29_a_private_room_cannot_be_found_by_reporting_it(web: WebProcess) -> None:
    ada, lia, _ = await web.members("ada", "lia", "bob")
    hidden = await ada.opens(access="invited")
    nowhere = await lia.post("/api/reports", json={"about": {"room": "none"}, **SPAM})
    assert nowhere.said == (404, "not_found")
    for about in ({"room": hidden}, {"room": hidden, "at_ms": 0}, {"room": hidden, "handle": "bob"}):
        answer = await lia.post("/api/reports", json={"about": about, **SPAM})
        assert (answer.status, answer.content) == (404, nowhere.content)


async def test_row_35_what_people_write_stays_text(web: WebProcess) -> None:
    root = await administrator(web)
    lia, _ = await web.members("lia", "bob")
    text = "<script>alert(1)</script>\u202e"
    await lia.post("/api/reports", json={"about": {"handle": "bob"}, "reason": "spam", "text": text})
    (queued,) = (await root.get("/api/admin/reports")).json["reports"]
    answer = await root.get(f"/api/admin/reports/{queued['id']}")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json["voices"][0]["text"] == text


async def test_row_24_to_the_suspended_nothing_but_notices_and_appeals_is_there(web: WebProcess) -> None:
    await administrator(web)
    (bob,) = await web.members("bob")
    await web.people["root"].post("/api/admin/people/bob/suspend", json={"reason": "shouts"})
    assert (await bob.get("/api/me")).said == (401, "not_signed_in"), "the session before has ended"
    told = {}
    for call in calls(ROUTERS):
        narrow = await suspended(web, bob)
        answer = await narrow.call(call.method, re.sub(r"\{\w+\}", "none", call.path))
        told[f"{call.method} {call.path}"] = _as_it_should(call, answer) or answer.said
    assert {call: said for call, said in told.items() if said is not True} == {}


def _as_it_should(call: Call, answer: Answer) -> bool:
    if call.path in ("/api/me/notices", "/api/sessions/current"):
        return answer.status in (200, 204)
    if call.path.startswith("/api/me/notices/"):
        return answer.status in (404, 422)
    if call.path.startswith("/api/admin") and call.path != "/api/admin/claim":
        return answer.said == (404, "not_found")
    return answer.status == 422 or call.path in ASK_NOBODY or answer.said == (403, "suspended")


ASK_NOBODY = (
    "/api/elsewhere",
    "/api/elsewhere/back/{place}",
    "/api/elsewhere/arrivals/{token}",
    "/api/ceremonies/sign_in",
    "/api/push/key",
    "/api/unsubscribe/{token}",
    "/unsubscribe/{token}",
    "/api/waitlist/{token}",
    "/api/invitations/{code}",
    "/api/rooms/{room_id}/card.png",
    "/api/accounts/{handle}/card.png",
    "/healthz",
    "/readyz",
    "/metrics",
)
"""Which nobody signs in for."""


async def test_the_suspended_appeal_and_come_back(web: WebProcess) -> None:
    root = await administrator(web)
    (bob,) = await web.members("bob")
    body = {"measure": "suspend", "reason": "shouts", "until": "2999-01-01T00:00:00Z"}  # beyond ten years
    assert (await root.post("/api/admin/people/bob/measures", json=body)).said == (422, "invalid")
    assert (await root.post("/api/admin/people/bob/measures", json={**body, "until": None})).status == 200
    narrow = await suspended(web, bob)
    told = (await narrow.get("/api/me/notices")).json
    assert (told["suspended"], told["me"]["handle"]) == (True, "bob")
    (notice,) = told["notices"]
    assert (notice["until"], notice["may_appeal"], notice["appeal"]) == (None, True, None)
    appeal = f"/api/me/notices/{notice['id']}/appeal"
    assert (await narrow.post(appeal, json={"text": "It was my brother."})).status == 204
    assert (await narrow.post(appeal, json={"text": "Again."})).said == (409, "already_appealed")
    (waiting,) = (await root.get("/api/admin/appeals")).json["appeals"]
    assert (waiting["person"]["handle"], waiting["yours"]) == ("bob", False)
    assert waiting["measure"]["appeal"]["text"] == "It was my brother."
    lifted = {"decision": "lifted", "reason": "well then"}
    assert (await root.post(f"/api/admin/appeals/{notice['id']}/decide", json=lifted)).status == 204
    assert (await narrow.get("/api/me/notices")).said == (401, "not_signed_in")
    account = await web.store.accounts.by_handle("bob")
    assert account is not None
    again = Person(web, token=(await web.services.sessions.begin(account)).token)
    told = (await again.get("/api/me/notices")).json
    assert told["suspended"] is False
    assert told["notices"][0]["appeal"]["decision"] == "lifted"
    assert told["notices"][0]["appeal"]["reason"] == "well then"


async def test_words(web: WebProcess) -> None:
    root = await administrator(web)
    (ada,) = await web.members("ada")
    assert (await root.post("/api/admin/words", json={"word": "idiot"})).status == 204
    assert (await root.post("/api/admin/words", json={"word": "..."})).said == (422, "invalid")
    refused = await ada.post("/api/rooms", json={"title": "All 1d10ts? An i-d-i-o-t."})
    assert refused.said == (422, "word_blocked")
    assert refused.json["errors"] == [{"field": "title", "message": "“idiot” is not allowed here."}]
    assert (await ada.patch("/api/me", json={"name": "Idiot"})).said == (422, "word_blocked")
    assert [one["word"] for one in (await root.get("/api/admin/words")).json["words"]] == ["idiot"]
    assert (await root.delete("/api/admin/words?word=Idiot")).status == 204
    assert (await root.delete("/api/admin/words?word=Idiot")).said == (404, "not_found")


async def test_kept_out_of_all_rooms(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    await ada.connects(room, "whip")
    assert (await ada.put("/api/me/removed/bob")).status == 204
    assert web.media.settled()
    assert (await bob.get(f"/api/rooms/{room}")).said == (403, "removed")
    assert (await bob.get(f"/api/rooms/{await ada.opens()}")).said == (403, "removed")
    assert [one["handle"] for one in (await ada.get("/api/me/removed")).json["people"]] == ["bob"]
    assert (await bob.get("/api/me/removed")).json["people"] == []
    assert (await ada.delete("/api/me/removed/bob")).status == 204
    assert (await bob.get(f"/api/rooms/{room}")).status == 200


async def test_so_many_reports_an_hour_seal_what_was_heard_and_the_others_are_filed(
    store: Store, tmp_path: Path
) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        web.services.reports.evidence = evidence = FakeEvidence()
        ada, lia, *others = await web.members("ada", "lia", *(f"m{n}" for n in range(6)))
        room = await ada.opens()

        async def reports(who: Person, times: int) -> int:
            """How many of them sealed."""
            before, body = len(evidence.sealed), {"about": {"room": room}, **SPAM}
            said = [(await who.post("/api/reports", json=body)).status for _ in range(times)]
            assert said == [201] * times
            return len(evidence.sealed) - before

        assert await reports(lia, SEALS + 2) == SEALS
        assert [await reports(one, SEALS) for one in others] == [SEALS] * 5 + [0], (
            "the address has had enough"
        )


async def test_reports_and_appeals_are_limited(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        lia, _ = await web.members("lia", "bob")
        body = {"about": {"handle": "bob"}, **SPAM}
        said = [(await lia.post("/api/reports", json=body)).status for _ in range(31)]
        assert said == [201] * 30 + [429]
        tries = [
            (await lia.post("/api/me/notices/none/appeal", json={"text": "x"})).status for _ in range(11)
        ]
        assert tries == [404] * 10 + [429]
