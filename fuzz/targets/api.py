"""Bodies, queries and headers to the whole web process, around a real database: whatever comes, no answer is the
server's own fault, and each refusal is a problem with a code.

The first byte chooses the call, the second what goes around the body. What is made on the way stays in the database
for the next input.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from starlette.types import Message

from parola.api.app import make_app
from parola.bus.memory import MemoryBus
from parola.domain import rooms
from parola.services import clock
from parola.services.sessions import Sessions
from parola.settings import Settings
from parola.store import Store, upgrade
from parola.wiring import make_services

_TOKEN, _ROOM = "a-token-of-ada", "a-room-of-ada"
_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
_CALLS = (
    ("POST", "/api/accounts"),
    ("POST", "/api/sessions"),
    ("PATCH", "/api/me"),
    ("POST", "/api/rooms"),
    ("POST", f"/api/rooms/{_ROOM}/whep"),
    ("POST", f"/api/rooms/{_ROOM}/whip"),
    ("PUT", f"/api/rooms/{_ROOM}/hands/me"),
    ("PUT", f"/api/rooms/{_ROOM}/floor/bob"),
    ("PATCH", f"/api/rooms/{_ROOM}/whep/a.b"),
    ("GET", "/api/rooms?{text}"),
    ("GET", "/api/rooms/{text}"),
    ("GET", f"/api/rooms/{_ROOM}/events?{{text}}"),
    ("PUT", f"/api/rooms/{_ROOM}/mutes/{{text}}"),
    ("DELETE", f"/api/rooms/{_ROOM}/{{text}}"),
    ("GET", "/api/accounts/{text}"),
    ("GET", "/{text}"),
)
_AROUND: tuple[dict[str, str], ...] = (
    {"content-type": "application/json"},
    {"content-type": "application/sdp"},
    {"content-type": "application/json; charset=utf-16"},
    {"content-type": "application/trickle-ice-sdpfrag"},
    {"content-type": "application/json", "cookie": "parola_session={text}"},
    {"content-type": "application/json", "authorization": "{text}"},
    {"content-type": "application/json", "origin": "{text}", "cookie": f"parola_session={_TOKEN}"},
    {"content-type": "{text}"},
    {"last-event-id": "{text}", "content-length": "{text}"},
)
_LONGEST_S = 10.0


def _seed(method: str, path: str, around: int, body: bytes) -> bytes:
    return bytes([_CALLS.index((method, path)), around]) + body


_SDP = b"v=0\r\nm=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=recvonly\r\n"
SEEDS = (
    _seed(
        "POST",
        "/api/accounts",
        0,
        b'{"handle": "zoe", "name": "Zoe", "password": "correct horse", "invite": null}',
    ),
    _seed("POST", "/api/sessions", 0, b'{"handle": "ada", "password": "correct horse"}'),
    _seed("PATCH", "/api/me", 0, '{"name": "Ada \U0001f399", "bio": "Engines"}'.encode()),
    _seed(
        "POST",
        "/api/rooms",
        0,
        b'{"title": "T", "access": "open", "guests": true, "starts_at": "2999-01-01T00:00:00Z"}',
    ),
    _seed("POST", "/api/rooms", 0, b'{"title": "\\ud83c\\udf99"}'),
    _seed("POST", "/api/rooms", 0, b"[" * 60 + b"]" * 60),
    _seed("POST", f"/api/rooms/{_ROOM}/whep", 1, _SDP),
    _seed("POST", f"/api/rooms/{_ROOM}/whip", 1, _SDP),
    _seed("GET", "/api/rooms?{text}", 0, b"state=live&limit=3&cursor=MTox"),
    _seed("GET", f"/api/rooms/{_ROOM}/events?{{text}}", 8, b"12"),
    _seed("PUT", f"/api/rooms/{_ROOM}/mutes/{{text}}", 0, b"bob"),
    _seed("DELETE", f"/api/rooms/{_ROOM}/{{text}}", 0, b"floor/bob"),
    _seed("GET", "/api/accounts/{text}", 4, b"ada"),
    _seed("GET", "/{text}", 5, b"Bearer x"),
    _seed("PATCH", "/api/me", 6, b"http://[::1"),
    _seed("PATCH", "/api/me", 7, b"application/json; charset=\xff"),
)


def check(data: bytes) -> None:
    if len(data) >= 2:
        _web().check(data)


class _NoPasswords:
    """In place of a hash that is meant to be slow."""

    async def hash(self, password: str) -> str:
        return "-"

    async def matches(self, password_hash: str | None, password: str) -> bool:
        return False


class _Web:
    """One web process and its event loop, for all inputs."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._stack = contextlib.AsyncExitStack()
        self._app = self._loop.run_until_complete(self._stack.enter_async_context(_opened()))

    def check(self, data: bytes) -> None:
        self._loop.run_until_complete(self._check(data))

    def close(self) -> None:
        self._loop.run_until_complete(self._stack.aclose())
        self._loop.close()

    async def _check(self, data: bytes) -> None:
        method, path = _CALLS[data[0] % len(_CALLS)]
        body = data[2:]
        around = {k: v.replace("{text}", "\0") for k, v in _AROUND[data[1] % len(_AROUND)].items()}
        around.setdefault("authorization", f"Bearer {_TOKEN}")
        if "cookie" in around:
            del around["authorization"]
        path, _, query = path.replace("{text}", quote(body, safe="/?&=%")).partition("?")
        headers = [(k.encode(), v.encode().replace(b"\0", body)) for k, v in around.items()]
        answer = _Answer(body)
        async with asyncio.timeout(_LONGEST_S):
            await self._app(_scope(method, path, query, headers), answer.receive, answer.send)
        answer.check()


class _Answer:
    """What a client sees; it leaves as soon as the head of an event stream has come."""

    def __init__(self, body: bytes) -> None:
        self.status = 0
        self._body = body
        self._type = b""
        self._said = b""
        self._left = asyncio.Event()
        self._asked = False

    async def receive(self) -> Message:
        if self._asked:
            await self._left.wait()
            return {"type": "http.disconnect"}
        self._asked = True
        return {"type": "http.request", "body": self._body, "more_body": False}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._type = dict(message["headers"]).get(b"content-type", b"")
            if self._type.startswith(b"text/event-stream"):
                self._left.set()
        else:
            self._said += message.get("body", b"")

    def check(self) -> None:
        assert 200 <= self.status < 500 or self.status == 503, f"{self.status}: {self._said[:200]!r}"
        if self.status >= 400 and self._type != b"text/html; charset=utf-8":
            problem = json.loads(self._said)
            assert self._type == b"application/problem+json"
            assert problem["status"] == self.status
            assert problem["code"] != "bug"
            if self.status == 503:
                assert problem["code"] == "full", problem  # there is no media process


def _scope(method: str, path: str, query: str, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"localhost:8080"), *headers],
        "client": ("192.0.2.1", 1),
        "server": ("localhost", 8080),
    }


@contextlib.asynccontextmanager
async def _opened() -> AsyncIterator[Any]:
    with tempfile.TemporaryDirectory(prefix="parola-fuzz-") as folder:
        settings = Settings.load(data_dir=Path(folder), limits="off")
        await upgrade(settings.database_url)
        store, bus = Store.open(settings.database_url), MemoryBus()
        await store.accounts.add("ada", "ada", "Ada", "-", _NOW)
        await store.accounts.add("bob", "bob", "Bob", "-", _NOW)
        await store.sessions.add("session", hashlib.sha256(_TOKEN.encode()).hexdigest(), "ada", clock.now())
        events = rooms.create(_ROOM, "ada", "A room", rooms.Access.OPEN, True, None, _NOW)
        await store.rooms.create(rooms.fold(None, events), events)
        services, _, audience, _ = make_services(settings, store, bus)
        sessions = Sessions(store, bus, _NoPasswords(), services.words, clock.now, "open")  # type: ignore[arg-type]
        await audience.start()
        yield make_app(replace(services, sessions=sessions), Path(folder))
        await bus.close()
        await store.close()


@functools.cache
def _web() -> _Web:
    web = _Web()
    atexit.register(web.close)
    return web
