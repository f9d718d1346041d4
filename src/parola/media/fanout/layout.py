"""The memory that the event loop and a sender's thread share: rows of 64-bit words, one cache line to each slot.

The loop writes jobs into a ring and a byte for each into a pipe; the thread reads no row before it has read its byte,
and says by `State.DONE` how many it has done. So nothing is written on one side while the other may read it,
except a slot's `PLACE`, which is a single word, and the `State` counters, which only go up.
"""

from __future__ import annotations

import _hashlib
import contextlib
import ctypes
import socket
import struct
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from pylibsrtp import _binding
from pylibsrtp._binding import ffi, lib

Words = NDArray[np.uint64]
Bytes = NDArray[np.uint8]
Members = NDArray[np.int32]
"""Slots of one job, in the order in which they are served."""

SLOTS = 65_536
"""Listeners of one sender at most. Memory that was never written costs nothing."""
RING = 4096
"""Jobs that may wait. A sender so far behind is of no use to anybody; what comes then is dropped and counted."""
LARGEST_PAYLOAD = 1200 - 12 - 16
"""RTP header and SRTP tag come on top: the largest datagram that every path carries (as in RFC 9000, section 14)."""
PAYLOAD_ROW = 1280
BATCH = 64
"""Datagrams in one sendmmsg."""
DATAGRAM_ROW = 1536
ADDRESS_ROW = 32
"""Bytes for a sockaddr: 16 for IPv4, 28 for IPv6."""


class Slot(IntEnum):
    """Columns of a listener's row."""

    SESSION = 0
    """Address of the libsrtp session that protects this stream, or `OWN_KEYS`; 0: nobody is here."""
    PLACE = 1
    """Where it goes: see `place`. Written by the loop at any time."""
    SSRC = 2
    STAMP = 3
    """RTP timestamp of tick 0."""
    SEQUENCE = 4
    """Of the next packet, with its roll-over counter above it (RFC 3711, section 3.3.1)."""
    SILENT = 5
    """1 where the latest packet held no sound."""
    LAST_TICK = 6
    """The last tick that was sent; nothing older follows."""
    PACKETS = 7
    OCTETS = 8
    """Of payload (RFC 3550, section 6.4.1)."""
    DATAGRAM_BYTES = 9
    RTCP_INDEX = 10
    """Of the next SRTCP packet (RFC 3711, section 3.4)."""
    KEY = 12
    """Two words: AES key of SRTP, as bytes."""
    SALT = 14
    """Two words: 12 bytes."""


SLOT_WORDS = 16
"""Two cache lines, in which everything about one packet stands: with thousands of listeners, fetching memory is what
takes the time. So there is one cipher context, which gets each listener's key, instead of one for each."""
OWN_KEYS = 1
"""No session: the keys stand in the slot (AEAD_AES_128_GCM)."""


class Job(IntEnum):
    """Columns of a job's row."""

    KIND = 0
    MEMBERS = 1
    """Address of the int32 slots."""
    COUNT = 2
    SIZE = 3
    """Bytes in the payload row of the same number."""
    PAYLOAD_TYPE = 4
    TICK = 5
    FRAMES = 6
    """Ticks that the payload covers."""
    SILENT = 7
    NTP = 8
    QUEUED_NS = 9


JOB_WORDS = 10


class Kind(IntEnum):
    """What a job is."""

    MEDIA = 0
    """One RTP packet to each member."""
    REPORT = 1
    """A sender report to each member; the payload is the SDES chunk behind the SSRC, padded."""
    RTCP = 2
    """The payload, whole, to each member."""
    RETIRE = 3
    """The members' sessions are used no more."""
    FLUSH = 4
    """Everything before it has been handed to the kernel: the loop is woken."""
    STOP = 5


class State(IntEnum):
    """What the thread tells."""

    DONE = 0
    """Jobs finished."""
    SENT = 1
    SENT_BYTES = 2
    UNSENT_FULL = 3
    """Datagrams that the kernel had no room for, after waiting."""
    UNSENT_ERROR = 4
    REFUSED = 5
    """Packets that could not be protected: a bug."""
    BUSY_NS = 6
    LATE_NS = 7
    """The longest that a job took from being queued until it was done, since the loop last set this to 0."""


STATE_WORDS = 8


class Worker(NamedTuple):
    """What does a sender's jobs."""

    thread: Callable[[Memory, int, int], object]
    """Does them until it is told to stop: (memory, pipe to read from, pipe to write to)."""
    hand: Callable[[Memory], AbstractContextManager[Callable[[], object]]] | None = None
    """Does the next one at once, on the thread that asks, while the other has none; where there is such a thing."""


def place(fd: int, address_size: int, which: int) -> int:
    """A socket, the size of a sockaddr, and in which of a slot's two rows it stands: all in one word, so that it
    changes at once."""
    return fd | address_size << 32 | which << 48


def sockaddr(address: tuple[str, int]) -> bytes:
    """As the kernel wants it (linux/in.h, linux/in6.h)."""
    host, port = address
    if ":" in host:
        packed = socket.inet_pton(socket.AF_INET6, host)
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + packed + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)


class Call(IntEnum):
    """Where in the array of `call_addresses` a C function stands."""

    PROTECT = 0
    PROTECT_RTCP = 1
    SENDMMSG = 2
    READ = 3
    WRITE = 4
    POLL = 5
    CLOCK = 6
    ERRNO = 7
    INIT = 8
    """EVP_EncryptInit_ex, and so on."""
    UPDATE = 9
    FINAL = 10
    CONTROL = 11


def call_addresses() -> Words:
    """For the compiled worker: its code, kept on disk, must not hold addresses of one process. Raises AttributeError
    where there is no OpenSSL to be found."""
    libc, openssl = ctypes.CDLL(None), find_openssl()
    srtp = [int(ffi.cast("uintptr_t", ffi.addressof(lib, n))) for n in ("srtp_protect", "srtp_protect_rtcp")]
    system = ("sendmmsg", "read", "write", "poll", "clock_gettime", "__errno_location")
    cipher = ("EVP_EncryptInit_ex", "EVP_EncryptUpdate", "EVP_EncryptFinal_ex", "EVP_CIPHER_CTX_ctrl")
    found = [_address_of(libc, name) for name in system] + [_address_of(openssl, name) for name in cipher]
    return np.array([*srtp, *found], np.uint64)


def find_openssl() -> ctypes.CDLL:
    """The one inside libsrtp's wheel, which is newer than most systems' and no slower; else Python's own."""
    for module in (_binding, _hashlib):
        library = ctypes.CDLL(module.__file__)
        if hasattr(library, "EVP_EncryptInit_ex"):
            return library
    raise AttributeError("no OpenSSL")


@contextlib.contextmanager
def cipher_context() -> Iterator[int]:
    """An EVP_CIPHER_CTX for AES-128-GCM, still without a key: its address."""
    openssl = find_openssl()
    openssl.EVP_CIPHER_CTX_new.restype = openssl.EVP_aes_128_gcm.restype = ctypes.c_void_p
    context, kind = openssl.EVP_CIPHER_CTX_new(), ctypes.c_void_p(openssl.EVP_aes_128_gcm())
    try:
        if openssl.EVP_EncryptInit_ex(ctypes.c_void_p(context), kind, None, None, None) != 1:
            raise MemoryError("no cipher context")
        yield context
    finally:
        openssl.EVP_CIPHER_CTX_free(ctypes.c_void_p(context))


def unpack_place(word: int) -> tuple[int, int, int]:
    return word & 0xFFFFFFFF, word >> 32 & 0xFFFF, word >> 48


def unpack_sockaddr(row: bytes) -> tuple[str, int]:
    port = int.from_bytes(row[2:4], "big")
    if int.from_bytes(row[:2], sys.byteorder) == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, row[8:24]), port
    return socket.inet_ntoa(row[4:8]), port


def is_compilable() -> bool:
    """The compiled worker knows the layouts of sockaddr and msghdr on 64-bit Linux."""
    return sys.platform == "linux" and ctypes.sizeof(ctypes.c_void_p) == 8


class Memory:
    """One sender's. The arrays stay where they are for as long as it lives."""

    def __init__(self) -> None:
        self.slots: Words = np.zeros((SLOTS, SLOT_WORDS), np.uint64)
        self.rtcp_keys: Words = np.zeros((SLOTS, 4), np.uint64)
        """As `Slot.KEY` and `Slot.SALT`, of SRTCP: seldom needed."""
        self.addresses: Bytes = np.zeros((SLOTS, 2, ADDRESS_ROW), np.uint8)
        self.jobs: Words = np.zeros((RING, JOB_WORDS), np.uint64)
        self.payloads: Bytes = np.zeros((RING, PAYLOAD_ROW), np.uint8)
        self.state: Words = np.zeros(STATE_WORDS, np.uint64)
        self.datagrams: Bytes = np.zeros((BATCH, DATAGRAM_ROW), np.uint8)
        # struct iovec {base, size} and struct mmsghdr {name, namelen, iov, iovlen, control, controllen, flags; len}.
        self.iovecs: Words = np.zeros((BATCH, 2), np.uint64)
        self.headers: Words = np.zeros((BATCH, 8), np.uint64)
        self.iovecs[:, 0] = self.datagrams.ctypes.data + np.arange(BATCH, dtype=np.uint64) * DATAGRAM_ROW
        self.headers[:, 2] = self.iovecs.ctypes.data + np.arange(BATCH, dtype=np.uint64) * 16
        self.headers[:, 3] = 1


def _address_of(library: ctypes.CDLL, name: str) -> int:
    address = ctypes.cast(getattr(library, name), ctypes.c_void_p).value
    assert address is not None
    return address
