"""The one socket of all listeners: each has a loopback address of its own, and all have the same port.

IP_PKTINFO says which of them a datagram came to, and from which one leaves, so that tens of thousands of listeners need
a single descriptor; `recvmmsg` and `sendmmsg` move 64 datagrams a call.
"""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bench.listeners import tables
from bench.listeners.counting import BATCH, SIZE, drain
from bench.listeners.native import address
from bench.listeners.signalling import Address

FIRST = struct.unpack("!I", socket.inet_aton("127.16.0.1"))[0]
"""The first listener's address; the others follow it."""
_IP_PKTINFO = 8
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS, _SO_MEMINFO = 32, 33, 35, 55
_MEMINFO = struct.Struct("=9I")
_BUFFER_BYTES = 512 << 20
"""Three quarters of a kilobyte each in the kernel's books: half a million packets may wait."""
_HEADER, _NAME, _CONTROL = 64, 16, 64
_HANDED = 1024
_EVERY_NS = 5_000_000
_MSG_DONTWAIT = 0x40

_sendmmsg = ctypes.CDLL(None, use_errno=True).sendmmsg
_sendmmsg.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int]


def open_socket(buffer_bytes: int = _BUFFER_BYTES) -> socket.socket:
    """On every loopback address. Without the right to large buffers they are as large as the system allows."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            sock.setsockopt(socket.SOL_SOCKET, force, buffer_bytes)
        except OSError:
            sock.setsockopt(socket.SOL_SOCKET, plain, buffer_bytes)
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    sock.bind(("0.0.0.0", 0))
    return sock


def overflow(sock: socket.socket) -> int:
    """Datagrams that found the buffer full: they are this bench's own fault, and no server's."""
    return int(_MEMINFO.unpack(sock.getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size))[8])


def own_address(index: int) -> str:
    """Of listener number `index`."""
    return socket.inet_ntoa(struct.pack("!I", FIRST + index))


@dataclass(frozen=True, slots=True)
class Datagram:
    """One that is not counted and done with: to which listener, from where, and when (wall clock, ns)."""

    index: int
    source: Address
    at: int
    data: bytes


class Inbox:
    """`listeners` and `streams` are the tables that it fills; `lateness`: a histogram over all streams of those
    who are not watched, and of those who are."""

    def __init__(self, sock: socket.socket, listeners: int, streams_each: int, longest: int) -> None:
        """`longest`: timestamp units that one packet may hold."""
        self.listeners = np.zeros(listeners, tables.LISTENER)
        self.streams = tables.streams(listeners, streams_each)
        self.lateness = np.zeros((2, tables.BINS), np.int64)
        self.reports = np.zeros((listeners, 160), np.uint8)
        self.longest = longest
        self._fd = sock.fileno()
        self._functions = tuple(address(n) for n in ("recvmmsg", "clock_nanosleep", "clock_gettime"))
        self._memory = _Memory()
        self._handed = (np.zeros((_HANDED, SIZE), np.uint8), np.zeros((_HANDED, 4), np.int64))

    def wait(self, seconds: float) -> Iterator[Datagram]:
        """Counts for so long, or until there is something to be handed over."""
        until = time.monotonic_ns() + int(seconds * 1e9)
        box = (self._memory.messages, self._memory.control, self._memory.data, self._memory.names)
        filled = (self.listeners, self.streams, self.lateness, self.reports)
        count = drain(
            self._functions, self._fd, box, filled, self._handed, FIRST, self.longest, _EVERY_NS, until
        )
        datagrams, notes = self._handed
        for i in range(count):
            index, size, at, source = notes[i].tolist()
            host = socket.inet_ntoa((source >> 16).to_bytes(4, "big"))
            yield Datagram(index, (host, source & 0xFFFF), at, datagrams[i, :size].tobytes())

    def report(self, index: int) -> bytes:
        """The latest RTCP packet to a listener, empty where there was none."""
        return bytes(self.reports[index, : self.listeners[index]["report_size"]].tobytes())


class Outbox:
    """Collects datagrams, each with the listener whose address it leaves from; 64 of them are one call."""

    def __init__(self, sock: socket.socket) -> None:
        self.unsent = 0
        self._fd = sock.fileno()
        self._memory = _Memory()
        self._base = self._memory.messages.ctypes.data
        self._data = self._memory.data.data.cast("B")
        self._names = self._memory.names.data.cast("B")
        self._control = self._memory.control.data.cast("B")
        self._sizes = self._memory.lengths.data.cast("B")
        for i in range(BATCH):
            # cmsg(3): length, level IPPROTO_IP, IP_PKTINFO; then any interface, and the address to leave from.
            struct.pack_into("=QiiI4sI", self._control, i * _CONTROL, 28, 0, _IP_PKTINFO, 0, bytes(4), 0)
        self._memory.messages[:, 10] = 32
        self._memory.messages[:, 2] = _NAME
        self._count = 0

    def put(self, index: int, data: bytes, destination: Address) -> None:
        place = self._count
        at = place * SIZE
        self._data[at : at + len(data)] = data
        struct.pack_into("=Q", self._sizes, place * 16 + 8, len(data))
        host, port = destination
        struct.pack_into(
            "=H2s4s", self._names, place * _NAME,
            socket.AF_INET, port.to_bytes(2, "big"), socket.inet_aton(host),
        )  # fmt: skip
        struct.pack_into("!I", self._control, place * _CONTROL + 20, FIRST + index)
        self._count = place + 1
        if self._count == BATCH:
            self.flush()

    def flush(self) -> None:
        at, self._count, count = 0, 0, self._count
        while at < count:
            sent = _sendmmsg(self._fd, self._base + at * _HEADER, count - at, _MSG_DONTWAIT)
            if sent <= 0:
                if ctypes.get_errno() == errno.EINTR:
                    continue
                self.unsent += (
                    1  # the buffer is full, or an address is wrong: this one is given up, as UDP does
                )
                sent = 1
            at += sent


class _Memory:
    """`BATCH` messages as sendmmsg(2) and recvmmsg(2) want them, with all that they point to."""

    def __init__(self) -> None:
        self.data = np.zeros((BATCH, SIZE), np.uint8)
        self.names = np.zeros((BATCH, _NAME), np.uint8)
        self.control = np.zeros((BATCH, _CONTROL // 4), np.uint32)
        self.lengths = np.zeros((BATCH, 2), np.uint64)
        self.messages = np.zeros((BATCH, _HEADER // 4), np.uint32)
        rows = np.arange(BATCH, dtype=np.uint64)
        self.lengths[:, 0] = self.data.ctypes.data + rows * np.uint64(SIZE)
        self.lengths[:, 1] = SIZE
        words = self.messages.view(np.uint64)
        words[:, 0] = self.names.ctypes.data + rows * np.uint64(_NAME)
        words[:, 2] = self.lengths.ctypes.data + rows * np.uint64(16)
        words[:, 3] = 1
        words[:, 4] = self.control.ctypes.data + rows * np.uint64(_CONTROL)
        words[:, 5] = _CONTROL
