"""Accounts, sessions, oneself and following, as the protocol promises them."""

from __future__ import annotations

from pathlib import Path

import pytest

from parola.domain.inviting import InvitingPolicy
from parola.services import clock
from parola.services.invitations import Invitations
from parola.services.inviting import Inviting
from parola.store import Store
from tests.web_process import Person, WebProcess

ADA = {"handle": "ada", "name": "Ada Lovelace", "password": "correct horse"}


async def test_signing_up_in_and_out(web: WebProcess) -> None:
    up = await web.call("POST", "/api/accounts", json=ADA)
    assert up.status == 201
    account = up.json["account"]
    assert account.keys() == {"id", "handle", "name", "picture"}
    assert (account["handle"], account["name"]) == ("ada", "Ada Lovelace")
    credentials = {"handle": "ada", "password": "correct horse"}
    signed_in = await web.call("POST", "/api/sessions", json=credentials)
    assert signed_in.status == 201
    assert signed_in.json["account"] == account
    assert signed_in.json["token"] != up.json["token"]
    ada = Person(web, token=signed_in.json["token"])
    me = {**account, "bio": "", "listen_unseen": False, "private": False, "language": None, "role": "member"}
    assert (await ada.get("/api/me")).json == me
    assert (await ada.delete("/api/sessions/current")).status == 204
    assert (await ada.get("/api/me")).said == (401, "not_signed_in")
    other = Person(web, token=up.json["token"])
    assert (await other.get("/api/me")).status == 200, "only one session has ended"


async def test_a_handle_belongs_to_one(web: WebProcess) -> None:
    assert (await web.call("POST", "/api/accounts", json=ADA)).status == 201
    assert (await web.call("POST", "/api/accounts", json=ADA)).said == (409, "handle_taken")
    paolo = {**ADA, "handle": "paolo_m"}
    assert (await web.call("POST", "/api/accounts", json=paolo)).status == 201
    for alike in ("pao1o_m", "paol0_m", "paolo_rn", "paolo__m", "_paolo_m"):
        answer = await web.call("POST", "/api/accounts", json={**ADA, "handle": alike})
        assert answer.said == (409, "handle_taken"), alike
    assert (await web.call("POST", "/api/accounts", json={**ADA, "handle": "par0la"})).said == (
        422,
        "invalid",
    )


@pytest.mark.parametrize("handle", ["ada", "nobody_at_all", "Not A Handle", "me"])
async def test_wrong_credentials_sound_the_same(web: WebProcess, handle: str) -> None:
    await web.call("POST", "/api/accounts", json=ADA)
    answer = await web.call("POST", "/api/sessions", json={"handle": handle, "password": "wrong horse"})
    assert answer.said == (401, "wrong_credentials")
    assert answer.json["detail"] == "Handle and password do not belong together."


@pytest.mark.parametrize("handle", ["me", "current", "accept", "decline", "admin", "api", "parola"])
async def test_reserved_handles(web: WebProcess, handle: str) -> None:
    assert (await web.call("POST", "/api/accounts", json={**ADA, "handle": handle})).said == (422, "invalid")
    assert (await web.guest.get(f"/api/accounts/{handle}")).said == (404, "not_found")


async def test_changing_oneself(web: WebProcess) -> None:
    ada = await web.member("ada")
    answer = await ada.patch("/api/me", json={"name": "Countess", "bio": "Engines.\nNumbers."})
    assert answer.status == 200
    assert (answer.json["name"], answer.json["bio"]) == ("Countess", "Engines.\nNumbers.")
    assert (await ada.patch("/api/me", json={"bio": ""})).json["bio"] == ""
    assert (await ada.patch("/api/me", json={})).json["name"] == "Countess"
    assert (await ada.get("/api/me")).json["name"] == "Countess"
    assert (await web.guest.patch("/api/me", json={"name": "X"})).said == (401, "not_signed_in")
    assert (await web.guest.get("/api/me")).said == (401, "not_signed_in")


async def test_following(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    for _ in range(2):
        assert (await ada.put("/api/accounts/bob/follow")).status == 204
    profile = (await web.guest.get("/api/accounts/bob")).json
    assert profile == {
        "id": bob.id,
        "handle": "bob",
        "name": "Bob",
        "picture": None,
        "bio": "",
        "followers": 1,
        "following": 0,
        "live_room": None,
        "private": False,
        "followed": False,
        "requested": False,
        "follows_you": False,
        "blocked": False,
        "hushed": False,
        "bell": False,
        "invited_by": None,
    }
    assert (await ada.get("/api/accounts/bob")).json["followed"]
    assert (await web.guest.get("/api/accounts/ada")).json["following"] == 1
    for _ in range(2):
        assert (await ada.delete("/api/accounts/bob/follow")).status == 204
    assert (await web.guest.get("/api/accounts/bob")).json["followers"] == 0
    assert (await ada.put("/api/accounts/ada/follow")).said == (422, "invalid")
    assert (await ada.put("/api/accounts/nobody/follow")).said == (404, "not_found")
    assert (await web.guest.put("/api/accounts/bob/follow")).said == (401, "not_signed_in")


async def test_a_profile_shows_the_live_room_to_those_who_may_enter(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens(access="followers")
    assert (await bob.get("/api/accounts/ada")).json["live_room"] is None
    await bob.put("/api/accounts/ada/follow")
    assert (await bob.get("/api/accounts/ada")).json["live_room"] == room
    assert (await web.guest.get("/api/accounts/ada")).json["live_room"] is None
    await ada.put(f"/api/rooms/{room}/removed/bob")
    assert (await bob.get("/api/accounts/ada")).json["live_room"] is None


async def test_people_are_found_by_handle_and_name(web: WebProcess) -> None:
    bob, *_ = await web.members("bob", "zoe_bobbin", "carla")
    await bob.patch("/api/me", json={"name": "Röbert Ångström"})

    async def found(q: str, **more: object) -> list[str]:
        answer = await web.guest.get("/api/accounts", params={"q": q, **more})
        return [one["handle"] for one in answer.json["people"]]

    assert await found("bob") == ["bob", "zoe_bobbin"], "those first whose handle begins with it"
    assert await found("robert angs") == ["bob"]
    assert await found("RÖBERT") == ["bob"]
    assert await found("ngstr") == ["bob"]
    assert await found("o", limit=1) == ["bob"]
    assert await found("%") == await found("  ") == []
    assert (await web.guest.get("/api/accounts", params={"q": "a" * 101})).said == (422, "invalid")
    assert (await web.guest.get("/api/accounts")).said == (422, "invalid")
    await bob.patch("/api/me", json={"name": "Bob"})
    assert await found("robert") == []


class TestInvites:
    async def _code(self, store: Store) -> str:
        inviting = Inviting(store, clock.now, InvitingPolicy())
        return await Invitations(store, clock.now, "invite", inviting).of_the_server()

    async def test_one_account_for_one_code(self, store: Store, tmp_path: Path) -> None:
        async with WebProcess.go(store, tmp_path, registration="invite") as web:
            code = await self._code(store)
            assert (await web.call("POST", "/api/accounts", json=ADA)).said == (403, "invite_required")
            wrong = {**ADA, "invite": "guessed"}
            assert (await web.call("POST", "/api/accounts", json=wrong)).said == (403, "invite_required")
            right = {**ADA, "invite": code}
            assert (await web.call("POST", "/api/accounts", json=right)).status == 201
            again = {**right, "handle": "bob"}
            assert (await web.call("POST", "/api/accounts", json=again)).said == (403, "invite_required")

    async def test_a_taken_handle_costs_no_code(self, store: Store, tmp_path: Path) -> None:
        async with WebProcess.go(store, tmp_path, registration="invite") as web:
            await web.member("ada")
            code = await self._code(store)
            taken = {**ADA, "invite": code}
            assert (await web.call("POST", "/api/accounts", json=taken)).said == (409, "handle_taken")
            free = {**ADA, "handle": "bob", "invite": code}
            assert (await web.call("POST", "/api/accounts", json=free)).status == 201

    async def test_closed(self, store: Store, tmp_path: Path) -> None:
        async with WebProcess.go(store, tmp_path, registration="closed") as web:
            refused = await web.call("POST", "/api/accounts", json={**ADA, "invite": "x"})
            assert refused.said == (403, "registration_closed")
