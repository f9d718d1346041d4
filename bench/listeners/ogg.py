"""An endless Ogg Opus stream (RFC 3533, RFC 7845) to a server that takes it by HTTP PUT."""

from __future__ import annotations

import asyncio
import base64
import secrets
import struct
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

_PACKET_S = 0.02
_SAMPLES = 960


async def put(url: str, user: str, password: str, packets: Sequence[bytes], on_a_page: int) -> None:
    """In real time until it is cancelled; `packets` hold 20 ms each. Raises ConnectionError."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    head = (
        f"PUT {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Basic {token}\r\n"
        "Content-Type: application/ogg\r\nIce-Public: 0\r\nExpect: 100-continue\r\n\r\n"
    )
    writer.write(head.encode())
    status = (await reader.readline()).split()
    if len(status) < 2 or status[1] not in (b"100", b"200"):
        raise ConnectionError(f"the server answers {b' '.join(status).decode()}")
    stream = Stream()
    writer.write(stream.head())
    begin, n = time.monotonic(), 0
    try:
        while True:
            chosen = [packets[(n * on_a_page + i) % len(packets)] for i in range(on_a_page)]
            writer.write(stream.page(chosen))
            await writer.drain()
            n += 1
            await asyncio.sleep(max(0.0, begin + n * on_a_page * _PACKET_S - time.monotonic()))
    finally:
        writer.close()


class Stream:
    """Pages of one logical stream, in order."""

    def __init__(self) -> None:
        self._serial = secrets.randbits(32)
        self._number = 0
        self._samples = 0

    def head(self) -> bytes:
        """RFC 7845, section 5: mono, no gain, no comments."""
        identification = b"OpusHead" + struct.pack("<BBHIhB", 1, 1, 312, 48_000, 0, 0)
        comments = b"OpusTags" + struct.pack("<I", 5) + b"bench" + struct.pack("<I", 0)
        return self._page([identification], kind=2) + self._page([comments])

    def page(self, packets: Sequence[bytes]) -> bytes:
        self._samples += _SAMPLES * len(packets)
        return self._page(packets)

    def _page(self, packets: Sequence[bytes], kind: int = 0) -> bytes:
        laces = b"".join(b"\xff" * (len(p) // 255) + bytes([len(p) % 255]) for p in packets)
        assert len(laces) <= 255
        head = b"OggS" + struct.pack("<BBqII", 0, kind, self._samples, self._serial, self._number)
        self._number += 1
        rest = bytes([len(laces)]) + laces + b"".join(packets)
        return head + struct.pack("<I", checksum(head + bytes(4) + rest)) + rest


def checksum(data: bytes) -> int:
    """RFC 3533, section 6: CRC-32 with polynomial 04c11db7, neither reflected nor inverted."""
    value = 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ _TABLE[value >> 24 ^ byte]
    return value


def _entry(index: int) -> int:
    value = index << 24
    for _ in range(8):
        value = (value << 1 ^ (0x04C11DB7 if value & 0x80000000 else 0)) & 0xFFFFFFFF
    return value


_TABLE = [_entry(index) for index in range(256)]
