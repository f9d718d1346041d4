"""Passkeys: an account without a password, signing in, further ones; and everything that only looks like one."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from parola.api.caller import COOKIE
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE
from parola.services.passkeys import Passkeys
from parola.store import Store
from tests.authenticator import Authenticator
from tests.web_process import Answer, Person, WebProcess

pytestmark = pytest.mark.any_database


async def begin(person: Person, purpose: str, **body: Any) -> tuple[str, Any]:
    answer = await person.post(f"/api/ceremonies/{purpose}", **({"json": body} if body else {}))
    assert answer.status == 201, answer.content
    return answer.json["ticket"], answer.json["options"]


async def sign_up(web: WebProcess, handle: str, authenticator: Authenticator) -> Person:
    ticket, options = await begin(web.guest, "sign_up", handle=handle, name=handle.title())
    body = {"ticket": ticket, "credential": authenticator.make(options)}
    answer = await web.guest.post("/api/accounts/by_passkey", json=body)
    assert answer.status == 201, answer.content
    return Person(web, handle, handle.title(), answer.json["account"]["id"], answer.json["token"])


async def sign_in(web: WebProcess, authenticator: Authenticator) -> Answer:
    ticket, options = await begin(web.guest, "sign_in")
    body = {"ticket": ticket, "credential": authenticator.sign(options)}
    return await web.guest.post("/api/sessions/by_passkey", json=body)


async def add(person: Person, authenticator: Authenticator, name: str = "My key") -> Answer:
    ticket, options = await begin(person, "add")
    body = {"ticket": ticket, "credential": authenticator.make(options), "name": name}
    return await person.post("/api/me/passkeys", json=body)


async def test_an_account_without_a_password(web: WebProcess) -> None:
    phone = Authenticator()
    ada = await sign_up(web, "ada", phone)
    assert (await ada.get("/api/me")).json["handle"] == "ada"
    held = (await ada.get("/api/me/sign_in")).json
    assert (held["password"], len(held["passkeys"]), held["email"]) == (False, 1, None)
    answer = await sign_in(web, phone)
    assert answer.status == 201
    assert answer.json["account"] == {"id": ada.id, "handle": "ada", "name": "Ada", "picture": None}
    assert f"{COOKIE}={answer.json['token']}" in answer.headers["set-cookie"]
    wrong = await web.guest.post("/api/sessions", json={"handle": "ada", "password": "no password"})
    assert wrong.said == (401, "wrong_credentials")


async def test_the_first_passkey_is_called_after_where_it_was_made(web: WebProcess) -> None:
    ticket, options = await begin(web.guest, "sign_up", handle="ada", name="Ada")
    body = {"ticket": ticket, "credential": Authenticator().make(options)}
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
    answer = await web.guest.post("/api/accounts/by_passkey", json=body, headers=agent)
    ada = Person(web, "ada", token=answer.json["token"])
    (passkey,) = (await ada.get("/api/me/sign_in")).json["passkeys"]
    assert passkey["name"] == "Firefox, Linux"


async def test_what_is_asked_of_an_authenticator(web: WebProcess) -> None:
    _, options = await begin(web.guest, "sign_up", handle="ada", name="Ada")
    assert options["rp"] == {"id": "localhost", "name": "Parola"}
    assert options["user"]["name"] == "ada"
    selection = options["authenticatorSelection"]
    assert (selection["residentKey"], selection["userVerification"]) == ("required", "required")
    ada = await sign_up(web, "ada", phone := Authenticator())
    _, options = await begin(ada, "add")
    assert [one["id"] for one in options["excludeCredentials"]] == [phone.make(options)["id"]]
    _, options = await begin(web.guest, "sign_in")
    assert options["allowCredentials"] == []
    _, options = await begin(ada, "prove")
    assert [one["transports"] for one in options["allowCredentials"]] == [["hybrid", "internal"]]


async def test_who_could_not_sign_up_makes_no_passkey(web: WebProcess) -> None:
    await web.member("ada")

    async def asked(handle: str, name: str = "A") -> tuple[int, str]:
        body = {"handle": handle, "name": name}
        return (await web.guest.post("/api/ceremonies/sign_up", json=body)).said

    assert await asked("ada") == (409, "handle_taken")
    assert await asked("ada_") == (409, "handle_taken")
    assert await asked("admin") == (422, "invalid")
    assert await asked("bob", "") == (422, "invalid")


async def test_of_two_who_want_one_handle_one_has_it(web: WebProcess) -> None:
    first, second = Authenticator(), Authenticator()
    tickets = [await begin(web.guest, "sign_up", handle="ada", name="Ada") for _ in range(2)]
    said = []
    for (ticket, options), key in zip(tickets, (first, second), strict=True):
        body = {"ticket": ticket, "credential": key.make(options)}
        said.append((await web.guest.post("/api/accounts/by_passkey", json=body)).status)
    assert said == [201, 409]
    assert (await sign_in(web, second)).said == (401, "unknown_passkey")


async def test_a_wrong_origin_is_refused_and_changes_nothing(web: WebProcess) -> None:
    phisher = Authenticator(origin="https://par0la.example")
    ticket, options = await begin(web.guest, "sign_up", handle="ada", name="Ada")
    body = {"ticket": ticket, "credential": phisher.make(options)}
    assert (await web.guest.post("/api/accounts/by_passkey", json=body)).said == (403, "passkey_refused")
    assert (await web.guest.get("/api/accounts/ada")).status == 404
    key = Authenticator()
    await sign_up(web, "ada", key)
    key.origin = "http://localhost:8081"
    assert (await sign_in(web, key)).said == (403, "passkey_refused")
    key.origin, key.rp_id = "http://localhost:8080", "par0la.example"
    assert (await sign_in(web, key)).said == (403, "passkey_refused")


async def test_who_was_not_verified_is_refused(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    key.verifies = False
    assert (await sign_in(web, key)).said == (403, "passkey_refused")
    ticket, options = await begin(web.guest, "sign_up", handle="bob", name="Bob")
    body = {"ticket": ticket, "credential": Authenticator(verifies=False).make(options)}
    assert (await web.guest.post("/api/accounts/by_passkey", json=body)).said == (403, "passkey_refused")


async def test_a_challenge_is_good_once(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    ticket, options = await begin(web.guest, "sign_in")
    body = {"ticket": ticket, "credential": key.sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).status == 201
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).said == (409, "ceremony_over")
    # An attempt that fails uses it up as well.
    ticket, options = await begin(web.guest, "sign_in")
    wrong = {"ticket": ticket, "credential": Authenticator().sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=wrong)).said == (401, "unknown_passkey")
    right = {"ticket": ticket, "credential": key.sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=right)).said == (409, "ceremony_over")


async def test_a_challenge_of_another_is_refused(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    (one, _), (_, options) = await begin(web.guest, "sign_in"), await begin(web.guest, "sign_in")
    swapped = {"ticket": one, "credential": key.sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=swapped)).said == (403, "passkey_refused")


async def test_a_challenge_is_for_what_it_was_made(web: WebProcess) -> None:
    key, other = Authenticator(), Authenticator()
    ada, bob = await sign_up(web, "ada", key), await sign_up(web, "bob", other)
    ticket, options = await begin(ada, "prove")
    body = {"ticket": ticket, "credential": key.sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).said == (409, "ceremony_over")
    assert (await bob.post("/api/me/proof", json=body)).said == (409, "ceremony_over")
    assert (
        await ada.post("/api/me/proof", json=body)
    ).status == 204  # what is not theirs they did not use up
    ticket, options = await begin(ada, "add")
    new = {"ticket": ticket, "credential": Authenticator().make(options), "name": "Mine"}
    assert (await bob.post("/api/me/passkeys", json=new)).said == (409, "ceremony_over")
    assert (await web.guest.post("/api/accounts/by_passkey", json={**new, "invite": None})).status == 422
    del new["name"]
    assert (await web.guest.post("/api/accounts/by_passkey", json=new)).said == (409, "ceremony_over")


async def test_a_challenge_lives_for_five_minutes(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    ticket, options = await begin(web.guest, "sign_in")
    late = _late(web, 301)
    body = {"ticket": ticket, "credential": key.sign(options)}
    web.services.passkeys._now = late
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).said == (409, "ceremony_over")


async def test_a_passkey_of_somebody_else_proves_nothing(web: WebProcess) -> None:
    key, other = Authenticator(), Authenticator()
    ada = await sign_up(web, "ada", key)
    await sign_up(web, "bob", other)
    ticket, options = await begin(ada, "prove")
    body = {"ticket": ticket, "credential": other.sign(options)}
    assert (await ada.post("/api/me/proof", json=body)).said == (403, "passkey_refused")
    # Nor does one that claims to be for another account.
    ticket, options = await begin(web.guest, "sign_in")
    key.user = other.user
    body = {"ticket": ticket, "credential": key.sign(options)}
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).said == (403, "passkey_refused")


async def test_a_credential_that_is_known_is_not_taken_again(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    bob = await web.member("bob")
    assert (await add(bob, key)).said == (409, "passkey_known")
    ticket, options = await begin(web.guest, "sign_up", handle="carla", name="Carla")
    body = {"ticket": ticket, "credential": key.make(options)}
    assert (await web.guest.post("/api/accounts/by_passkey", json=body)).said == (403, "passkey_refused")
    assert (await web.guest.get("/api/accounts/carla")).status == 404


async def test_a_counter_that_goes_back_is_a_copy(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    key.count = 7
    assert (await sign_in(web, key)).status == 201
    key.count = 3
    assert (await sign_in(web, key)).said == (403, "passkey_refused")
    key.count = 8
    assert (await sign_in(web, key)).status == 201


async def test_a_forged_signature_is_refused(web: WebProcess) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    forger = Authenticator(id=key.id, user=key.user, rp_id=key.rp_id)
    assert (await sign_in(web, forger)).said == (403, "passkey_refused")


@pytest.mark.parametrize(
    "junk",
    [
        {},
        {"id": 7},
        {"id": None, "response": None},
        {"id": "x" * 5000},
        {"id": "\0", "response": {}},
    ],
)
async def test_what_is_no_credential_is_refused(web: WebProcess, junk: dict[str, Any]) -> None:
    ticket, _ = await begin(web.guest, "sign_in")
    body = {"ticket": ticket, "credential": junk}
    assert (await web.guest.post("/api/sessions/by_passkey", json=body)).said == (401, "unknown_passkey")
    ticket, _ = await begin(web.guest, "sign_up", handle="ada", name="Ada")
    body = {"ticket": ticket, "credential": junk}
    assert (await web.guest.post("/api/accounts/by_passkey", json=body)).said == (403, "passkey_refused")


async def test_half_a_character_is_no_credential(web: WebProcess) -> None:
    ticket, _ = await begin(web.guest, "sign_in")
    text = json.dumps({"ticket": ticket, "credential": {"id": "\ud800"}})
    headers = {"Content-Type": "application/json"}
    answer = await web.guest.post("/api/sessions/by_passkey", content=text, headers=headers)
    assert answer.said == (401, "unknown_passkey")


@pytest.mark.parametrize("field", ["clientDataJSON", "authenticatorData", "signature", "userHandle"])
@pytest.mark.parametrize("value", ["", "AAAA", "%%%", 7, None, [], "A" * 20_000])
async def test_a_credential_with_junk_in_it_is_refused(web: WebProcess, field: str, value: object) -> None:
    key = Authenticator()
    await sign_up(web, "ada", key)
    ticket, options = await begin(web.guest, "sign_in")
    credential = key.sign(options)
    credential["response"][field] = value
    answer = await web.guest.post(
        "/api/sessions/by_passkey", json={"ticket": ticket, "credential": credential}
    )
    if (field, value) == ("userHandle", None):
        assert answer.status == 201  # not every authenticator says it
    else:
        assert answer.said == (403, "passkey_refused")


async def test_further_passkeys_names_and_the_last_way(web: WebProcess) -> None:
    phone, key = Authenticator(), Authenticator()
    ada = await sign_up(web, "ada", phone)
    added = await add(ada, key, "  The blue   key ")
    assert (added.status, added.json["name"]) == (201, "The blue key")
    assert (await sign_in(web, key)).status == 201
    id = added.json["id"]
    assert (await ada.patch(f"/api/me/passkeys/{id}", json={"name": "Blue"})).status == 204
    held = (await ada.get("/api/me/sign_in")).json["passkeys"]
    assert held[1]["name"] == "Blue"
    assert held[1]["used_at"].endswith(":00:00.000Z")
    bob = await web.member("bob")
    assert (await bob.patch(f"/api/me/passkeys/{id}", json={"name": "Mine"})).said == (404, "not_found")
    assert (await bob.delete(f"/api/me/passkeys/{id}")).said == (404, "not_found")
    assert (await ada.delete(f"/api/me/passkeys/{id}")).status == 204
    assert (await sign_in(web, key)).said == (401, "unknown_passkey")
    last = held[0]["id"]
    assert (await ada.delete(f"/api/me/passkeys/{last}")).said == (409, "last_way")
    assert (await sign_in(web, phone)).status == 201
    assert (await ada.put("/api/me/password", json={"password": "correct horse"})).status == 204
    assert (await ada.delete(f"/api/me/passkeys/{last}")).status == 204
    assert (await ada.delete("/api/me/password")).said == (409, "last_way")


async def test_what_is_sensitive_wants_a_recent_sign_in(web: WebProcess, store: Store) -> None:
    phone = Authenticator()
    ada = await sign_up(web, "ada", phone)
    for one in (web.services.passkeys, web.services.keyring, web.services.mailing):
        one._now = _late(web, 601)  # type: ignore[assignment]
    refused = (403, "sign_in_again")
    held = (await ada.get("/api/me/sign_in")).json
    assert held["recent_until"] is None
    assert (await ada.post("/api/ceremonies/add")).said == refused
    assert (await ada.delete(f"/api/me/passkeys/{held['passkeys'][0]['id']}")).said == refused
    assert (await ada.put("/api/me/password", json={"password": "correct horse"})).said == refused
    assert (await ada.delete("/api/me/password")).said == refused
    assert (await ada.put("/api/me/email", json={"email": "ada@rooms.example"})).said == refused
    assert (await ada.delete("/api/me/email")).said == refused
    assert (await ada.post("/api/me/recovery_codes")).said == refused
    ticket, options = await begin(ada, "prove")
    body = {"ticket": ticket, "credential": phone.sign(options)}
    assert (await ada.post("/api/me/proof", json=body)).status == 204
    assert (await ada.put("/api/me/password", json={"password": "correct horse"})).status == 204


async def test_somebody_suspended_signs_in_for_notices_alone(web: WebProcess, store: Store) -> None:
    phone = Authenticator()
    await sign_up(web, "ada", phone)
    root = await web.member("root")
    await web.services.administering.set_role(AT_THE_MACHINE, "root", "administrator", "because")
    body = {"reason": "shouts"}
    assert (await root.post("/api/admin/people/ada/suspend", json=body)).status == 200
    narrow = await sign_in(web, phone)
    assert (narrow.status, narrow.json["suspended"]) == (201, True)
    ada = Person(web, "ada", token=narrow.json["token"])
    assert (await ada.get("/api/me")).said == (403, "suspended")
    assert (await ada.get("/api/me/notices")).status == 200


async def test_an_invitation_is_wanted_and_used_once(store: Store, tmp_path: Any) -> None:
    async with WebProcess.go(store, tmp_path, registration="invite") as web:
        body = {"handle": "ada", "name": "Ada"}
        refused = (403, "invite_required")
        assert (await web.guest.post("/api/ceremonies/sign_up", json=body)).said == refused
        root = await web.member("root")
        code = (await root.post("/api/me/invitations")).json["url"].rpartition("/")[2]
        said = []
        for handle in ("ada", "bob"):
            ticket, options = await begin(web.guest, "sign_up", handle=handle, name=handle, invite=code)
            made = {"ticket": ticket, "credential": Authenticator().make(options), "invite": code}
            said.append((ticket, made))
        assert (await web.guest.post("/api/accounts/by_passkey", json=said[0][1])).status == 201
        assert (await web.guest.post("/api/accounts/by_passkey", json=said[1][1])).said == refused
        profile = (await root.get("/api/accounts/ada")).json
        assert profile["invited_by"]["handle"] == "root"
        assert (await root.get("/api/accounts/bob")).status == 404


def test_the_relying_party_is_the_public_address(store: Store) -> None:
    keys = Passkeys(store, None, clock.now, "https://rooms.example:8443")  # type: ignore[arg-type]
    assert (keys._rp_id, keys._origin) == ("rooms.example", "https://rooms.example:8443")


def _late(web: WebProcess, seconds: int) -> clock.Clock:
    return lambda: clock.now() + timedelta(seconds=seconds)
