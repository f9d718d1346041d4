"""Rows 20, 25 and 29: whose call it is. A foreign page, a forger and a guesser get no more than a stranger would, and
touch nobody else."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, inspect

from parola.store import Store
from tests.web_process import BASE, OFFER, Answer, Person, WebProcess

pytestmark = pytest.mark.any_database

SDP = {"Content-Type": "application/sdp"}
FOREIGN = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:8081"},
    {"Origin": "http://localhost.evil.example:8080"},
    {"Origin": "https://localhost:8080@evil.example"},
    {"Origin": "http://["},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": BASE},
]


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path) as web:
        yield web


ASK_NOBODY = frozenset(
    {
        "/api/accounts",
        "/api/accounts/by_passkey",
        "/api/addresses/confirm",
        "/api/admin/claim",
        "/api/ceremonies/sign_in",
        "/api/ceremonies/sign_up",
        "/api/elsewhere/arrivals/x",
        "/api/elsewhere/x",
        "/api/links",
        "/api/me/picture",
        "/api/sessions",
        "/api/sessions/by_code",
        "/api/sessions/by_link",
        "/api/waitlist/x",
        "/api/sessions/by_passkey",
        "/api/unsubscribe/x",
        "/api/waitlist",
    }
)
"""Calls that do not want to know who calls, or only with a whole body."""


def unsafe_calls(web: WebProcess, room: str) -> list[tuple[str, str]]:
    """Every call of the API that changes something, by its own description."""
    given = {"room_id": room, "handle": "bob", "kind": "whep", "connection_id": "media_1.x"}
    given |= {"feature": "hosting"}
    described = web.app.openapi()["paths"]
    found = [
        (method.upper(), re.sub(r"\{(\w+)\}", lambda name: given.get(name[1], "x"), path))
        for path, methods in described.items()
        for method in methods
        if method in ("post", "put", "patch", "delete") and path.startswith("/api/")
    ]
    assert len(found) > 25
    return found


async def state(web: WebProcess) -> list[Any]:
    """Everything that is in the database."""
    async with web.store._database.read() as connection:
        names = await connection.run_sync(lambda plain: inspect(plain).get_table_names())
        kept = [name for name in names if name not in ("leases", "alembic_version")]
        return [
            [tuple(row) for row in await connection.exec_driver_sql(f"SELECT * FROM {name}")] for name in kept
        ]


# --- 20: other sites' pages


@pytest.mark.parametrize("foreign", FOREIGN, ids=str)
async def test_row_20_a_foreign_page_commands_nothing_with_our_cookie(
    web: WebProcess, foreign: dict[str, str]
) -> None:
    ada, _ = await web.members("ada", "bob")
    room = await ada.opens()
    before = await state(web)
    headers = {"Cookie": f"x=y; parola_session={ada.token}", "Content-Type": "application/json", **foreign}
    for method, path in unsafe_calls(web, room):
        for content in (b"", b"{}"):
            answer = await web.call(method, path, content=content, headers=headers)
            assert answer.said == (403, "foreign_origin"), (method, path)
            assert "set-cookie" not in answer.headers
    assert await state(web) == before
    assert not web.media.orders


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
)
async def test_row_20_a_form_is_no_call_wherever_it_comes_from(web: WebProcess, kind: str) -> None:
    ada, _ = await web.members("ada", "bob")
    room = await ada.opens()
    before = await state(web)
    headers = {"Cookie": f"parola_session={ada.token}", "Content-Type": kind, "Origin": BASE}
    for method, path in unsafe_calls(web, room):
        if not path.endswith(("whep", "whip")) and "media_1" not in path:
            answer = await web.call(method, path, content=b'{"title": "x"}', headers=headers)
            assert answer.said == (415, "unsupported_media_type")
    assert await state(web) == before


@pytest.mark.parametrize("foreign", FOREIGN[:7], ids=str)
async def test_row_20_a_probe_is_answered_without_credentials(
    web: WebProcess, foreign: dict[str, str]
) -> None:
    ada, bob = await web.members("ada", "bob")
    private = await ada.opens(access="invited")
    cookie = {"Cookie": f"parola_session={ada.token}", **foreign}
    for method, path in [*unsafe_calls(web, private), ("GET", "/api/me"), ("GET", f"/api/rooms/{private}")]:
        asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "authorization"}
        answer = await web.call("OPTIONS", path, headers={**cookie, **asked})
        assert answer.status == 204
        assert_no_credentials(answer)
    assert (await web.call("GET", "/api/me", headers=cookie)).said == (401, "not_signed_in")
    assert (await web.call("GET", f"/api/rooms/{private}", headers=cookie)).said == (404, "not_found")
    for headers, status in ((cookie, 200), ({**bob.headers, **foreign}, 200)):
        answer = await web.call("GET", "/api/rooms", headers=headers)
        assert (answer.status, answer.json["rooms"]) == (status, [])
        assert_no_credentials(answer)


def assert_no_credentials(answer: Answer) -> None:
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in answer.headers


async def test_row_20_our_own_page_and_tokens_from_anywhere_go_on(web: WebProcess) -> None:
    ada = await web.member("ada")
    cookie = {"Cookie": f"parola_session={ada.token}"}
    for own in (
        {"Origin": BASE},
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": BASE},
        {"Sec-Fetch-Site": "none"},
    ):
        assert (
            await web.call("POST", "/api/rooms", json={"title": "T"}, headers={**cookie, **own})
        ).status == 201
    for foreign in FOREIGN[:1]:
        assert (
            await ada.post("/api/rooms", json={"title": "T"}, headers={**cookie, **foreign})
        ).status == 201


# --- 25: forged tokens


@pytest.mark.timeout(180)  # every call of the API, with every kind of bad token
async def test_row_25_a_bad_token_that_names_somebody_leaves_them_alone(web: WebProcess) -> None:
    ada, bob = await web.members("ada", "bob")
    room = await ada.opens()
    await bob.put(f"/api/rooms/{room}/hands/me")
    location = (await bob.connects(room)).headers["Location"]
    (session,) = await sessions_of(web, bob)
    digest = hashlib.sha256(bob.token.encode()).hexdigest()
    forged = [
        bob.handle, bob.id, session, digest, bob.token + "x", bob.token[:-1], bob.token.swapcase(), f"{bob.token}\0",
        f"{bob.id}.{bob.token[:10]}", base64.b64encode(f"bob:{bob.token}".encode()).decode(), "' OR '1'='1", "null",
        f"{bob.token}, {bob.token}", "x" * 5000,
    ]  # fmt: skip
    async with bob.reads(room) as stream:
        await stream.until("snapshot")
        before = await state(web)
        for token in forged:
            for method, path in [*unsafe_calls(web, room), ("DELETE", location)]:
                if path in ASK_NOBODY:
                    continue
                headers = {"Authorization": f"Bearer {token}", "Content-Type": kind_of(path)}
                answer = await web.call(method, path, content=b"{}", headers=headers)
                hidden = path.startswith("/api/admin/")
                refused = (404, "not_found") if hidden else (401, "not_signed_in")
                assert answer.said == refused, (token, method, path)
            again = await web.call("DELETE", location, headers={"Authorization": f"bearer   {token}"})
            assert again.said == (401, "not_signed_in"), token
            cookie = {"Cookie": f"parola_session={token}".replace("\0", "")}
            if token not in (bob.token + "\0",):
                assert (await web.call("DELETE", "/api/sessions/current", headers=cookie)).said == (
                    401,
                    "not_signed_in",
                )
        for scheme in ("Basic", "Token", "", "Digest"):
            answer = await web.call("GET", "/api/me", headers={"Authorization": f"{scheme} {bob.token}"})
            assert answer.said == (401, "not_signed_in")
        assert await state(web) == before
        assert len(web.media.connections) == 1
        await ada.put(f"/api/rooms/{room}/floor/bob")
        assert (await stream.until("floor.granted")).data["handle"] == "bob"
    assert (await bob.get("/api/me")).status == 200


def kind_of(path: str) -> str:
    return "application/sdp" if path.endswith(("whep", "whip")) else "application/json"


async def sessions_of(web: WebProcess, person: Person) -> list[str]:
    async with web.store._database.read() as connection:
        rows = await connection.exec_driver_sql(f"SELECT id FROM sessions WHERE account_id = '{person.id}'")
        return [row[0] for row in rows]


async def test_row_25_nobody_hangs_up_for_somebody_else(web: WebProcess) -> None:
    ada, bob, mallory = await web.members("ada", "bob", "mallory")
    room, other = await ada.opens(), await mallory.opens()
    location = (await bob.connects(room)).headers["Location"]
    elsewhere = location.replace(room, other)
    for who in (ada, mallory, web.guest):
        for path in (location, elsewhere, location.replace("whep", "whip"), location + "x"):
            for method in ("DELETE", "PATCH", "GET"):
                answer = await who.call(
                    method, path, headers={"Content-Type": "application/trickle-ice-sdpfrag"}
                )
                assert answer.said == (404, "not_found"), (who.handle, method, path)
    assert len(web.media.connections) == 1
    assert (await bob.delete(elsewhere)).said == (404, "not_found")
    assert (await bob.delete(location)).status == 200


# --- 29: guessing


@contextmanager
def queries(web: WebProcess) -> Iterator[list[str]]:
    """What the database is asked."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    database = web.store._database
    engines = {one.pool: one.sync_engine for one in (database._reader, database.engine)}.values()
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


def calls_about_rooms(web: WebProcess) -> list[tuple[str, str]]:
    """Method and address, with `{room_id}` to be filled in, of every call that names a room."""
    given = {"handle": "bob", "kind": "whep", "connection_id": "media_1.x"}
    found = []
    for path, methods in web.app.openapi()["paths"].items():
        if "{room_id}" in path:
            for name, value in given.items():
                path = path.replace(f"{{{name}}}", value)
            found += [(method.upper(), path) for method in methods]
    assert len(found) > 20
    return found


@pytest.mark.parametrize(
    "access",
    [
        {"access": "invited"},
        {"access": "followers"},
        {"access": "mutuals"},
        {"guests": False},
        {"access": "link", "guests": False},
        {"access": "open", "blocked": True},
    ],
    ids=str,
)
async def test_row_29_a_private_room_answers_as_none_at_all(web: WebProcess, access: dict[str, Any]) -> None:
    ada, stranger, _ = await web.members("ada", "stranger", "bob")
    access = dict(access)
    blocked = access.pop("blocked", False)
    private = await ada.opens(**access)
    if blocked:
        await ada.put("/api/accounts/stranger/block")
    await ada.put(f"/api/rooms/{private}/hands/me")
    guessers = [web.guest] if "guests" in access else [stranger] if blocked else [web.guest, stranger]
    for who in guessers:
        for method, path in calls_about_rooms(web):
            if blocked and path.endswith("/card.png"):
                continue  # what any guest may see is shown to whoever asks
            # A guest's command is asked who it is before it is asked what it wants.
            expected = {404} if who.token or path.endswith("/whep") else {401, 404}
            told = [await tried(web, who, method, path.format(room_id=id)) for id in (private, *random_ids())]
            assert told[0] == told[1] == told[2], (method, path)
            assert told[0][0] in expected, (method, path)
            if told[0][0] == 404 and not path.startswith(
                "/api/admin/"
            ):  # to others that does not exist at all
                rooms = [statement for statement in told[0][3] if "FROM rooms" in statement]
                assert len(rooms) == 1, (method, path, rooms)


def random_ids() -> tuple[str, str]:
    return secrets.token_urlsafe(16), "-" * 22


_BODIES = {
    "/turns": '{"soft_s": 30, "hard_s": 60}',
    "/stage": '{"capacity": 5}',
    "/listeners_at_most": '{"listeners": 5}',
    "/pauses/hands": '{"pause_s": 10}',
    "/heard": '{"connection": "media_1.x", "ms": 100}',
    "/survey": '{"good": true}',
}
"""What is asked for before anybody looks at the room, the same of every room."""


async def tried(
    web: WebProcess, who: Person, method: str, path: str
) -> tuple[int, list[tuple[str, str]], bytes, list[str]]:
    """Status, headers, body, and what the database was asked."""
    kind = {"Content-Type": kind_of(path)} if method == "POST" else {}
    if method == "PATCH":
        kind = {"Content-Type": "application/trickle-ice-sdpfrag"}
    wanted = next(
        (body for end, body in _BODIES.items() if method in ("PUT", "POST") and path.endswith(end)), None
    )
    content = OFFER if path.endswith(("whep", "whip")) else wanted
    kind = {"Content-Type": "application/json"} if wanted else kind
    with queries(web) as asked:
        answer = await who.call(method, path, content=content, headers=kind)
    return answer.status, sorted(answer.headers.items()), answer.content, asked


async def test_row_29_nothing_else_tells_of_a_private_room(web: WebProcess) -> None:
    ada, stranger = await web.members("ada", "stranger")
    private = await ada.opens(access="invited", title="Nobody knows of this")
    for who in (web.guest, stranger):
        for path in (
            "/api/rooms",
            "/api/rooms?state=live&limit=100",
            "/api/accounts/ada",
            "/metrics",
            "/api/openapi.json",
        ):
            answer = await who.get(path)
            assert answer.status == 200
            assert private.encode() not in answer.content
            assert b"Nobody knows" not in answer.content
        assert (await who.get("/api/accounts/ada")).json["live_room"] is None
        shown = [(await who.get(f"/r/{id}")) for id in (private, *random_ids())]
        assert len({(page.status, page.content) for page in shown}) == 1


async def test_row_29_ids_have_128_random_bits(web: WebProcess) -> None:
    ada = await web.member("ada")
    ids = [await ada.opens() for _ in range(64)]
    values = [int.from_bytes(base64.urlsafe_b64decode(id + "==")) for id in ids]
    assert all(len(base64.urlsafe_b64decode(id + "==")) == 16 for id in ids)
    for bit in range(128):
        assert {value >> bit & 1 for value in values} == {0, 1}, f"bit {bit} never changes"
    locations = [(await ada.connects(ids[0])).headers["Location"].rpartition(".")[2] for _ in range(10)]
    assert all(len(base64.urlsafe_b64decode(id + "==")) >= 16 for id in locations)
