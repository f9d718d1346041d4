"""Who is calling: bearer or cookie, from our own page or from another, and what a browser elsewhere may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from parola.store import Store
from tests.web_process import BASE, Person, WebProcess

pytestmark = pytest.mark.any_database

ADA = {"handle": "ada", "name": "Ada", "password": "correct horse"}
OWN = [{}, {"Origin": BASE}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}]
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:9999"},
    {"Origin": "http://["},
    {"Origin": BASE, "Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]


def cookie_of(person: Person) -> dict[str, str]:
    return {"Cookie": f"parola_session={person.token}"}


@pytest.mark.parametrize("headers", OWN)
async def test_a_cookie_counts_from_our_own_page(web: WebProcess, headers: dict[str, str]) -> None:
    ada = await web.member("ada")
    mine = {**cookie_of(ada), **headers}
    assert (await web.call("GET", "/api/me", headers=mine)).json["handle"] == "ada"
    assert (await web.call("POST", "/api/rooms", json={"title": "T"}, headers=mine)).status == 201


@pytest.mark.parametrize("headers", FOREIGN)
async def test_a_cookie_from_elsewhere_does_not(web: WebProcess, headers: dict[str, str]) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    stolen = {**cookie_of(ada), **headers}
    assert (await web.call("GET", "/api/me", headers=stolen)).said == (401, "not_signed_in")
    assert (await web.call("GET", f"/api/rooms/{room}", headers=stolen)).json["you"]["role"] == "guest"
    for method, path in (
        ("POST", f"/api/rooms/{room}/end"),
        ("DELETE", "/api/sessions/current"),
        ("PATCH", "/api/me"),
    ):
        assert (await web.call(method, path, headers=stolen)).said == (403, "foreign_origin")
    assert (await ada.get(f"/api/rooms/{room}")).json["state"] == "live"
    bearer = {**stolen, **ada.headers}
    assert (await web.call("POST", "/api/rooms", json={"title": "T"}, headers=bearer)).status == 201


async def test_bearer_wins(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    both = {**cookie_of(ada), **bob.headers}
    assert (await web.call("GET", "/api/me", headers=both)).json["handle"] == "bob"
    broken = {**cookie_of(ada), "Authorization": "Bearer nonsense"}
    assert (await web.call("GET", "/api/me", headers=broken)).said == (401, "not_signed_in")


@pytest.mark.parametrize("value", ["Bearer nonsense", "Bearer", "Basic YTpi", "", "nonsense"])
async def test_a_bearer_that_does_not_hold_is_refused_everywhere(web: WebProcess, value: str) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    for path in ("/api/rooms", f"/api/rooms/{room}", f"/api/rooms/{room}/events", "/api/accounts/ada"):
        answer = await web.call("GET", path, headers={"Authorization": value})
        assert answer.said == (401, "not_signed_in"), path


async def test_a_cookie_that_does_not_hold_makes_a_guest_and_is_cleared(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    await ada.post(f"/api/rooms/{room}/end")
    await ada.delete("/api/sessions/current")
    for path, status in (("/api/rooms", 200), ("/api/me", 401), (f"/api/rooms/{room}/events", 200)):
        answer = await web.call("GET", path, headers=cookie_of(ada))
        assert answer.status == status
        assert answer.headers["set-cookie"].startswith("parola_session=;")
        assert "Max-Age=0" in answer.headers["set-cookie"]
    ours = await web.call("GET", "/api/rooms", headers=cookie_of(await web.member("bob")))
    assert "set-cookie" not in ours.headers


async def test_the_cookie_is_set_and_cleared(store: Store, tmp_path: Path) -> None:
    for url, secure in ((BASE, False), ("https://rooms.example", True)):
        async with WebProcess.go(store, tmp_path, public_url=url) as web:
            if not secure:
                await web.call("POST", "/api/accounts", json=ADA)
            answer = await web.call(
                "POST", "/api/sessions", json={"handle": "ada", "password": "correct horse"}
            )
            cookie = answer.headers["set-cookie"].lower()
            assert cookie.startswith(f"parola_session={answer.json['token'].lower()};")
            assert {"httponly", "samesite=lax", "path=/"} <= set(cookie.split("; "))
            assert ("secure" in cookie.split("; ")) is secure
            out = await web.call(
                "DELETE",
                "/api/sessions/current",
                headers={"Cookie": f"parola_session={answer.json['token']}"},
            )
            assert out.status == 204
            assert "max-age=0" in out.headers["set-cookie"].lower()
            assert (await web.guest.delete("/api/sessions/current")).said == (401, "not_signed_in")


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "DELETE"])
async def test_any_origin_may_call_and_never_with_credentials(web: WebProcess, method: str) -> None:
    headers = {"Origin": "https://elsewhere.example", "Access-Control-Request-Method": "POST"}
    for path in ("/api/rooms", "/api/rooms/A/whep", "/api/nowhere", "/api/rooms/A/events"):
        answer = await web.call(method, path, headers=headers)
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "access-control-allow-credentials" not in answer.headers
        exposed = answer.headers["access-control-expose-headers"]
        assert {"Location", "Retry-After"} <= set(exposed.split(", "))
        if method == "OPTIONS":
            assert answer.status == 204
            assert "Authorization" in answer.headers["access-control-allow-headers"]
            assert ("accept-post" in answer.headers) is path.endswith("whep")


async def test_who_calls_too_often_is_told_when_to_come_back(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens()
        for _ in range(599):
            assert (await ada.delete(f"/api/rooms/{room}/hands/me")).status == 204
        answer = await ada.delete(f"/api/rooms/{room}/hands/me")
        assert answer.said == (429, "too_many")
        assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert (await bob.put(f"/api/rooms/{room}/hands/me")).status == 429, "the address has its share"
        assert (await ada.get(f"/api/rooms/{room}")).status == 200, "reads go on"
