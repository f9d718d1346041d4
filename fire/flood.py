"""Datagrams by the thousand from a process of their own: made beforehand, sent in batches by `sendmmsg`.

A sender in Python that makes each datagram when it is due would need the core that the server is measured on.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import socket
import struct
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PERIOD_S = 0.002
_LENGTH = struct.Struct("!I")
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Flooded:
    """`sent` datagrams were taken by the kernel, in `seconds`."""

    sent: int
    seconds: float


async def flood(
    server: tuple[str, int],
    sockets: Sequence[socket.socket],
    datagrams: Sequence[bytes],
    rate: int,
    seconds: float,
) -> Flooded:
    """Sends `rate` datagrams a second, over and over in their order, from one of the sockets after the other. The
    sockets stay the caller's, who may use them meanwhile."""
    descriptors = [sock.fileno() for sock in sockets]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "fire.flood", server[0], str(server[1]), str(rate), str(seconds),
        ",".join(map(str, descriptors)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, pass_fds=descriptors, cwd=_ROOT,
    )  # fmt: skip
    try:
        packed = b"".join(_LENGTH.pack(len(datagram)) + datagram for datagram in datagrams)
        said, _ = await process.communicate(packed)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"the flood ended with {process.returncode}"
    sent, took = said.split()
    return Flooded(int(sent), float(took))


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_char_p), ("length", ctypes.c_size_t))


class _Message(ctypes.Structure):
    """struct mmsghdr (sendmmsg(2)), as Linux has it on 64 bits."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iovec", ctypes.POINTER(_Iovec)),
        ("iovec_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_uint64),  # an int, and what aligns the struct msghdr that ends here
        ("sent", ctypes.c_uint64),
    )


def _main() -> None:
    host, port, rate, seconds, descriptors = sys.argv[1:]
    packed, datagrams, at = sys.stdin.buffer.read(), [], 0
    while at < len(packed):
        (length,) = _LENGTH.unpack_from(packed, at)
        at += 4 + length
        datagrams.append(packed[at - length : at])
    address = (
        struct.pack("=H", socket.AF_INET) + struct.pack("!H", int(port)) + socket.inet_aton(host) + bytes(8)
    )
    name = ctypes.create_string_buffer(address, 16)
    iovecs = (_Iovec * len(datagrams))(*((datagram, len(datagram)) for datagram in datagrams))
    messages = (_Message * len(datagrams))()
    for i, message in enumerate(messages):
        message.name, message.name_length = ctypes.addressof(name), 16
        message.iovec, message.iovec_count = ctypes.pointer(iovecs[i]), 1
    os.write(1, "{} {}".format(*_send(messages, int(rate), float(seconds), descriptors.split(","))).encode())


def _send(
    messages: ctypes.Array[_Message], rate: int, seconds: float, descriptors: list[str]
) -> tuple[int, float]:
    sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
    size, turn, sent, due = ctypes.sizeof(_Message), 0, 0, 0
    begin = time.monotonic()
    while (elapsed := time.monotonic() - begin) < seconds:
        batch = min(int(elapsed * rate) - due, 200)
        while batch > 0:
            at = due % len(messages)
            count = min(batch, len(messages) - at)
            where = ctypes.byref(messages, at * size)
            # What the kernel does not take is lost, as on any network; it is not counted as sent.
            sent += max(0, sendmmsg(int(descriptors[turn % len(descriptors)]), where, count, 0))
            due, batch, turn = due + count, batch - count, turn + 1
        time.sleep(PERIOD_S)
    return sent, time.monotonic() - begin


if __name__ == "__main__":
    _main()
