"""Rows 17, 19 and 21: what is done to HTTP itself, against a real server with its limits on."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from parola.api.door import LARGEST_CALL, LARGEST_HEAD, UNREAD_S
from parola.domain.limits import OPEN_CONNECTIONS
from tests.e2e.house import House, eventually, opened, people
from tests.hostile.web import Wire, bearer, bytes_read, memory, web_pid

pytestmark = [pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]

JSON = {"Content_Type": "application/json"}
SDP = {"Content_Type": "application/sdp"}
ENDLESS = 64 << 20
KERNEL = 1 << 20
"""More than what the process reads for itself meanwhile, and than one read of a socket."""


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment={"PAROLA_LIMITS": "default"})) as house:
            yield house


# --- 17: bodies


@pytest.mark.parametrize(
    ("path", "kind"), [("/api/rooms", JSON), ("/api/accounts", JSON), ("/api/rooms/a/whep", SDP)]
)
@pytest.mark.parametrize("announced", [True, False])
async def test_row_17_a_body_over_its_limit_is_refused_and_read_no_further(
    house: House, path: str, kind: dict[str, str], announced: bool
) -> None:
    pid = web_pid(house)
    async with people(house, "ada") as (ada,), Wire.to(house) as wire:
        before = bytes_read(pid)
        length = {"Content_Length": str(ENDLESS)} if announced else {"Transfer_Encoding": "chunked"}
        wire.call("POST", path, **kind, **length, **bearer(ada.token))
        piece = b" " * 10_000
        chunk = piece if announced else b"%x\r\n%s\r\n" % (len(piece), piece)
        pouring = asyncio.create_task(wire.pour(chunk, ENDLESS))
        answer = await wire.answer()
        assert (answer.status, answer.code) == (413, "too_large")
        assert await pouring < ENDLESS
        assert await wire.is_ended()
        assert bytes_read(pid) - before < LARGEST_CALL + KERNEL


async def test_row_17_inflated_bodies_are_not_taken(house: House) -> None:
    pid = web_pid(house)
    bomb = gzip.compress(bytes(32 << 20))
    for path, kind in (("/api/sessions", JSON), ("/api/rooms/a/whep", SDP)):
        for coding in ("gzip", "deflate", "br", "zstd", "GZIP", "gzip, identity"):
            before = memory(pid)
            async with Wire.to(house) as wire:
                answer = await wire.ask("POST", path, bomb[:60_000], **kind, Content_Encoding=coding)
            assert (answer.status, answer.code) == (415, "unsupported_media_type")
            assert memory(pid) - before < 8 << 20


@pytest.mark.parametrize("head", [b"GET / HTTP/1.1\r\nX: ", b"GET /", b"GET / HTTP/1.1\r\n"])
async def test_row_17_a_head_without_an_end_is_not_kept(house: House, head: bytes) -> None:
    pid = web_pid(house)
    before, held = bytes_read(pid), memory(pid)
    async with Wire.to(house) as wire:
        wire.send(head)
        piece = b"X: y\r\n" * 2000 if head.endswith(b"\n") else b"x" * 10_000
        assert await wire.pour(piece, ENDLESS) < ENDLESS
        assert await wire.is_ended()
    assert bytes_read(pid) - before < LARGEST_HEAD + KERNEL
    assert memory(pid) - held < 8 << 20


async def test_row_17_what_stands_between_and_behind_chunks_counts_too(house: House) -> None:
    pid = web_pid(house)
    for piece in (b"1;" + b"x" * 8000 + b"\r\ny\r\n", b"X: " + b"y" * 8000 + b"\r\n"):
        before = bytes_read(pid)
        async with Wire.to(house) as wire:
            wire.call("POST", "/api/sessions", **JSON, Transfer_Encoding="chunked")
            if piece.startswith(b"X"):
                wire.send(b"0\r\n")
            assert await wire.pour(piece, ENDLESS) < ENDLESS
            assert await wire.is_ended()
        assert bytes_read(pid) - before < LARGEST_CALL + KERNEL


async def test_row_17_who_sends_slowly_and_rightly_is_answered(house: House) -> None:
    body = b'{"handle": "nobody", "password": "in no hurry"}'
    async with Wire.to(house) as wire:
        wire.call("POST", "/api/sessions", **JSON, Content_Length=str(len(body)))
        for at in range(0, len(body), 8):
            wire.send(body[at : at + 8])
            await asyncio.sleep(0.05)
        assert (await wire.answer()).status == 401
        # The connection goes on: a call that was read to its end costs nobody anything.
        assert (await wire.ask("GET", "/api/rooms")).status == 200


# --- 19: half-open sockets

MANY = 5000
ATTACKER = "127.9.0.1"


@contextlib.asynccontextmanager
async def half_open(house: House, count: int, source: str) -> AsyncIterator[list[socket.socket]]:
    loop = asyncio.get_running_loop()
    with contextlib.ExitStack() as stack:
        made = []
        for number in range(count):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.bind((source, 0))
            await loop.sock_connect(sock, ("127.0.0.1", house.http_port))
            if number % 2:
                sock.send(b"GET /api/rooms HTTP/1.1\r\nHo")
            made.append(sock)
        yield made


def is_open(sock: socket.socket) -> bool:
    try:
        return sock.recv(1, socket.MSG_PEEK) != b""
    except BlockingIOError:
        return True
    except ConnectionError:
        return False


async def test_row_19_half_open_sockets_leave_room_for_others_and_for_the_same_address(house: House) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Open to all"})
        async with half_open(house, MANY, ATTACKER) as sockets:
            await eventually(lambda: sum(map(is_open, sockets)) <= OPEN_CONNECTIONS)
            for source in ("127.0.0.1", "127.9.0.2", ATTACKER):
                async with Wire.to(house, source) as wire:
                    assert (await wire.ask("GET", f"/api/rooms/{room['id']}")).status == 200
                    wire.call("GET", f"/api/rooms/{room['id']}/events")
                    assert (await wire.answer()).status == 200
            assert is_open(sockets[-1]), "the longest waiting leave first"
            assert not is_open(sockets[0])
            await eventually(lambda: not any(map(is_open, sockets)), 30)


async def test_row_19_who_is_being_answered_makes_room_for_nobody(house: House) -> None:
    async with people(house, "ada") as (ada,), contextlib.AsyncExitStack() as stack:
        room = await ada.call("POST", "/api/rooms", {"title": "A classroom"})
        streams = [await stack.enter_async_context(Wire.to(house, ATTACKER)) for _ in range(20)]
        for wire in streams:
            wire.call("GET", f"/api/rooms/{room['id']}/events")
            assert (await wire.answer()).status == 200
        async with half_open(house, OPEN_CONNECTIONS + 200, ATTACKER):
            await ada.call("POST", f"/api/rooms/{room['id']}/end")
            for wire in streams:
                async with asyncio.timeout(10):
                    await wire.reader.readuntil(b"event: room.ended")


async def test_row_19_a_trusted_proxy_brings_everybody(tmp_path: Path) -> None:
    environment = {"PAROLA_LIMITS": "default", "PAROLA_TRUSTED_PROXIES": f"{ATTACKER},10.0.0.0/8"}
    with opened(House(tmp_path, environment=environment)) as house:
        async with half_open(house, OPEN_CONNECTIONS + 100, ATTACKER) as sockets:
            async with Wire.to(house, ATTACKER) as wire:
                assert (await wire.ask("GET", "/api/rooms")).status == 200
            assert all(map(is_open, sockets))


# --- 21: who never reads


async def test_row_21_who_never_reads_any_other_answer_is_cut_too(house: House) -> None:
    async with Wire.to(house, receive=1024) as wire:
        wire.writer.transport.pause_reading()
        for _ in range(200):  # one after the other, without taking a single answer
            wire.call("GET", "/api/openapi.json")
        await asyncio.sleep(UNREAD_S + 3)
        wire.writer.transport.resume_reading()
        assert await wire.is_ended(5)
