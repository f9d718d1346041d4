"""Rows 16, 18, 22 and 23: offers, bodies, names and links as nobody should send them. Whoever sends them fails; nobody
else notices, and the database least of all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from parola.api.limiting import HANDS, SIGN_INS, SIGN_UPS
from parola.rtp import sdp
from parola.rtp.sdp import SdpError
from parola.store import Store
from tests.hostile.offers import HOSTILE
from tests.web_process import OFFER, Person, WebProcess

JSON = {"Content-Type": "application/json"}
SDP = {"Content-Type": "application/sdp"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/accounts"): {"handle": "zoe", "name": "Zoe", "password": "correct horse"},
    ("POST", "/api/sessions"): {"handle": "ada", "password": "correct horse"},
    ("PATCH", "/api/me"): {"name": "Ada", "bio": "Engines"},
    ("POST", "/api/rooms"): {
        "title": "T", "access": "open", "guests": True, "starts_at": "2999-01-01T00:00:00Z", "listeners_at_most": 5,
    },
    ("PUT", "/api/rooms/x/listeners_at_most"): {"listeners": 5},
}  # fmt: skip


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path) as web:
        yield web


@pytest.fixture
async def limited(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        yield web


def writes(web: WebProcess) -> int:
    """Transactions that changed, or wanted to change, the database."""
    families = {family.name: family for family in web.store.figures.collect()}
    samples = families["parola_sql_transaction_seconds"].samples
    (count,) = [s.value for s in samples if s.name.endswith("_count") and s.labels == {"kind": "write"}]
    return int(count)


# --- 16: offers


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("direction", ["recvonly", "sendonly"])
def test_row_16_a_hostile_offer_is_an_sdp_error(name: str, direction: sdp.Direction) -> None:
    with pytest.raises(SdpError) as refused:
        sdp.parse_offer(HOSTILE[name], direction)
    assert len(str(refused.value)) < 200
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("kind", ["whep", "whip"])
async def test_row_16_too_large_an_offer_never_reaches_a_media_process(web: WebProcess, kind: str) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    for offer in HOSTILE.values():
        answer = await ada.post(f"/api/rooms/{room}/{kind}", content=offer.encode(), headers=SDP)
        if len(offer) > sdp.LONGEST:
            assert answer.said == (413, "too_large")
    assert all(len(getattr(order, "offer", "")) <= sdp.LONGEST for order in web.media.orders)


# --- 18: a flood


async def test_row_18_a_flood_of_commands_is_refused_and_nothing_written_for_it(limited: WebProcess) -> None:
    ada, bob = await limited.members("ada", "bob")
    room = await ada.opens()
    before = writes(limited)
    answers = [await bob.put(f"/api/rooms/{room}/hands/me") for _ in range(1000)]
    assert Counter(a.status for a in answers) == {204: HANDS, 429: 1000 - HANDS}
    assert {a.code for a in answers if a.status == 429} == {"too_many"}
    assert all(1 <= int(a.headers["Retry-After"]) <= 60 for a in answers if a.status == 429)
    assert writes(limited) == before + 1, "a hand goes up once"
    # The other account has the same address, and the address has had its share.
    assert (await ada.post("/api/rooms", json={"title": "One more"})).said == (429, "too_many")
    assert (await ada.get(f"/api/rooms/{room}")).status == 200, "reading is not commanding"
    assert writes(limited) == before + 1


async def test_row_18_a_flood_of_sign_ups_and_sign_ins(limited: WebProcess) -> None:
    await limited.member("ada")
    before = writes(limited)
    body = {"handle": "ada", "password": "not the right one"}
    said = Counter([(await limited.guest.post("/api/sessions", json=body)).said for _ in range(200)])
    assert said == {(401, "wrong_credentials"): SIGN_INS, (429, "too_many"): 200 - SIGN_INS}
    assert writes(limited) == before
    for number in range(200):
        body = {"handle": f"mallory_{number}", "name": "M", "password": "correct horse"}
        answer = await limited.guest.post("/api/accounts", json=body)
        assert answer.status == (201 if number < SIGN_UPS else 429)
    assert writes(limited) == before + 2 * SIGN_UPS, "an account, a session"


@pytest.mark.parametrize(("method", "path"), BODIES)
async def test_row_18_nulls_and_depths_are_no_values_and_nothing_is_written(
    web: WebProcess, method: str, path: str
) -> None:
    ada = await web.member("ada")
    before = writes(web)
    deep: list[bytes] = []
    for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
        tower = opening * 1000 + b"1" + closing * 1000
        deep += [
            tower,
            b'{"title": ' + tower + b"}",
            b'{"handle": ' + tower + b"}",
            b'{"name": ' + tower + b"}",
        ]
    nulls = [
        b"null",
        b"[null]",
        b'{"": null}',
        b"{" + b",".join(b'"x%d": null' % n for n in range(4000)) + b"}",
    ]
    nulls += [json.dumps(dict.fromkeys(BODIES[method, path], None)).encode()]
    for body in (*deep, *nulls):
        if (method, path) == ("PATCH", "/api/me") and body == nulls[-1]:
            continue  # there a null means that nothing is to change
        answer = await ada.call(method, path, content=body, headers=JSON)
        assert answer.said in ((400, "malformed"), (422, "invalid")), body[:30]
        assert len(answer.content) < 16 << 10, "a refusal is no list of everything that was sent"
    assert writes(web) == before


# --- 22: words

STRANGE = [
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 8,
    "\U0001f44b\U0001f3ff\U0001f1ee\U0001f1f9",
    "Z\u0335\u0321\u0489\u0345" * 15,
    "\ufe0f\u20e3",
    "\u200b\u200b\u200b",
    "\u2028\u2029",
    "\u202eadA",
    "\ufeffAda",
    "\ud83d",
    "\ude00\ud83d",
    "a\0b",
    "\x1b[2J",
    "\ufdd0\uffff",
    "\U0010ffff",
    "\ue000",
    "\u1160\u115f\u3164",
    "id: 99\nevent: room.ended\n\n",
    "</script><script>alert(1)</script>",
    "\U000e0041" * 30,
    "\ufdfa" * 60,
]


async def test_row_22_odd_words_fail_their_sender_and_nobody_else(web: WebProcess) -> None:
    ada, mallory, bob = await web.members("ada", "mallory", "bob")
    room = await ada.opens()
    seq = 2
    async with bob.reads(room) as stream:
        await stream.until("snapshot")
        for word in STRANGE:
            body = json.dumps({"name": word}).encode()
            renamed = await mallory.patch("/api/me", content=body, headers=JSON)
            assert renamed.status == 200 or renamed.said == (422, "invalid")
            titled = await mallory.post(
                "/api/rooms", content=json.dumps({"title": word}).encode(), headers=JSON
            )
            assert titled.status == 201 or titled.said == (422, "invalid")
            shown = (await mallory.get("/api/me")).json["name"]
            assert 0 < len(shown) <= 60
            assert not set(shown) & set("\0\n\r\x1b\u2028\u2029\u202e")
            await mallory.put(f"/api/rooms/{room}/hands/me")
            await mallory.delete(f"/api/rooms/{room}/hands/me")
            told = [await stream.until(kind) for kind in ("hand.raised", "hand.lowered")]
            assert [(t.id, t.data["name"]) for t in told] == [(seq + 1, shown), (seq + 2, shown)]
            seq += 2
    assert (await web.guest.get("/api/rooms?limit=100")).status == 200
    assert (await bob.get(f"/api/rooms/{room}")).json["seq"] == seq
    assert (await bob.get("/api/accounts/mallory")).status == 200


async def test_row_22_words_where_only_a_handle_may_stand(web: WebProcess) -> None:
    ada = await web.member("ada")
    path = f"/api/rooms/{await ada.opens()}"
    before = writes(web)
    for word in ("%F0%9F%98%80", "%ED%A0%BD", "%00", "%E2%80%AE", "ad%CC%81a", "ADA", "ａda"):
        for method, call in (("PUT", "floor"), ("PUT", "mutes"), ("PUT", "removed"), ("DELETE", "hands")):
            answer = await ada.call(method, f"{path}/{call}/{word}")
            assert answer.said == (404, "not_found"), (call, word)
    assert writes(web) == before


# --- 23: links

ADDED = [
    "role=host",
    "role=cohost&may_speak=true",
    "you=host&handle=ada",
    "as=ada&account=ada&by=ada",
    "token=x&access_token=x&session=x",
    "_method=DELETE&method=PUT",
    "guests=false&access=open&state=live",
    "__proto__=x&constructor=x",
]
COMMANDS_OF_HOSTS = [
    ("GET", ""),
    ("PUT", "/floor/mallory"),
    ("POST", "/floor/accept"),
    ("POST", "/floor/next"),
    ("DELETE", "/turns"),
    ("DELETE", "/pauses/hands"),
    ("PUT", "/successor/mallory"),
    ("POST", "/end"),
    ("PUT", "/cohosts/mallory"),
    ("PUT", "/removed/ada"),
    ("PUT", "/mutes"),
    ("DELETE", "/floor/ada"),
    ("PUT", "/invited/mallory"),
]
FORGED = {"X-Role": "host", "X-User": "ada", "X-HTTP-Method-Override": "DELETE", "X-Forwarded-User": "ada"}


async def test_row_23_what_is_added_to_a_link_changes_nothing(web: WebProcess) -> None:
    ada, mallory = await web.members("ada", "mallory")
    open_room, private = await ada.opens(), await ada.opens(access="invited")
    calls = [
        (method, f"/api/rooms/{room}{rest}")
        for room in (open_room, private)
        for method, rest in COMMANDS_OF_HOSTS
    ]
    calls += [("GET", "/api/me"), ("GET", "/api/accounts/ada"), ("GET", f"/r/{open_room}")]
    for who in (mallory, web.guest):
        for method, path in calls:
            plain = await who.call(method, path)
            for added in ADDED:
                answer = await who.call(method, f"{path}?{added}", headers=FORGED)
                assert (answer.status, answer.content) == (plain.status, plain.content), (method, path, added)
        for added in ADDED:
            said = await who.post(f"/api/rooms/{open_room}/whip?{added}", content=OFFER, headers=SDP)
            assert said.said in ((403, "floor_required"), (401, "not_signed_in"))
            assert (await connects(who, private, added)).said == (404, "not_found")
            assert (await connects(who, open_room, added)).status == 201
    listening = web.media.connections.values()
    assert {order.account_id for order in listening} == {mallory.id, None}, "nobody listens as somebody else"
    assert (await ada.get(f"/api/rooms/{open_room}")).json["seq"] == 2


async def connects(who: Person, room: str, added: str) -> Any:
    return await who.post(f"/api/rooms/{room}/whep?{added}", content=OFFER, headers=SDP)


async def test_row_23_what_is_added_to_a_body_is_refused(web: WebProcess) -> None:
    mallory = await web.member("mallory")
    before = writes(web)
    for (method, path), body in BODIES.items():
        for field in ("role", "admin", "id", "host", "account", "is_admin"):
            content = json.dumps({**body, field: "host"}).encode()
            answer = await mallory.call(method, path, content=content, headers=JSON)
            assert answer.said == (422, "invalid")
    assert writes(web) == before
