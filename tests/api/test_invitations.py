"""Invitations and the waitlist over HTTP: links, whose they are, and limits."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from parola.store import Store
from tests.api.test_administration import administrator
from tests.web_process import BASE, WebProcess

ADA = {"handle": "ada", "name": "Ada", "password": "correct horse"}


@pytest.fixture
async def closed(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    """Where one signs up by invitation."""
    async with WebProcess.go(store, tmp_path, registration="invite", invitations=1) as web:
        yield web


async def test_a_link_goes_from_one_to_the_next(closed: WebProcess) -> None:
    root = await closed.member("root")
    made = (await root.post("/api/me/invitations")).json
    assert (made["state"], made["used_by"]) == ("open", None)
    assert made["url"].startswith(f"{BASE}/i/")
    code = made["url"].rpartition("/")[2]
    assert (await root.post("/api/me/invitations")).said == (409, "none_left")
    assert (await closed.guest.get(f"/api/invitations/{code}")).json == {
        "by": {"handle": "root", "name": "Root", "picture": None}
    }
    assert (await closed.guest.post("/api/accounts", json={**ADA, "invite": code})).status == 201
    assert (await closed.guest.get(f"/api/invitations/{code}")).said == (404, "not_found")
    mine = (await root.get("/api/me/invitations")).json
    assert (mine["registration"], mine["left"], mine["earned"]) == ("invite", 0, 0)
    (used,) = mine["invitations"]
    assert (used["state"], used["url"], used["used_by"]) == (
        "used",
        None,
        {"handle": "ada", "name": "Ada", "picture": None},
    )
    profile = (await closed.guest.get("/api/accounts/ada")).json
    assert profile["invited_by"] == {"handle": "root", "name": "Root", "picture": None}
    assert (await root.delete(f"/api/me/invitations/{used['id']}")).said == (404, "not_found")


async def test_a_link_is_taken_back(closed: WebProcess) -> None:
    root, other = await closed.members("root", "other")
    made = (await root.post("/api/me/invitations")).json
    assert (await other.delete(f"/api/me/invitations/{made['id']}")).said == (404, "not_found")
    assert (await root.delete(f"/api/me/invitations/{made['id']}")).status == 204
    assert (await root.get("/api/me/invitations")).json["invitations"] == []
    assert (await root.post("/api/me/invitations")).status == 201


async def test_an_administrator_revokes_whosever_invitation_it_is(closed: WebProcess) -> None:
    root, bob = await administrator(closed), await closed.member("bob")
    made = (await bob.post("/api/me/invitations")).json
    code = await closed.services.invitations.of_the_server()
    first = (await root.get("/api/admin/invitations/open?limit=1")).json
    rest = (await root.get(f"/api/admin/invitations/open?cursor={first['next']}")).json
    seen = [*first["invitations"], *rest["invitations"]]
    assert (len(first["invitations"]), rest["next"]) == (1, None)
    assert {one["id"]: one["by"] and one["by"]["handle"] for one in seen if one["by"]} == {made["id"]: "bob"}
    assert len(seen) == 2
    assert made["expires_at"] in [one["expires_at"] for one in seen]
    assert code not in str(seen)
    assert made["url"].rpartition("/")[2] not in str(seen)
    assert (await root.get("/api/admin/invitations/open?cursor=x")).status == 422

    revoking = f"/api/admin/invitations/{made['id']}/revoke"
    assert (await root.post(revoking, json={"reason": " "})).status == 422
    assert (await root.post(revoking, json={"reason": "it was sold"})).status == 204
    assert (await root.post(revoking, json={"reason": "again"})).said == (404, "not_found")
    assert (await bob.get("/api/me/invitations")).json["left"] == 1
    by_code = await root.post(f"/api/admin/invitations/{code}/revoke", json={"reason": "on a forum"})
    assert by_code.status == 204
    assert (await root.get("/api/admin/invitations/open")).json == {"invitations": [], "next": None}
    refused = await closed.guest.post("/api/accounts", json={**ADA, "invite": code})
    assert refused.said == (403, "invite_required")
    entries = (await root.get("/api/admin/audit")).json["entries"][:2]
    assert [(one["action"], one["kind"], one["reason"], one["actor"]) for one in entries] == [
        ("revoke", "invitation", "on a forum", "root"),
        ("revoke", "invitation", "it was sold", "root"),
    ]
    assert entries[1]["object"] == made["id"]
    assert (await root.get("/api/admin/audit/verify")).json["broken_at"] is None


async def test_from_the_waitlist_in(closed: WebProcess) -> None:
    root = await administrator(closed)
    wish = {"email": "ada@rooms.example", "handle": "ada"}
    place = await closed.guest.post("/api/waitlist", json=wish, headers={"Accept-Language": "it"})
    assert (place.status, place.json["position"], place.json["state"]) == (201, 1, "waiting")
    line = (await root.get("/api/admin/waitlist")).json
    assert (line["count"], line["next"]) == (1, None)
    assert [(one["email"], one["handle"]) for one in line["waiting"]] == [("ada@rooms.example", "ada")]
    assert (await root.post("/api/admin/waitlist/approve", json={"first": 5})).json == {"invited": 1}
    after = await closed.guest.get(f"/api/waitlist/{place.json['token']}")
    assert after.json == {"state": "invited", "position": None}
    assert (await closed.guest.get("/api/waitlist/guessed")).said == (404, "not_found")
    other = (await closed.guest.post("/api/waitlist", json={"email": "eva@rooms.example"})).json["token"]
    assert (await closed.guest.delete(f"/api/waitlist/{other}")).status == 204
    for call in (closed.guest.get, closed.guest.delete):
        assert (await call(f"/api/waitlist/{other}")).said == (404, "not_found")
    assert (await root.get("/api/admin/waitlist")).json["count"] == 0
    for body in (
        {},
        {"first": 1, "places": [1]},
        {"first": 0},
        {"places": []},
        {"places": [1 << 40]},
        {"before": "x"},
    ):
        assert (await root.post("/api/admin/waitlist/approve", json=body)).status == 422


async def test_an_administrator_sets_what_members_may_give_away(closed: WebProcess) -> None:
    root = await administrator(closed)
    seen = (await root.get("/api/admin/invitations/policy")).json
    assert (seen["registration"], seen["version"]) == ("invite", 0)
    body = {"expected": 0, "policy": {"each": 9, "days": 2}, "reason": "more of us"}
    assert (await root.put("/api/admin/invitations/policy", json=body)).json["version"] == 1
    mine = (await root.get("/api/me/invitations")).json
    assert (mine["left"], mine["earns"]) == (9, {"more": 1, "days": 2})
    assert (await root.put("/api/admin/invitations/policy", json=body)).said == (409, "changed_meanwhile")
    table = "email,language\nada@rooms.example,it\n"
    assert (await root.post("/api/admin/waitlist/founders", json={"table": table})).json == {"invited": 1}
    wrong = await root.post("/api/admin/waitlist/founders", json={"table": table + "nonsense\n"})
    assert [one["field"] for one in wrong.json["errors"]] == ["line 3"]


async def test_the_tree(closed: WebProcess) -> None:
    root = await administrator(closed)
    code = (await root.post("/api/me/invitations")).json["url"].rpartition("/")[2]
    await closed.guest.post("/api/accounts", json={**ADA, "invite": code})
    (first,) = (await root.get("/api/admin/invitations")).json["people"]
    assert (first["handle"], first["invited"]) == ("root", 1)
    (below,) = (await root.get("/api/admin/invitations?by=root")).json["people"]
    assert (below["handle"], below["invited"], below["suspended"]) == ("ada", 0, False)


async def test_who_floods_the_waitlist_or_guesses_waits(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, registration="invite", limits="default") as web:
        for n in range(10):
            wish = {"email": f"ada{n}@rooms.example"}
            assert (await web.guest.post("/api/waitlist", json=wish)).status == 201
        full = await web.guest.post("/api/waitlist", json={"email": "bob@rooms.example"})
        assert full.said == (429, "too_many")
        for _ in range(30):
            assert (await web.guest.get("/api/invitations/guessed")).status == 404
        assert (await web.guest.get("/api/invitations/guessed")).said == (429, "too_many")
        ada = await web.member("ada")
        assert (await ada.post("/api/admin/claim", json={"token": "guessed"})).said == (429, "too_many")
