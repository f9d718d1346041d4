"""One web process without sockets: the real app over a real database, an in-memory bus, and a media process that only
answers."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from fastapi import FastAPI

from parola.api.app import Services, make_app
from parola.bus import Message, subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import (
    Body,
    Closed,
    CloseOrder,
    Connected,
    Details,
    DetailsOrder,
    Figures,
    PresenceChanged,
    Refused,
    Settled,
    SettleOrder,
    WhepOrder,
    WhipOrder,
)
from parola.outbound import Outbound
from parola.services import clock
from parola.services.rounds import Addresses
from parola.settings import Settings
from parola.store import Store
from parola.wiring import make_services

BASE = "http://localhost:8080"
OFFER = "v=0\r\n"
DETAILS = {
    "state": "connected",
    "since_ms": 1500,
    "family": "ipv4",
    "packets": 75,
    "bytes": 9000,
    "loss": 0.02,
    "jitter_ms": 3.5,
    "rtt_ms": None,
    "red": True,
    "packet_ms": 20,
    "concealed": None,
    "delay_ms": None,
}
ANSWER = "v=0\r\na=the answer\r\n"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeMedia:
    """Answers the orders of web processes; `replies` overrules a verb: a Body to say, or None to stay silent."""

    def __init__(self, bus: MemoryBus, store: Store, process_id: str = "media_1") -> None:
        self.process_id = process_id
        self.replies: dict[str, Body | None] = {}
        self.orders: list[Body] = []
        self.connections: dict[str, WhepOrder | WhipOrder] = {}
        self._bus = bus
        self._store = store

    async def start(self) -> None:
        await self._store.leases.beat(self.process_id, "here", 0.0)
        for verb in ("whep", "whip", "close", "details", "settle", "figures"):
            await self._bus.subscribe(subjects.media(self.process_id, verb), self._order)

    def settled(self) -> list[int]:
        return [order.seq for order in self.orders if isinstance(order, SettleOrder)]

    async def tell_presence(self, room_id: str) -> None:
        here = {c: o for c, o in self.connections.items() if o.room_id == room_id}
        named = [(c.partition(".")[2], o) for c, o in here.items()]
        presence = PresenceChanged(
            self.process_id,
            room_id,
            0,
            1,
            [(c, o.account_id) for c, o in named if isinstance(o, WhepOrder)],
            [(c, o.account_id) for c, o in named if isinstance(o, WhipOrder)],
            [],
        )
        await self._bus.publish(subjects.PRESENCE, presence.to_bytes())

    async def _order(self, message: Message) -> None:
        verb = message.subject.rpartition(".")[2]
        reply = self._carry_out(verb, message.data)
        if verb in self.replies:
            reply = self.replies[verb]
        if reply is not None:
            await message.respond(reply.to_bytes())

    def _carry_out(self, verb: str, data: bytes) -> Body | None:
        if verb == "figures":
            rooms = {
                "name": "parola_media_rooms_owned",
                "help": "Rooms",
                "kind": "gauge",
                "samples": [["parola_media_rooms_owned", {}, 1.0]],
            }
            return Figures({"full": 0.0}, "here", "media-0", [rooms])
        if verb == "settle":
            self.orders.append(SettleOrder.from_bytes(data))
            return Settled()
        if verb in ("close", "details"):
            order = (CloseOrder if verb == "close" else DetailsOrder).from_bytes(data)
            self.orders.append(order)
            found = self.connections.get(order.connection_id)
            if found is None or (found.room_id, found.account_id) != (order.room_id, order.account_id):
                return Refused(404, "not_found", "There is nothing here.")
            if verb == "details":
                return Details({**DETAILS, "kind": "whep" if isinstance(found, WhepOrder) else "whip"})
            del self.connections[order.connection_id]
            return Closed()
        offer: WhepOrder | WhipOrder = (WhepOrder if verb == "whep" else WhipOrder).from_bytes(data)
        self.orders.append(offer)
        connection_id = f"{self.process_id}.{secrets.token_urlsafe(16)}"
        if verb not in self.replies:
            self.connections[connection_id] = offer
        return Connected(connection_id, ANSWER)


@dataclass(frozen=True)
class Answer:
    """An HTTP answer with its JSON, which is checked to be a problem wherever it says no."""

    status: int
    headers: httpx2.Headers
    content: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json", self.content
        problem = self.json
        assert problem["status"] == self.status
        assert {"type", "title", "status", "detail", "code"} <= problem.keys()
        if self.status == 422 and problem["code"] == "invalid":
            assert problem["errors"]
            assert all(set(e) == {"field", "message"} for e in problem["errors"])
        return str(problem["code"])

    @property
    def said(self) -> tuple[int, str]:
        return self.status, self.code


@dataclass
class Person:
    """Somebody who calls: a member by a bearer token, or, without one, a guest."""

    web: WebProcess
    handle: str = ""
    name: str = ""
    id: str = ""
    token: str = ""

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        headers = {**self.headers, **more.pop("headers", {})}
        return await self.web.call(method, path, headers=headers, **more)

    async def get(self, path: str, **more: Any) -> Answer:
        return await self.call("GET", path, **more)

    async def post(self, path: str, **more: Any) -> Answer:
        return await self.call("POST", path, **more)

    async def put(self, path: str, **more: Any) -> Answer:
        return await self.call("PUT", path, **more)

    async def delete(self, path: str, **more: Any) -> Answer:
        return await self.call("DELETE", path, **more)

    async def patch(self, path: str, **more: Any) -> Answer:
        return await self.call("PATCH", path, **more)

    async def opens(self, **more: Any) -> str:
        """The id of a new room of theirs."""
        answer = await self.post("/api/rooms", json={"title": "A room", **more})
        assert answer.status == 201, answer.content
        return str(answer.json["id"])

    async def connects(self, room_id: str, kind: str = "whep") -> Answer:
        headers = {"Content-Type": "application/sdp"}
        return await self.post(f"/api/rooms/{room_id}/{kind}", content=OFFER, headers=headers)

    def reads(self, room_id: str, last_event_id: str | None = None) -> EventStream:
        headers = dict(self.headers)
        if last_event_id is not None:
            headers["Last-Event-ID"] = last_event_id
        return EventStream(self.web.app, f"/api/rooms/{room_id}/events", headers)

    def hears(self) -> EventStream:
        """Their own events."""
        return EventStream(self.web.app, "/api/me/events", self.headers)


@dataclass
class WebProcess:
    """`go` makes one and ends it."""

    app: FastAPI
    services: Services
    store: Store
    bus: MemoryBus
    media: FakeMedia
    client: httpx2.AsyncClient
    people: dict[str, Person] = field(default_factory=dict)

    @classmethod
    @contextlib.asynccontextmanager
    async def go(
        cls,
        store: Store,
        page: Path,
        bus: MemoryBus | None = None,
        outbound: Outbound | None = None,
        addresses: Addresses | None = None,
        **settings: Any,
    ) -> AsyncIterator[WebProcess]:
        bus = bus or MemoryBus()
        chosen = {"limits": "off", "public_url": BASE, "data_dir": page, **settings}
        services, projections, audience, feeds = make_services(
            Settings.load(**chosen), store, bus, outbound, addresses
        )
        projections.leases._monotonic = lambda: 0.0  # no lease runs out because a test takes its time
        media = FakeMedia(bus, store)
        await media.start()
        await audience.start()
        await services.notices.start()
        await projections.leases.look()
        watching = asyncio.create_task(feeds.run())
        app = make_app(services, page)
        transport = httpx2.ASGITransport(app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=BASE) as client:
            yield cls(app, services, store, bus, media, client)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await services.outbound.close()
        await bus.close()

    async def call(self, method: str, path: str, **more: Any) -> Answer:
        """Cookies are only sent where a test names them."""
        self.client.cookies.clear()
        answer = await self.client.request(method, path, **more)
        self.client.cookies.clear()
        return Answer(answer.status_code, answer.headers, answer.content)

    async def member(self, handle: str) -> Person:
        """A member and a session of theirs, without the slow hash of a password."""
        person = Person(
            self, handle, handle.title(), secrets.token_urlsafe(16), token=secrets.token_urlsafe(32)
        )
        await self.store.accounts.add(person.id, handle, person.name, "-", NOW)
        digest = hashlib.sha256(person.token.encode()).hexdigest()
        await self.store.sessions.add(secrets.token_urlsafe(16), digest, person.id, clock.now())
        self.people[handle] = person
        return person

    async def members(self, *handles: str) -> list[Person]:
        return [await self.member(handle) for handle in handles]

    @property
    def guest(self) -> Person:
        return Person(self)


@dataclass(frozen=True)
class Told:
    """One event of a stream."""

    kind: str
    data: Any
    id: int | None


class EventStream:
    """An event stream read straight from the app: httpx's transport would wait for its end."""

    def __init__(self, app: FastAPI, path: str, headers: dict[str, str]) -> None:
        self.status = 0
        self.content_type = ""
        self.retry_ms = 0
        self._app = app
        self._scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [
                (b"host", b"localhost:8080"),
                *((k.lower().encode(), v.encode()) for k, v in headers.items()),
            ],
            "client": ("192.0.2.1", 1),
            "server": ("localhost", 8080),
        }
        self._left = asyncio.Event()
        self._told: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._started = asyncio.Event()

    async def __aenter__(self) -> EventStream:
        self._task = asyncio.create_task(self._run())
        await self._started.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._left.set()
        await self._task

    async def next(self) -> Told | None:
        """The next event, None at the end of the stream."""
        while (text := await self._told.get()) is not None:
            fields = dict(line.partition(": ")[::2] for line in text.decode().splitlines())
            if "retry" in fields:
                self.retry_ms = int(fields["retry"])
            if "event" in fields:
                id = int(fields["id"]) if "id" in fields else None
                return Told(fields["event"], json.loads(fields["data"]), id)
        return None

    async def until(self, kind: str) -> Told:
        while (told := await self.next()) is not None:
            if told.kind == kind:
                return told
        raise AssertionError(f"the stream ended without {kind}")

    async def rest(self) -> list[Told]:
        """Everything until the stream ends."""
        found = []
        while (told := await self.next()) is not None:
            found.append(told)
        return found

    async def lasting_until(self, seq: int) -> list[Told]:
        """Lasting events up to `seq`."""
        found: list[Told] = []
        while not found or (found[-1].id or 0) < seq:
            told = await self.next()
            assert told is not None, "the stream ended too early"
            if told.id is not None:
                found.append(told)
        return found

    async def _run(self) -> None:
        try:
            await self._app(self._scope, self._receive, self._send)
        finally:
            self._started.set()
            self._told.put_nowait(None)

    async def _receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.content_type = dict(message["headers"]).get(b"content-type", b"").decode()
            self._started.set()
        elif message["body"]:
            self._told.put_nowait(message["body"])
