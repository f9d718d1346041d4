"""Signing in by an account elsewhere, with a real server on the other side: what leads in, and what does not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from joserfc.jwk import OctKey, RSAKey

from parola.api.elsewhere import COOKIE
from parola.outbound import Refused
from parola.services import clock
from parola.store import Store
from tests.api.strangers import CLIENT, SECRET, Issuer, Mastodon
from tests.web_process import Answer, Person, WebProcess

pytestmark = pytest.mark.any_database

MASTODON_PERSON = {"id": "109", "username": "grace", "display_name": "Grace \u202eHopper"}


@dataclass
class Place:
    web: WebProcess
    issuer: Issuer
    mastodon: Mastodon


@dataclass
class Browser:
    """Keeps its cookies; `token` is a session's."""

    web: WebProcess
    cookies: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in self.cookies.items())}
        answer = await self.web.call(method, path, headers=headers, **more)
        for line in answer.headers.get_list("set-cookie"):
            key, _, value = line.partition(";")[0].partition("=")
            self.cookies[key] = value
        return answer

    async def leaves(self, provider: str, server: str = "", link: bool = False) -> str:
        answer = await self.call("POST", f"/api/elsewhere/{provider}", json={"server": server, "link": link})
        assert answer.status == 200, answer.content
        return str(answer.json["url"])

    async def comes_back(self, place: str, **said: str) -> str:
        """Where it is sent on to, without the origin."""
        answer = await self.call("GET", f"/api/elsewhere/back/{place}", params=said)
        assert answer.status == 303
        return str(answer.headers["location"]).removeprefix("http://localhost:8080")

    async def signs_in(self, here: Place, provider: str = "oidc") -> str:
        if provider == "oidc":
            return await self.comes_back("oidc", **here.issuer.approve(await self.leaves("oidc")))
        server = here.mastodon.server
        return await self.comes_back(server, **here.mastodon.approve(await self.leaves("mastodon", server)))

    async def signs_up(self, here: Place, provider: str = "oidc", **more: str) -> Answer:
        token = (await self.signs_in(here, provider)).removeprefix("/welcome#")
        begins = (await self.call("GET", f"/api/elsewhere/arrivals/{token}")).json
        body = {"handle": begins["handle"], "name": begins["name"], **more}
        return await self.call("POST", f"/api/elsewhere/arrivals/{token}", json=body)

    async def me(self) -> str | None:
        answer = await self.call("GET", "/api/me")
        return str(answer.json["handle"]) if answer.status == 200 else None


@pytest.fixture
async def here(store: Store, tmp_path: Path) -> AsyncIterator[Place]:
    issuer, mastodon = Issuer(), Mastodon(person=MASTODON_PERSON)
    async with issuer.go(), mastodon.go():
        settings = {
            "oidc_issuer": issuer.origin,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_name": "The School",
            "outbound_trusted": (mastodon.origin,),
        }
        async with WebProcess.go(store, tmp_path, **settings) as web:
            yield Place(web, issuer, mastodon)
            await web.services.outbound.close()


async def test_the_page_learns_where_one_may_sign_in(here: Place) -> None:
    found = (await here.web.guest.get("/api/elsewhere")).json["providers"]
    assert found == [{"id": "oidc", "name": "The School"}, {"id": "mastodon", "name": "Mastodon"}]


async def test_the_issuer_is_asked_for_signing_in_alone(here: Place) -> None:
    url = f"{here.issuer.origin}/push"
    with pytest.raises(Refused):
        here.web.services.outbound.check(url)
    server = here.issuer.origin.removeprefix("http://")
    asked = await here.web.guest.post("/api/elsewhere/mastodon", json={"server": server})
    assert asked.said == (422, "invalid")
    assert (await here.web.guest.post("/api/elsewhere/oidc", json={})).status == 200


@pytest.mark.parametrize(
    ("provider", "handle", "name"),
    [("oidc", "ada_lovelace", "Ada Lovelace"), ("mastodon", "grace", "Grace Hopper")],
)
async def test_the_first_time_one_takes_a_handle_and_later_one_is_in(
    here: Place, provider: str, handle: str, name: str
) -> None:
    first = Browser(here.web)
    assert (await first.signs_up(here, provider)).status == 201
    assert await first.me() == handle
    later = Browser(here.web)
    assert await later.signs_in(here, provider) == "/"
    assert await later.me() == handle
    assert (await later.call("GET", "/api/me")).json["name"] == name
    refused = await here.web.guest.post("/api/sessions", json={"handle": handle, "password": ""})
    assert refused.said == (401, "wrong_credentials"), "there is no password"
    nobody = {"handle": handle, "password": "nobody has this password"}
    assert (await here.web.guest.post("/api/sessions", json=nobody)).said == (401, "wrong_credentials")


async def test_a_mastodon_server_knows_us_once_and_keeps_no_token(here: Place) -> None:
    for _ in range(3):
        await Browser(here.web).signs_in(here, "mastodon")
    assert [kind for kind, _ in here.mastodon.asked] == ["apps"]
    assert here.mastodon.asked[0][1]["scopes"] == "read:accounts"
    assert here.mastodon.tokens == set()
    here.mastodon.apps.clear()
    assert await Browser(here.web).signs_in(here, "mastodon") == "/welcome?problem=sign_in_refused"
    assert (await Browser(here.web).signs_in(here, "mastodon")).startswith("/welcome#"), "it is told anew"


async def test_rules_for_new_accounts_hold(here: Place) -> None:
    await here.web.member("paolo")
    browser = Browser(here.web)
    token = (await browser.signs_in(here)).removeprefix("/welcome#")
    path = f"/api/elsewhere/arrivals/{token}"
    for handle, said in (
        ("pao1o", (409, "handle_taken")),
        ("admin", (422, "invalid")),
        ("ü", (422, "invalid")),
    ):
        assert (await browser.call("POST", path, json={"handle": handle, "name": "Ada"})).said == said
    here.web.services.sessions.registration = "invite"
    body = {"handle": "ada", "name": "Ada"}
    assert (await browser.call("POST", path, json=body)).said == (403, "invite_required")
    code = await here.web.services.invitations.of_the_server()
    assert (await browser.call("POST", path, json={**body, "invite": code})).status == 201
    assert (await browser.call("POST", path, json={**body, "handle": "second"})).said == (404, "not_found")
    here.web.services.sessions.registration = "closed"
    other = Browser(here.web)
    here.issuer.claims = {"sub": "somebody else"}
    assert (await other.signs_up(here)).said == (403, "registration_closed")


async def test_of_two_who_arrive_with_one_identity_one_gets_an_account(here: Place) -> None:
    both = [Browser(here.web), Browser(here.web)]
    tokens = [(await one.signs_in(here)).removeprefix("/welcome#") for one in both]
    answers = await asyncio.gather(
        *(
            one.call("POST", f"/api/elsewhere/arrivals/{token}", json={"handle": f"ada{i}", "name": "Ada"})
            for i, (one, token) in enumerate(zip(both, tokens, strict=True))
        )
    )
    assert sorted(answer.status for answer in answers) == [201, 409]
    (refused,) = [answer for answer in answers if answer.status == 409]
    assert refused.code == "identity_taken"
    assert len(await here.web.store.accounts.search("ada", 10)) == 1, (
        "no account without a way in stays behind"
    )


async def test_a_state_counts_once_in_its_own_browser(here: Place) -> None:
    victim, attacker = Browser(here.web), Browser(here.web)
    said = here.issuer.approve(await attacker.leaves("oidc"))
    assert await Browser(here.web).comes_back("oidc", **said) == "/welcome?problem=not_found", (
        "no cookie at all"
    )
    url = await victim.leaves("oidc")
    assert await victim.comes_back("oidc", **said) == "/welcome?problem=sign_in_expired", "another browser's"
    mine = here.issuer.approve(url)
    swapped = {"code": said["code"], "state": mine["state"]}
    assert await victim.comes_back("oidc", **swapped) == "/welcome?problem=sign_in_refused", "another's code"
    assert await victim.comes_back("oidc", **mine) == "/welcome?problem=sign_in_expired", "the state was used"
    assert (await attacker.comes_back("oidc", **said)) == "/welcome?problem=sign_in_refused", (
        "as was the code"
    )
    assert await victim.comes_back("oidc", state="guessed", code="x") == "/welcome?problem=sign_in_expired"
    again = here.issuer.approve(await victim.leaves("oidc"))
    assert (await victim.comes_back("oidc", **again)).startswith("/welcome#")
    assert await victim.comes_back("oidc", **again) == "/welcome?problem=sign_in_expired", "replayed"


async def test_what_opens_an_arrival_is_the_browsers_own(here: Place) -> None:
    mine, other = Browser(here.web), Browser(here.web)
    token = (await mine.signs_in(here)).removeprefix("/welcome#")
    await other.leaves("oidc")
    for browser in (other, Browser(here.web)):
        assert (await browser.call("GET", f"/api/elsewhere/arrivals/{token}")).said == (404, "not_found")
        body = {"handle": "taken_over", "name": "X"}
        assert (await browser.call("POST", f"/api/elsewhere/arrivals/{token}", json=body)).said[0] == 404
    assert (await mine.call("GET", f"/api/elsewhere/arrivals/{token}")).status == 200


async def test_it_does_not_last(here: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = Browser(here.web)
    said = here.issuer.approve(await browser.leaves("oidc"))
    monkeypatch.setattr(here.web.services.elsewhere, "_now", lambda: clock.now() + timedelta(minutes=11))
    assert await browser.comes_back("oidc", **said) == "/welcome?problem=sign_in_expired"


NOW = int(time.time())


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"}, {"iss": None}, {"aud": "another"}, {"aud": None}, {"aud": []},
        {"aud": [CLIENT, "another"]}, {"aud": [CLIENT, "another"], "azp": "another"}, {"azp": "another"},
        {"nonce": "another"}, {"nonce": None}, {"exp": NOW - 3600}, {"exp": None}, {"exp": "never"},
        {"iat": NOW + 3600}, {"iat": None}, {"nbf": NOW + 3600}, {"sub": None}, {"sub": ""}, {"sub": 5},
        {"sub": "x" * 256},
    ],
    ids=lambda claims: "".join(c if c.isalpha() else "-" for c in str(claims)),
)  # fmt: skip
async def test_a_token_that_does_not_say_the_right_things_proves_nothing(
    here: Place, claims: dict[str, Any]
) -> None:
    here.issuer.claims = claims
    assert await Browser(here.web).signs_in(here) == "/welcome?problem=sign_in_refused"


@pytest.mark.parametrize(
    ("algorithm", "signer"),
    [
        ("none", OctKey.import_key("anything that is long enough")),
        ("HS256", OctKey.import_key(SECRET)),
        ("RS256", RSAKey.generate_key(2048)),
    ],
    ids=["none", "our secret", "another key"],
)
async def test_a_token_that_somebody_else_signed_proves_nothing(
    here: Place, algorithm: str, signer: Any
) -> None:
    here.issuer.algorithm, here.issuer.signer = algorithm, signer
    assert await Browser(here.web).signs_in(here) == "/welcome?problem=sign_in_refused"


async def test_new_keys_of_the_issuer_are_found(here: Place) -> None:
    await Browser(here.web).signs_in(here)
    here.issuer.key = RSAKey.generate_key(2048, {"kid": "two"})
    assert (await Browser(here.web).signs_in(here)).startswith("/welcome#")


async def test_an_answer_of_another_issuer_is_none(here: Place) -> None:
    """Mix-up (RFC 9700, section 4.4): by the issuer that it names, and by the way on which it comes."""
    for more in ({"iss": "https://evil.example"}, {"iss": here.mastodon.origin}):
        browser = Browser(here.web)
        said = here.issuer.approve(await browser.leaves("oidc"))
        assert await browser.comes_back("oidc", **said, **more) == "/welcome?problem=wrong_issuer"
    browser = Browser(here.web)
    said = here.issuer.approve(await browser.leaves("oidc"))
    assert (await browser.comes_back("oidc", **said, iss=here.issuer.origin)).startswith("/welcome#")
    # An evil Mastodon sends people on to an honest issuer, whose code would then be given to the evil one.
    browser = Browser(here.web)
    evil = await browser.leaves("mastodon", here.mastodon.server)
    code = here.issuer.approve(await Browser(here.web).leaves("oidc"))["code"]
    state = parse_qs(urlsplit(evil).query)["state"][0]
    assert await browser.comes_back("oidc", code=code, state=state) == "/welcome?problem=wrong_issuer"
    assert all(kind == "apps" for kind, _ in here.mastodon.asked), "nothing was given to it"


async def test_an_issuer_that_always_names_itself_has_to(here: Place) -> None:
    here.issuer.document = {"authorization_response_iss_parameter_supported": True}
    assert await Browser(here.web).signs_in(here) == "/welcome?problem=wrong_issuer"


@pytest.mark.parametrize(
    "document",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": None},
        {"jwks_uri": "http://127.0.0.1:1/keys"},
        {"jwks_uri": "http://169.254.169.254/keys"},
    ],
    ids=str,
)
async def test_a_document_that_leads_elsewhere_leads_nowhere(here: Place, document: dict[str, Any]) -> None:
    here.issuer.document = document
    answer = await here.web.guest.post("/api/elsewhere/oidc", json={})
    assert answer.said == (503, "elsewhere_away")


@pytest.mark.parametrize(
    "server",
    [
        "", "localhost", "127.0.0.1", "[::1]", "10.0.0.1", "169.254.169.254", "metadata", "a..b", "x" * 300 + ".org",
        "mastodon.example:22", "mastodon.example?x=.y", "mastodon.example#", "user:pw@", "\u2100.example", "-.example",
    ],
)  # fmt: skip
async def test_what_is_no_server_is_not_asked(here: Place, server: str) -> None:
    answer = await here.web.guest.post("/api/elsewhere/mastodon", json={"server": server})
    assert answer.said == (422, "invalid")


@pytest.mark.parametrize(
    "person",
    [{}, {"id": 5, "username": "x"}, {"id": "1 mastodon.social", "username": "x"}, {"id": "1"}, []],
    ids=str,
)
async def test_a_server_that_names_nobody_lets_nobody_in(here: Place, person: Any) -> None:
    here.mastodon.person = person
    assert (await Browser(here.web).signs_in(here, "mastodon")).startswith("/welcome?problem=")


async def test_linking_and_unlinking(here: Place) -> None:
    ada, lia = await here.web.member("ada"), await here.web.member("lia")
    hers = await signed_in(here, ada)
    said = here.issuer.approve(await hers.leaves("oidc", link=True))
    assert await hers.comes_back("oidc", **said) == "/settings"
    (mine,) = (await ada.get("/api/me/identities")).json["identities"]
    assert (mine["provider"], mine["name"]) == ("oidc", "Ada.Lovelace (The School)")
    other = Browser(here.web)
    assert await other.signs_in(here) == "/"
    assert await other.me() == "ada"
    theirs = await signed_in(here, lia)
    said = here.issuer.approve(await theirs.leaves("oidc", link=True))
    assert await theirs.comes_back("oidc", **said) == "/welcome?problem=identity_taken"
    taken = await lia.call("DELETE", "/api/me/identities/oidc", json={"subject": mine["subject"]})
    assert taken.status == 204
    assert len((await ada.get("/api/me/identities")).json["identities"]) == 1, "of oneself alone"
    gone = await ada.call("DELETE", "/api/me/identities/oidc", json={"subject": mine["subject"]})
    assert gone.status == 204
    assert (await ada.get("/api/me/identities")).json["identities"] == []


async def test_nobody_is_left_without_a_way_in(here: Place) -> None:
    browser = Browser(here.web)
    await browser.signs_up(here)
    (mine,) = (await browser.call("GET", "/api/me/identities")).json["identities"]
    refused = await browser.call("DELETE", "/api/me/identities/oidc", json={"subject": mine["subject"]})
    assert refused.said == (409, "last_way")
    password = {"password": "correct horse battery"}
    assert (await browser.call("PUT", "/api/me/password", json=password)).status == 204
    unlinked = await browser.call("DELETE", "/api/me/identities/oidc", json={"subject": mine["subject"]})
    assert unlinked.status == 204
    assert (await browser.call("DELETE", "/api/me/password")).said == (409, "last_way")


async def test_who_signs_in_elsewhere_alone_shows_there_who_they_are(here: Place) -> None:
    ada = Browser(here.web)
    await ada.signs_up(here)
    session = await here.web.services.sessions.authenticate(ada.cookies["parola_session"])
    await here.web.store.sessions.prove(session.signed_in().session_id, clock.now() - timedelta(minutes=11))
    away = {"json": {"link": True}}
    assert (await ada.call("POST", "/api/elsewhere/oidc", **away)).said == (403, "sign_in_again")
    assert (await ada.call("PUT", "/api/me/password", json={"password": "correct horse"})).status == 403
    url = (await ada.call("POST", "/api/elsewhere/oidc", json={"prove": True})).json["url"]
    approved = here.issuer.approve(url)
    assert await ada.comes_back("oidc", **approved) == "/settings"
    assert (await ada.call("PUT", "/api/me/password", json={"password": "correct horse"})).status == 204


@pytest.mark.parametrize("auth_time", [None, "now", NOW - 3600])
async def test_a_session_that_was_open_there_anyway_proves_nothing(here: Place, auth_time: object) -> None:
    ada = Browser(here.web)
    await ada.signs_up(here)
    session = await here.web.services.sessions.authenticate(ada.cookies["parola_session"])
    await here.web.store.sessions.prove(session.signed_in().session_id, clock.now() - timedelta(minutes=11))
    url = (await ada.call("POST", "/api/elsewhere/oidc", json={"prove": True})).json["url"]
    asked = parse_qs(urlsplit(url).query)
    assert (asked["prompt"], asked["max_age"]) == (["login"], ["0"])
    here.issuer.claims = {"auth_time": auth_time}
    refused = "/welcome?problem=sign_in_refused"
    assert await ada.comes_back("oidc", **here.issuer.approve(url)) == refused
    assert (await ada.call("POST", "/api/me/recovery_codes")).said == (403, "sign_in_again")
    server = {"prove": True, "server": here.mastodon.server}
    url = (await ada.call("POST", "/api/elsewhere/mastodon", json=server)).json["url"]
    assert parse_qs(urlsplit(url).query)["force_login"] == ["true"]


async def test_an_account_of_somebody_else_s_proves_nothing(here: Place) -> None:
    lia = await signed_in(here, await here.web.member("lia"))
    for known in (False, True):
        url = (await lia.call("POST", "/api/elsewhere/oidc", json={"prove": True})).json["url"]
        said = here.issuer.approve(url)
        assert await lia.comes_back("oidc", **said) == "/welcome?problem=sign_in_refused", known
        if not known:
            assert (await Browser(here.web).signs_up(here)).status == 201
    assert (await lia.call("GET", "/api/me/identities")).json["identities"] == []


async def test_nothing_is_linked_to_who_has_signed_out(here: Place) -> None:
    ada = await here.web.member("ada")
    hers = await signed_in(here, ada)
    said = here.issuer.approve(await hers.leaves("oidc", link=True))
    await hers.call("DELETE", "/api/sessions/current")
    assert await hers.comes_back("oidc", **said) == "/welcome?problem=sign_in_expired"
    guest = await here.web.guest.post("/api/elsewhere/oidc", json={"link": True})
    assert guest.said == (401, "not_signed_in")


async def test_who_is_suspended_or_gone_does_not_get_in_by_it(here: Place) -> None:
    browser = Browser(here.web)
    ada = (await browser.signs_up(here)).json["account"]["id"]
    await here.web.services.deletion.delete(
        await here.web.services.sessions.authenticate(browser.cookies["parola_session"]), "ada_lovelace"
    )
    assert (await Browser(here.web).signs_in(here)).startswith("/welcome#"), "somebody new"
    assert (await here.web.store.accounts.by_ids([ada]))[ada].deleted


async def test_the_cookie_is_short_and_for_the_server_alone(here: Place) -> None:
    answer = await here.web.guest.post("/api/elsewhere/oidc", json={})
    cookie = answer.headers["set-cookie"].lower()
    assert cookie.startswith(COOKIE)
    assert {"httponly", "samesite=lax", "path=/api/elsewhere", "max-age=1800"} <= set(cookie.split("; "))
    assert answer.headers["cache-control"] == "no-store"


async def signed_in(here: Place, person: Person) -> Browser:
    return Browser(here.web, {"parola_session": str(person.token)})
