"""A sender's thread in plain Python: what `compiled` does, word for word, where anyone can read it.

Slower, and with the GIL; it is the reference that the other one is tested against, and takes its place where there is
no numba. Packets of one listener leave in the order of their ticks; what a listener has got is never repeated.
"""

from __future__ import annotations

import ctypes
import os
import select
import socket
import struct
import time

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pylibsrtp._binding import ffi, lib

from parola.media.fanout.layout import (
    DATAGRAM_ROW,
    OWN_KEYS,
    RING,
    Job,
    Kind,
    Memory,
    Slot,
    State,
    Words,
    Worker,
    unpack_place,
    unpack_sockaddr,
)
from parola.rtp.srtp_keys import KEY, SALT

LONGEST_WAIT_MS = 5
WAITS = 4
"""A socket buffer that is full empties within milliseconds, or the network is no longer there."""

_RTP = struct.Struct("!BBHII")
_REPORT = struct.Struct("!IIQIII")
_SDES = struct.Struct("!II")


def _work(memory: Memory, told: int, tell: int) -> None:
    """Works until it is told to stop. `told` brings a byte for each job, `tell` takes one for each flush."""
    outlet = _Outlet(memory.state)
    state = memory.state
    while news := os.read(told, 64):
        for _ in news:
            began = time.monotonic_ns()
            row = int(state[State.DONE]) % RING
            job = memory.jobs[row]
            kind = int(job[Job.KIND])
            if kind == Kind.STOP:
                outlet.close()
                return
            members = _members(job)
            if kind == Kind.RETIRE:
                memory.slots[members, Slot.SESSION] = 0
            elif kind != Kind.FLUSH:
                payload = memory.payloads[row, : int(job[Job.SIZE])].tobytes()
                for i in members:
                    _serve(memory, outlet, i, job, kind, payload)
            ended = time.monotonic_ns()
            state[State.BUSY_NS] += ended - began
            state[State.LATE_NS] = max(int(state[State.LATE_NS]), ended - int(job[Job.QUEUED_NS]))
            state[State.DONE] += 1
            if kind == Kind.FLUSH:
                os.write(tell, b"\0")


def _members(job: Words) -> list[int]:
    count = int(job[Job.COUNT])
    return list((ctypes.c_int32 * count).from_address(int(job[Job.MEMBERS]))) if count else []


def _serve(memory: Memory, outlet: _Outlet, i: int, job: Words, kind: int, payload: bytes) -> None:
    slot = memory.slots[i]
    session = int(slot[Slot.SESSION])
    if not session:
        return
    datagram: bytes | None
    if kind == Kind.MEDIA:
        # What is older than the last packet would be out of order, and after a fence out of its time.
        if int(job[Job.TICK]) <= int(slot[Slot.LAST_TICK].astype("int64")):
            return
        index = int(slot[Slot.SEQUENCE])
        packet = _rtp(slot, job, payload)
        if session == OWN_KEYS:
            datagram = _seal(slot, packet, index)
        else:
            datagram = outlet.protect(lib.srtp_protect, session, packet)
    else:
        packet = _report(slot, job, payload) if kind == Kind.REPORT else payload
        if session == OWN_KEYS:
            datagram = _seal_rtcp(slot, memory.rtcp_keys[i], packet)
        else:
            datagram = outlet.protect(lib.srtp_protect_rtcp, session, packet)
    if datagram is None:
        return
    slot[Slot.DATAGRAM_BYTES] += len(datagram)
    fd, _, which = unpack_place(int(slot[Slot.PLACE]))
    outlet.send(fd, datagram, unpack_sockaddr(memory.addresses[i, which].tobytes()))


def _rtp(slot: Words, job: Words, payload: bytes) -> bytes:
    tick, silent = int(job[Job.TICK]), int(job[Job.SILENT])
    # RFC 3551, section 4.1: the marker begins a talkspurt.
    marker = 0x80 if slot[Slot.SILENT] and not silent else 0
    sequence = int(slot[Slot.SEQUENCE])
    stamp = int(slot[Slot.STAMP]) + tick * 960 & 0xFFFFFFFF
    kind = marker | int(job[Job.PAYLOAD_TYPE])
    header = _RTP.pack(0x80, kind, sequence & 0xFFFF, stamp, int(slot[Slot.SSRC]))
    slot[Slot.SEQUENCE] = sequence + 1
    slot[Slot.SILENT] = silent
    slot[Slot.LAST_TICK] = tick + int(job[Job.FRAMES]) - 1
    slot[Slot.PACKETS] += 1
    slot[Slot.OCTETS] += len(payload)
    return header + payload


def _report(slot: Words, job: Words, chunk: bytes) -> bytes:
    """A sender report without reception blocks and the name behind it (RFC 3550, sections 6.4.1 and 6.5)."""
    ssrc, stamp = int(slot[Slot.SSRC]), int(slot[Slot.STAMP]) + int(job[Job.TICK]) * 960 & 0xFFFFFFFF
    counts = int(slot[Slot.PACKETS]) & 0xFFFFFFFF, int(slot[Slot.OCTETS]) & 0xFFFFFFFF
    report = _REPORT.pack(0x80C80006, ssrc, int(job[Job.NTP]), stamp, *counts)
    return report + _SDES.pack(0x81CA0000 | (4 + len(chunk)) // 4, ssrc) + chunk


def _seal(slot: Words, packet: bytes, index: int) -> bytes:
    """RFC 7714, section 8: the nonce is made of SSRC, roll-over counter and sequence number."""
    key, salt = _key_and_salt(slot[Slot.KEY :])
    nonce = _nonce(slot, salt, index)
    return packet[:12] + AESGCM(key).encrypt(nonce, packet[12:], packet[:12])


def _seal_rtcp(slot: Words, keys: Words, packet: bytes) -> bytes:
    """RFC 7714, section 9: the index, with the bit that says "encrypted", stands at the end and is authenticated."""
    index = int(slot[Slot.RTCP_INDEX])
    slot[Slot.RTCP_INDEX] = index + 1
    key, salt = _key_and_salt(keys)
    nonce = _nonce(slot, salt, index)
    trailer = struct.pack("!I", 1 << 31 | index)
    return packet[:8] + AESGCM(key).encrypt(nonce, packet[8:], packet[:8] + trailer) + trailer


def _key_and_salt(words: Words) -> tuple[bytes, bytes]:
    row = words.tobytes()
    return row[:KEY], row[KEY : KEY + SALT]


def _nonce(slot: Words, salt: bytes, index: int) -> bytes:
    """Of 12 bytes (RFC 7714, sections 8.1 and 9.1): index and roll-over counter, or SRTCP index, fill the last six."""
    return (int.from_bytes(salt, "big") ^ int(slot[Slot.SSRC]) << 48 ^ index).to_bytes(SALT, "big")


class _Outlet:
    """Sockets by descriptor, and what became of what went through them."""

    def __init__(self, state: Words) -> None:
        self._state = state
        self._sockets: dict[int, socket.socket] = {}
        self._buffer = ffi.new("char[]", DATAGRAM_ROW)
        self._size = ffi.new("int *")

    def protect(self, function: object, session: int, packet: bytes) -> bytes | None:
        ffi.memmove(self._buffer, packet, len(packet))
        self._size[0] = len(packet)
        if function(ffi.cast("srtp_t", session), self._buffer, self._size) != 0:  # type: ignore[operator]
            self._state[State.REFUSED] += 1
            return None
        return bytes(ffi.buffer(self._buffer, self._size[0]))

    def send(self, fd: int, datagram: bytes, address: tuple[str, int]) -> None:
        if fd not in self._sockets:
            self._sockets[fd] = socket.socket(fileno=os.dup(fd))
        for _ in range(WAITS + 1):
            try:
                self._sockets[fd].sendto(datagram, address)
            except BlockingIOError:
                poller = select.poll()
                poller.register(fd, select.POLLOUT)
                poller.poll(LONGEST_WAIT_MS)
                continue
            except OSError:
                # An ICMP error of an earlier datagram surfaces here; the listener's consent decides, not this.
                self._state[State.UNSENT_ERROR] += 1
                return
            self._state[State.SENT] += 1
            self._state[State.SENT_BYTES] += len(datagram)
            return
        self._state[State.UNSENT_FULL] += 1

    def close(self) -> None:
        for sock in self._sockets.values():
            sock.close()


WORKER = Worker(_work)
