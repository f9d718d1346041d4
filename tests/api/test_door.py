"""The last descriptors, and those who stand in the door, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
from collections.abc import AsyncIterator
from typing import cast

import pytest
import structlog
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from parola.api import door
from parola.api.door import RESERVED, Door, Porter
from tests.e2e.house import eventually


class Clock:
    """Seconds that a test moves."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_last_descriptors_are_kept_and_of_few_a_quarter() -> None:
    assert Porter(lambda: 1000).has_room(1000 - RESERVED - 1)
    assert not Porter(lambda: 1000).has_room(1000 - RESERVED)
    assert Porter(lambda: 40).has_room(29)
    assert not Porter(lambda: 40).has_room(30)


def test_it_is_said_once_and_once_when_it_is_over() -> None:
    clock = Clock()
    porter = Porter(lambda: 1000, clock)
    with structlog.testing.capture_logs() as logs:
        for _ in range(5):
            porter.has_room(999)
            porter.has_room(10)
            clock.now += 1
        assert [line["event"] for line in logs] == ["descriptors.exhausted"]
        clock.now += 10
        porter.has_room(10)
    assert [line["event"] for line in logs] == ["descriptors.exhausted", "descriptors.free_again"]
    assert logs[1]["refused"] == 5


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["path"] == "/slow":
        await asyncio.sleep(0.5)
    await PlainTextResponse("here")(scope, receive, send)


@contextlib.asynccontextmanager
async def serving(porter: Porter) -> AsyncIterator[int]:
    config = uvicorn.Config(
        app, http=cast(type[Door], functools.partial(Door, porter)), log_config=None, lifespan="off"
    )
    server = uvicorn.Server(config)
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        running = asyncio.create_task(server.serve([sock]))
        await eventually(lambda: server.started)
        yield sock.getsockname()[1]
        server.should_exit = True
        await running


async def ask(port: int, sent: bytes) -> bytes:
    """Everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    answer = await reader.read()
    writer.close()
    return answer


def call(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()


async def test_whoever_gets_one_of_the_last_is_told_so_and_the_process_lives() -> None:
    async with serving(Porter(lambda: 4)) as port:
        ready, alive, other = [await ask(port, call(p)) for p in ("/readyz", "/healthz", "/api/rooms")]
    assert ready.startswith(b"HTTP/1.1 503")
    assert b'"missing":["descriptors"]' in ready
    assert alive.startswith(b"HTTP/1.1 200")
    assert other.startswith(b"HTTP/1.1 503")
    assert b'"code":"full"' in other
    assert b"retry-after: 2" in other.lower()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHo", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n12"]
)
async def test_nobody_stands_in_the_door_for_long(sent: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "REQUEST_S", 0.2)
    async with serving(Porter(lambda: 1000)) as port:
        await asyncio.wait_for(ask(port, sent), 4)
        # A call that takes long is no call that comes slowly.
        assert (await ask(port, call("/slow"))).endswith(b"here")
