"""What nobody should send, to every call that takes anything: always the protocol's error, never a bug."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.web_process import OFFER, Answer, Person, WebProcess

JSON = {"Content-Type": "application/json"}
SDP = {"Content-Type": "application/sdp"}
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/accounts"): {"handle": "zoe", "name": "Zoe", "password": "correct horse", "invite": None},
    ("POST", "/api/sessions"): {"handle": "ada", "password": "correct horse"},
    ("POST", "/api/ceremonies/sign_up"): {"handle": "zoe", "name": "Zoe"},
    ("POST", "/api/sessions/by_code"): {"handle": "ada", "code": "abcd-efgh-ijkl-mnop"},
    ("POST", "/api/links"): {"email": "zoe@rooms.example"},
    ("PUT", "/api/me/password"): {"password": "correct horse"},
    ("PUT", "/api/me/email"): {"email": "zoe@rooms.example"},
    ("POST", "/api/waitlist"): {"email": "zoe@rooms.example", "handle": "zoe"},
    ("PATCH", "/api/me"): {"name": "Ada", "bio": "Engines"},
    ("POST", "/api/rooms"): {"title": "T", "access": "open", "guests": True, "starts_at": "2999-01-01T00:00:00Z"},
}  # fmt: skip
REQUIRED = {
    ("POST", "/api/accounts"): {"handle", "name", "password"},
    ("POST", "/api/sessions"): {"handle", "password"},
    ("POST", "/api/ceremonies/sign_up"): {"handle", "name"},
    ("POST", "/api/sessions/by_code"): {"handle", "code"},
    ("POST", "/api/links"): {"email"},
    ("PUT", "/api/me/password"): {"password"},
    ("PUT", "/api/me/email"): {"email"},
    ("POST", "/api/waitlist"): {"email"},
    ("PATCH", "/api/me"): set(),
    ("POST", "/api/rooms"): {"title"},
}
CALLS = list(BODIES)
FIELDS = [(*call, field) for call, body in BODIES.items() for field in body]

MALFORMED = [b"{", b"\xff\xfe{}", b'{"a": "\xff"}', b"[" * 1000, b'{"a":' * 1000, b"{} {}", b"'x'", b"\0"]
NO_OBJECT = [
    b"null",
    b"true",
    b"1",
    b"NaN",
    b'"x"',
    b"[]",
    b"[{}]",
    b"-Infinity",
    b"[" * 900 + b"]" * 900,
    b"1" * 5000,
]
WRONG_VALUES = [
    1,
    -0.5,
    [],
    {},
    [[]],
    {"a": None},
    float("nan"),
    float("inf"),
    10**400,
    "\ud800",
    "a\ud800b",
    "a\0b",
    "\x1b[31m",
    "\u202eabc",
    "x" * 60_000,
    "\uffff",
]


async def send(who: Person, method: str, path: str, body: Any) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await who.call(method, path, content=content, headers=JSON)


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_what_is_no_json_is_malformed(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    for body in MALFORMED:
        assert (await send(ada, method, path, body)).said == (400, "malformed"), body[:20]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_what_is_no_object_is_invalid(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    for body in NO_OBJECT:
        answer = await send(ada, method, path, body)
        assert answer.said in ((422, "invalid"), (400, "malformed")), body[:20]
    assert (await ada.call(method, path)).said == (422, "invalid"), "no body at all"


@pytest.mark.parametrize(("method", "path", "field"), FIELDS)
async def test_wrong_values_name_their_field(web: WebProcess, method: str, path: str, field: str) -> None:
    ada = await web.member("ada")
    for value in WRONG_VALUES:
        answer = await send(ada, method, path, {**BODIES[method, path], field: value})
        if path.startswith("/api/sessions") and isinstance(value, str):
            assert answer.said == (401, "wrong_credentials")
        elif field == "invite" and isinstance(value, str):
            assert answer.status in (201, 409), "where none is wanted, an invitation is not looked at"
        else:
            assert answer.said == (422, "invalid"), ascii(value)[:20]
            assert [e["field"] for e in answer.json["errors"]] == [field]


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_missing_and_surplus_fields(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    body = BODIES[method, path]
    for missing in REQUIRED[method, path]:
        for instead in ({}, {missing: None}):
            answer = await send(
                ada, method, path, {**{k: v for k, v in body.items() if k != missing}, **instead}
            )
            assert answer.said == (422, "invalid")
            assert [e["field"] for e in answer.json["errors"]] == [missing]
    for surplus in ("admin", "", "\0", "\ud800", "a.b", "x" * 3000, "__class__", "é"):
        answer = await send(ada, method, path, {**body, surplus: 1})
        assert answer.said == (422, "invalid"), ascii(surplus[:10])
        assert len(answer.json["errors"]) == 1


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_another_type_than_json(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    body = json.dumps(BODIES[method, path]).encode()
    kinds = (
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "",
        "multipart/form-data",
        "é",
    )
    for kind in kinds:
        answer = await ada.call(method, path, content=body, headers={"Content-Type": kind.encode()})
        assert answer.said == (415, "unsupported_media_type"), kind
    answer = await ada.call(method, path, content=body, headers={**JSON, "Content-Encoding": "gzip"})
    assert answer.said == (415, "unsupported_media_type")


def chunks(size: int) -> AsyncIterator[bytes]:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(size // 1000):
            yield b" " * 1000

    return pieces()


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_too_large(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    answer = await ada.call(method, path, content=b" " * 65_537, headers=JSON)
    assert answer.said == (413, "too_large")
    answer = await ada.call(method, path, content=chunks(70_000), headers=JSON)
    assert answer.said == (413, "too_large"), "and without an announced length"
    for length in ("9" * 400, "100000"):
        answer = await ada.call(method, path, content=b"{}", headers={**JSON, "Content-Length": length})
        assert answer.said == (413, "too_large"), length[:30]


@pytest.mark.parametrize("kind", ["whep", "whip"])
async def test_offers(web: WebProcess, kind: str) -> None:
    ada = await web.member("ada")
    path = f"/api/rooms/{await ada.opens()}/{kind}"
    for wrong in ("", "text/plain", "application/json", "application/sdpx"):
        answer = await ada.post(path, content=OFFER, headers={"Content-Type": wrong})
        assert answer.said == (415, "unsupported_media_type")
    assert (await ada.post(path)).said == (415, "unsupported_media_type")
    assert (await ada.post(path, content=b"\xff\xfe", headers=SDP)).said == (422, "bad_sdp")
    assert (await ada.post(path, content=b"v" * 65_537, headers=SDP)).said == (413, "too_large")
    assert (await ada.post(path, content=chunks(70_000), headers=SDP)).said == (413, "too_large")
    good = await ada.post(path, content=OFFER, headers={"Content-Type": "Application/SDP; charset=utf-8"})
    assert good.status == 201


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/rooms/",
        "/api/rooms/a/b/c/d",
        "/api/me/",
        "/api//me",
        "/nowhere",
        "/" + "x" * 300,
        "/" + "x/" * 3000,
        "/%00",
        "/a%00b",
        "/%ff",
        "/..%2f..%2fetc%2fpasswd",
        "/assets/%2e%2e/%2e%2e/x",
        "/%F0%9F%8E%99",
        "/%ed%a0%80",
        "/~root",
        "//etc/passwd",
    ],
)
async def test_unknown_addresses(web: WebProcess, path: str) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        answer = await web.guest.call(method, path)
        assert answer.said in ((404, "not_found"), (405, "method_not_allowed")), method


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/nowhere", "/api/rooms/a/b/c/d", "/api//me", "/api/metrics"]
)
async def test_below_the_api_there_is_no_page_and_no_method_for_it(web: WebProcess, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "BREW"):
        answer = await web.guest.call(method, path)
        assert answer.status == 404, method
        assert method == "HEAD" or answer.code == "not_found"
    assert (await web.guest.call("PUT", "/api/accounts")).said == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/accounts"),
        ("PATCH", "/api/accounts"),
        ("PUT", "/api/rooms"),
        ("DELETE", "/api/me"),
        ("POST", "/api/rooms/a/mutes"),
        ("GET", "/api/rooms/a/floor/ada"),
        ("POST", "/healthz"),
        ("TRACE", "/api/me"),
        ("BREW", "/api/rooms"),
        ("GET", "/api/rooms/a/whep"),
        ("POST", "/api/rooms/a/events"),
        ("DELETE", "/"),
    ],
)
async def test_unknown_methods(web: WebProcess, method: str, path: str) -> None:
    ada = await web.member("ada")
    assert (await ada.call(method, path)).said in ((405, "method_not_allowed"), (404, "not_found"))


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=" + "9" * 5000,
        "limit=%00",
        "limit=",
        "state=",
        "state=LIVE",
        "state=%ff",
        "cursor=%00",
        "cursor=" + "a" * 201,
        "cursor=%F0%9F%8E%99",
        "cursor=MToA",
        "cursor=%ff",
        "cursor=OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OmE",
    ],
)
async def test_bad_queries(web: WebProcess, query: str) -> None:
    answer = await web.guest.get(f"/api/rooms?{query}")
    assert answer.said == (422, "invalid")
    assert answer.json["errors"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("header", ["Authorization", "Cookie", "Origin", "Content-Length", "Last-Event-ID"])
async def test_bad_headers(web: WebProcess, header: str) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    await ada.post(f"/api/rooms/{room}/end")
    for value in (
        b"",
        b"\xff",
        b"Bearer",
        b"Bearer \xff\xfe",
        b"parola_session=\xff",
        b"x" * 9000,
        b"http://[",
        b"-1",
        b"\xb2",
    ):
        for method, path in (
            ("GET", f"/api/rooms/{room}/events"),
            ("GET", "/api/me"),
            ("POST", "/api/rooms"),
        ):
            more = {"Cookie": "parola_session=x"} if header == "Origin" else {}
            answer = await web.guest.call(method, path, headers={header: value, **more})
            assert answer.status < 500, (value, method, path)


async def test_handles_in_addresses(web: WebProcess) -> None:
    ada = await web.member("ada")
    path = f"/api/rooms/{await ada.opens()}"
    for handle in ("%00", "%ff", "A", "x" * 300, "%ed%a0%80", "..", "a%2fb", "me", "@ada", "ada%0a"):
        for method, call in (("PUT", "floor"), ("PUT", "mutes"), ("PUT", "removed"), ("PUT", "cohosts")):
            answer = await ada.call(method, f"{path}/{call}/{handle}")
            assert answer.status in (404, 405), (handle, call)
        assert (await ada.get(f"/api/accounts/{handle}")).status == 404
        assert (await ada.put(f"/api/accounts/{handle}/follow")).status in (404, 405)
