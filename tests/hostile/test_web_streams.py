"""Row 21: event streams that nobody reads, over real sockets into a web process whose every queue can be looked at."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest
import uvicorn

from parola.api.door import Door, Porter
from parola.api.streams import UNREAD_S, OpenStream
from parola.services.readers import Told
from parola.store import Store
from tests.e2e.house import eventually
from tests.web_process import Person, WebProcess

pytestmark = pytest.mark.any_database

CUT_AFTER_S = 10.0
MOST_HELD = 1 << 20
DEAF = 5


@pytest.fixture
async def web(store: Store, tmp_path: Path) -> AsyncIterator[WebProcess]:
    async with WebProcess.go(store, tmp_path) as web:
        yield web


@contextlib.asynccontextmanager
async def serving(web: WebProcess) -> AsyncIterator[uvicorn.Server]:
    """Behind a kernel that keeps next to nothing for anybody."""
    http = cast(type[Door], functools.partial(Door, Porter()))
    server = uvicorn.Server(uvicorn.Config(web.app, http=http, log_config=None, lifespan="off"))
    with socket.socket() as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        listening.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve([listening]))
        await eventually(lambda: server.started)
        yield server
        web.services.feeds.close()
        server.should_exit = True
        await running


@contextlib.asynccontextmanager
async def reading(server: uvicorn.Server, room: str) -> AsyncIterator[asyncio.StreamReader]:
    """A stream of events, of which the kernel here keeps next to nothing either."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    sock.setblocking(False)
    port = server.servers[0].sockets[0].getsockname()[1]
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
    writer.write(f"GET /api/rooms/{room}/events HTTP/1.1\r\nHost: localhost:8080\r\n\r\n".encode())
    try:
        yield reader
    finally:
        writer.transport.abort()


def held(web: WebProcess, server: uvicorn.Server) -> dict[int, int]:
    """Bytes for each open stream: what its transport has, and what waits for it before that."""
    return dict(enumerate(stream.unread() for stream in streams(server)))


def streams(server: uvicorn.Server) -> list[OpenStream]:
    connections = cast(set[object], server.server_state.connections)
    return [stream for stream in connections if isinstance(stream, OpenStream)]


async def make_noise(ada: Person, room: str) -> None:
    while True:
        await ada.put(f"/api/rooms/{room}/mutes/ada")
        await ada.delete(f"/api/rooms/{room}/mutes/ada")


@pytest.mark.timeout(120)
async def test_row_21_who_never_reads_is_cut_and_little_is_held_for_it(web: WebProcess) -> None:
    ada = await web.member("ada")
    await ada.patch("/api/me", json={"name": "\N{STUDIO MICROPHONE}" * 60})
    room = await ada.opens()
    most, stuck_at, cut_at = 0, 0.0, 0.0
    async with serving(web) as server, contextlib.AsyncExitStack() as stack:
        for _ in range(DEAF):
            await stack.enter_async_context(reading(server, room))
        good = await stack.enter_async_context(reading(server, room))
        heard = asyncio.create_task(events_until_end(good))
        await eventually(lambda: web.services.feeds.open_streams == DEAF + 1)
        noise = asyncio.create_task(make_noise(ada, room))
        while not cut_at:
            await asyncio.sleep(0.01)
            most = max(most, *held(web, server).values(), 0)
            paused = sum(stream.is_stuck for stream in streams(server))
            if paused >= DEAF and not stuck_at:
                stuck_at = time.monotonic()
            if len(streams(server)) == 1 and stuck_at:
                cut_at = time.monotonic()
        noise.cancel()
        await asyncio.gather(noise, return_exceptions=True)
        assert UNREAD_S / 2 < cut_at - stuck_at <= CUT_AFTER_S
        assert most <= MOST_HELD
        assert len(server.server_state.connections) == 1
        last = (await ada.post(f"/api/rooms/{room}/end")).json["seq"]
        assert await heard == last, "who reads misses nothing"


async def events_until_end(reader: asyncio.StreamReader) -> int:
    """The seq of the last lasting event of a stream in which none is missing."""
    seq = 0
    while line := await reader.readline():
        if line.startswith(b"id: "):
            assert not seq or int(line[4:]) == seq + 1
            seq = int(line[4:])
        if line == b"event: room.ended\n":
            return seq
    return 0


async def test_row_21_what_waits_for_one_reader_is_bounded_in_bytes(web: WebProcess) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    async with serving(web) as server, reading(server, room):
        await eventually(lambda: web.services.feeds.open_streams == 1)
        (feed,) = web.services.feeds._feeds.values()
        for _ in range(40):
            await feed.tell([Told(b"x" * 50_000)])
            assert max(held(web, server).values(), default=0) <= MOST_HELD / 2
        await eventually(lambda: not server.server_state.connections, CUT_AFTER_S + 5)
    assert web.services.feeds.open_streams == 0
