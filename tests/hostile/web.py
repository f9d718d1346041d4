"""HTTP by hand, for calls that no client would make, and what a web process reads of them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.house import House, children


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        return str(json.loads(self.body)["code"])

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One connection to a web process. `source` is the address it comes from."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    @contextlib.asynccontextmanager
    async def to(cls, house: House, source: str = "127.0.0.1", receive: int = 0) -> AsyncIterator[Wire]:
        """`receive` makes the kernel's own buffer on this side as small as that."""
        sock = socket.socket()
        sock.setblocking(False)
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.bind((source, 0))
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", house.http_port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=1 << 20)
        try:
            yield cls(reader, writer)
        finally:
            writer.transport.abort()

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def call(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        lines = [f"{method} {path} HTTP/1.1", "Host: localhost"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        if body:
            lines.append(f"Content-Length: {len(body)}")
        self.send("\r\n".join([*lines, "", ""]).encode() + body)

    async def answer(self, seconds: float = 10.0) -> Answer:
        """Raises TimeoutError, and IncompleteReadError where the server hangs up."""
        async with asyncio.timeout(seconds):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
            body = b""
            if "content-length" in headers:
                body = await self.reader.readexactly(int(headers["content-length"]))
            elif (
                headers.get("transfer-encoding") == "chunked"
                and "event-stream" not in headers["content-type"]
            ):
                while size := int(await self.reader.readline(), 16):
                    body += (await self.reader.readexactly(size + 2))[:-2]
                await self.reader.readline()
            return Answer(int(head[0].split()[1]), headers, body)

    async def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        self.call(method, path, body, **headers)
        return await self.answer()

    async def is_ended(self, seconds: float = 15.0) -> bool:
        """Whether the server hangs up within that time, whatever it says before."""
        try:
            async with asyncio.timeout(seconds):
                while await self.reader.read(1 << 16):
                    pass
        except TimeoutError:
            return False
        except ConnectionError:
            pass
        return True

    async def pour(self, data: bytes, most: int) -> int:
        """Sends `data` again and again until `most` bytes or nobody takes them any more: how many were taken."""
        sent = 0
        with contextlib.suppress(ConnectionError, TimeoutError):
            while sent < most:
                self.writer.write(data)
                async with asyncio.timeout(3):
                    await self.writer.drain()
                sent += len(data)
        return sent


def web_pid(house: House) -> int:
    (pid,) = children(house)["web"]
    return pid


def bytes_read(pid: int) -> int:
    """By a process, from sockets and files, since it began."""
    lines = dict(line.split(": ") for line in Path(f"/proc/{pid}/io").read_text().splitlines())
    return int(lines["rchar"])


def memory(pid: int) -> int:
    """Bytes that a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def bearer(token: str | None) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}
