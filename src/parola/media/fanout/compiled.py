"""A sender's thread, compiled: it holds no GIL from its first job to its last.

C functions are called by addresses that come as arguments, so that the machine code can be kept on disk. The comments
on what is sent, and why, stand in `plain`, which does the same.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import numba as nb
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from parola.media.fanout.layout import (
    ADDRESS_ROW,
    BATCH,
    DATAGRAM_ROW,
    OWN_KEYS,
    RING,
    Call,
    Job,
    Kind,
    Memory,
    Slot,
    State,
    Worker,
    call_addresses,
    cipher_context,
)
from parola.media.fanout.plain import LONGEST_WAIT_MS, WAITS

_PROTECT, _PROTECT_RTCP, _SENDMMSG, _READ = map(
    int, (Call.PROTECT, Call.PROTECT_RTCP, Call.SENDMMSG, Call.READ)
)
_WRITE, _POLL, _CLOCK, _ERRNO = map(int, (Call.WRITE, Call.POLL, Call.CLOCK, Call.ERRNO))
_INIT, _UPDATE, _FINAL, _CONTROL = map(int, (Call.INIT, Call.UPDATE, Call.FINAL, Call.CONTROL))
_SESSION, _PLACE, _SSRC, _STAMP = map(int, (Slot.SESSION, Slot.PLACE, Slot.SSRC, Slot.STAMP))
_SEQUENCE, _SILENT, _LAST_TICK = map(int, (Slot.SEQUENCE, Slot.SILENT, Slot.LAST_TICK))
_PACKETS, _OCTETS, _DATAGRAM_BYTES = map(int, (Slot.PACKETS, Slot.OCTETS, Slot.DATAGRAM_BYTES))
_RTCP_INDEX, _KEY, _SALT = map(int, (Slot.RTCP_INDEX, Slot.KEY, Slot.SALT))
_KIND, _MEMBERS, _COUNT, _SIZE = map(int, (Job.KIND, Job.MEMBERS, Job.COUNT, Job.SIZE))
_PAYLOAD_TYPE, _TICK, _FRAMES = map(int, (Job.PAYLOAD_TYPE, Job.TICK, Job.FRAMES))
_JOB_SILENT, _NTP, _QUEUED_NS = map(int, (Job.SILENT, Job.NTP, Job.QUEUED_NS))
_MEDIA, _REPORT, _RTCP = map(int, (Kind.MEDIA, Kind.REPORT, Kind.RTCP))
_RETIRE, _FLUSH, _STOP = map(int, (Kind.RETIRE, Kind.FLUSH, Kind.STOP))
_DONE, _SENT, _SENT_BYTES = map(int, (State.DONE, State.SENT, State.SENT_BYTES))
_UNSENT_FULL, _UNSENT_ERROR, _REFUSED = map(int, (State.UNSENT_FULL, State.UNSENT_ERROR, State.REFUSED))
_BUSY_NS, _LATE_NS = map(int, (State.BUSY_NS, State.LATE_NS))
_EINTR, _EAGAIN, _ENOBUFS, _POLLOUT, _MONOTONIC = 4, 11, 105, 4, 1
_GET_TAG, _TAG = 0x10, 16
"""EVP_CTRL_AEAD_GET_TAG (openssl/evp.h), and its bytes."""


@intrinsic
def _call(typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """int f(…) of up to four integers or pointers; what a function does not take stays in its register."""
    return types.int32(*[types.uint64] * 5), _generate_call


@intrinsic
def _call_5(typingctx: Any, address: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    """The same of five."""
    return types.int32(*[types.uint64] * 6), _generate_call


def _generate_call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    address, *values = arguments
    function = ir.FunctionType(ir.IntType(32), [ir.IntType(64)] * len(values))
    return builder.call(builder.inttoptr(address, function.as_pointer()), values)


@intrinsic
def _errno(typingctx: Any, address: Any) -> Any:
    """*__errno_location()"""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        number = ir.IntType(32)
        function = ir.FunctionType(number.as_pointer(), [])
        return builder.load(builder.call(builder.inttoptr(arguments[0], function.as_pointer()), []))

    return types.int32(types.uint64), generate


@intrinsic
def _pointer(typingctx: Any, address: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.uint64), generate


def _njit(function: Any) -> Any:
    return nb.njit(nogil=True, cache=True, boundscheck=False)(function)


@_njit
def _now(calls: Any, scratch: Any) -> Any:
    _call(calls[_CLOCK], nb.uint64(_MONOTONIC), nb.uint64(scratch.ctypes.data), nb.uint64(0), nb.uint64(0))
    return scratch[0] * nb.uint64(1_000_000_000) + scratch[1]


@_njit
def _push(
    calls: Any, fd: Any, count: Any, headers: Any, iovecs: Any, scratch: Any, state: Any, most_waits: Any
) -> None:
    """Hands a batch to the kernel."""
    at, waits = 0, 0
    first, place = nb.uint64(headers.ctypes.data), nb.uint64(scratch.ctypes.data)
    while at < count:
        vector = first + nb.uint64(at * 64)
        sent = _call(calls[_SENDMMSG], nb.uint64(fd), vector, nb.uint64(count - at), nb.uint64(0))
        if sent > 0:
            for i in range(at, at + sent):
                state[_SENT_BYTES] += iovecs[i, 1]
            state[_SENT] += nb.uint64(sent)
            at += sent
            continue
        error = _errno(calls[_ERRNO])
        if error == _EINTR:
            continue
        if error in (_EAGAIN, _ENOBUFS):
            if waits == most_waits:
                state[_UNSENT_FULL] += nb.uint64(count - at)
                return
            waits += 1
            # struct pollfd {int fd; short events, revents}
            scratch[2] = nb.uint64(fd) | nb.uint64(_POLLOUT) << nb.uint64(32)
            _call(calls[_POLL], place + nb.uint64(16), nb.uint64(1), nb.uint64(LONGEST_WAIT_MS), nb.uint64(0))
            continue
        state[_UNSENT_ERROR] += nb.uint64(1)
        at += 1


@_njit
def _big_endian(row: Any, at: Any, value: Any, size: Any) -> None:
    for i in range(size):
        row[at + i] = nb.uint8(value >> nb.uint64(8 * (size - 1 - i)) & nb.uint64(0xFF))


@_njit
def _rtp(row: Any, slots: Any, i: Any, job: Any, payload: Any, size: Any) -> Any:
    tick = nb.uint64(job[_TICK])
    marker = slots[i, _SILENT] != 0 and job[_JOB_SILENT] == 0
    row[0] = nb.uint8(0x80)
    row[1] = nb.uint8(job[_PAYLOAD_TYPE] | (nb.uint64(0x80) if marker else nb.uint64(0)))
    _big_endian(row, 2, slots[i, _SEQUENCE] & nb.uint64(0xFFFF), 2)
    _big_endian(row, 4, slots[i, _STAMP] + tick * nb.uint64(960), 4)
    _big_endian(row, 8, slots[i, _SSRC], 4)
    row[12 : 12 + size] = payload[:size]
    slots[i, _SEQUENCE] += nb.uint64(1)
    slots[i, _SILENT] = job[_JOB_SILENT]
    slots[i, _LAST_TICK] = tick + job[_FRAMES] - nb.uint64(1)
    slots[i, _PACKETS] += nb.uint64(1)
    slots[i, _OCTETS] += nb.uint64(size)
    return 12 + size


@_njit
def _report(row: Any, slots: Any, i: Any, job: Any, payload: Any, size: Any) -> Any:
    tick = nb.uint64(job[_TICK])
    _big_endian(row, 0, nb.uint64(0x80C80006), 4)
    _big_endian(row, 4, slots[i, _SSRC], 4)
    _big_endian(row, 8, job[_NTP], 8)
    _big_endian(row, 16, slots[i, _STAMP] + tick * nb.uint64(960), 4)
    _big_endian(row, 20, slots[i, _PACKETS], 4)
    _big_endian(row, 24, slots[i, _OCTETS], 4)
    _big_endian(row, 28, nb.uint64(0x81CA0000) | nb.uint64((4 + size) // 4), 4)
    _big_endian(row, 32, slots[i, _SSRC], 4)
    row[36 : 36 + size] = payload[:size]
    return 36 + size


@_njit
def _seal(
    calls: Any, cipher: Any, key: Any, salt: Any, ssrc: Any, index: Any, start: Any, head: Any, covered: Any,
    size: Any, scratch: Any,
) -> Any:  # fmt: skip
    """AES-128-GCM in place: what stands at `start`, of which the first `head` of `size` bytes stay readable and
    `covered` bytes behind the end, too. `salt` holds 12 bytes in two words. The new size, or 0."""
    null, place = nb.uint64(0), nb.uint64(scratch.ctypes.data)
    nonce, length = place + nb.uint64(32), place + nb.uint64(56)
    # The words hold the bytes as they lie in memory, lowest first: SSRC in bytes 2 to 5, index in 6 to 11.
    scratch[4] = salt[0] ^ _swapped(ssrc << nb.uint64(16) | index >> nb.uint64(32))
    scratch[5] = salt[1] ^ _swapped(index << nb.uint64(32))
    ok = _call_5(calls[_INIT], cipher, null, null, key, nonce)
    ok &= _call_5(calls[_UPDATE], cipher, null, length, start, nb.uint64(head))
    if covered > 0:
        ok &= _call_5(calls[_UPDATE], cipher, null, length, start + nb.uint64(size), nb.uint64(covered))
    body = start + nb.uint64(head)
    ok &= _call_5(calls[_UPDATE], cipher, body, length, body, nb.uint64(size - head))
    end = start + nb.uint64(size)
    ok &= _call(calls[_FINAL], cipher, end, length, null)
    ok &= _call(calls[_CONTROL], cipher, nb.uint64(_GET_TAG), nb.uint64(_TAG), end)
    return size + _TAG if ok == 1 else 0


@_njit
def _swapped(word: Any) -> Any:
    """The other byte order."""
    out = nb.uint64(0)
    for i in range(8):
        out |= (word >> nb.uint64(8 * i) & nb.uint64(0xFF)) << nb.uint64(8 * (7 - i))
    return out


@_njit
def _serve(
    calls: Any,
    cipher: Any,
    job: Any,
    payload: Any,
    slots: Any,
    rtcp_keys: Any,
    addresses: Any,
    datagrams: Any,
    iovecs: Any,
    headers: Any,
    scratch: Any,
    state: Any,
    most_waits: Any,
) -> None:
    """One datagram to each member."""
    kind, size = job[_KIND], np.int64(job[_SIZE])
    members = nb.carray(_pointer(job[_MEMBERS]), (np.int64(job[_COUNT]),), np.int32)
    first_row, first_address = nb.uint64(datagrams.ctypes.data), nb.uint64(addresses.ctypes.data)
    filled, fd = 0, nb.uint64(0)
    for m in range(members.shape[0]):
        i = members[m]
        if slots[i, _SESSION] == 0 or (
            kind == _MEDIA and np.int64(job[_TICK]) <= np.int64(slots[i, _LAST_TICK])
        ):
            continue
        where = slots[i, _PLACE]
        if filled > 0 and (filled == BATCH or where & nb.uint64(0xFFFFFFFF) != fd):
            _push(calls, fd, filled, headers, iovecs, scratch, state, most_waits)
            filled = 0
        fd = where & nb.uint64(0xFFFFFFFF)
        row = datagrams[filled]
        start = first_row + nb.uint64(filled * DATAGRAM_ROW)
        if kind == _MEDIA:
            index = slots[i, _SEQUENCE]
            length = _rtp(row, slots, i, job, payload, size)
            length = _protect(calls, cipher, slots, i, index, start, length, scratch)
        else:
            if kind == _REPORT:
                length = _report(row, slots, i, job, payload, size)
            else:
                row[:size] = payload[:size]
                length = size
            length = _protect_rtcp(calls, cipher, slots, rtcp_keys, i, row, start, length, scratch)
        if length == 0:
            state[_REFUSED] += nb.uint64(1)
            continue
        slots[i, _DATAGRAM_BYTES] += nb.uint64(length)
        iovecs[filled, 1] = nb.uint64(length)
        which = np.int64(where >> nb.uint64(48))
        headers[filled, 0] = first_address + nb.uint64((np.int64(i) * 2 + which) * ADDRESS_ROW)
        headers[filled, 1] = where >> nb.uint64(32) & nb.uint64(0xFFFF)
        filled += 1
    if filled > 0:
        _push(calls, fd, filled, headers, iovecs, scratch, state, most_waits)


@_njit
def _protect(
    calls: Any, cipher: Any, slots: Any, i: Any, index: Any, start: Any, size: Any, scratch: Any
) -> Any:
    """RTP at `start` as SRTP; its size, 0 where that failed."""
    session = slots[i, _SESSION]
    if session != OWN_KEYS:
        return _by_libsrtp(calls[_PROTECT], session, start, size, scratch)
    key = _address(slots, i, _KEY)
    return _seal(calls, cipher, key, slots[i, _SALT:], slots[i, _SSRC], index, start, 12, 0, size, scratch)


@_njit
def _protect_rtcp(
    calls: Any, cipher: Any, slots: Any, rtcp_keys: Any, i: Any, row: Any, start: Any, size: Any, scratch: Any
) -> Any:
    session = slots[i, _SESSION]
    if session != OWN_KEYS:
        return _by_libsrtp(calls[_PROTECT_RTCP], session, start, size, scratch)
    index, key = slots[i, _RTCP_INDEX], _address(rtcp_keys, i, 0)
    slots[i, _RTCP_INDEX] += nb.uint64(1)
    trailer = nb.uint64(1 << 31) | index
    _big_endian(row, size, trailer, 4)
    salt = rtcp_keys[i, 2:]
    size = _seal(calls, cipher, key, salt, slots[i, _SSRC], index, start, 8, 4, size, scratch)
    if size == 0:
        return 0
    _big_endian(row, size, trailer, 4)
    return size + 4


@_njit
def _by_libsrtp(function: Any, session: Any, start: Any, size: Any, scratch: Any) -> Any:
    length = scratch[3:4].view(np.int32)
    length[0] = size
    place = nb.uint64(scratch.ctypes.data) + nb.uint64(24)
    return 0 if _call(function, session, start, place, nb.uint64(0)) != 0 else np.int64(length[0])


@_njit
def _address(words: Any, i: Any, column: Any) -> Any:
    return nb.uint64(words.ctypes.data) + nb.uint64((np.int64(i) * words.shape[1] + column) * 8)


@_njit
def _retire(job: Any, slots: Any) -> None:
    members = nb.carray(_pointer(job[_MEMBERS]), (np.int64(job[_COUNT]),), np.int32)
    for m in range(members.shape[0]):
        slots[members[m], _SESSION] = nb.uint64(0)


@_njit
def _do_next(
    calls: Any,
    cipher: Any,
    jobs: Any,
    payloads: Any,
    slots: Any,
    rtcp_keys: Any,
    addresses: Any,
    datagrams: Any,
    iovecs: Any,
    headers: Any,
    state: Any,
    scratch: Any,
    most_waits: Any,
) -> Any:
    """The next job of the ring; its kind. What it says of itself in `state` comes last."""
    began = _now(calls, scratch)
    row = np.int64(state[_DONE] % nb.uint64(RING))
    job = jobs[row]
    kind = job[_KIND]
    if kind == _STOP:
        return kind
    if kind == _RETIRE:
        _retire(job, slots)
    elif kind != _FLUSH:
        _serve(
            calls, cipher, job, payloads[row], slots, rtcp_keys, addresses, datagrams, iovecs, headers, scratch,
            state, most_waits,
        )  # fmt: skip
    ended = _now(calls, scratch)
    state[_BUSY_NS] += ended - began
    state[_LATE_NS] = max(state[_LATE_NS], ended - job[_QUEUED_NS])
    state[_DONE] += nb.uint64(1)
    return kind


_MEMORY = (
    "uint64[::1], uint64, uint64[:,::1], uint8[:,::1], uint64[:,::1], uint64[:,::1], uint8[:,:,::1], uint8[:,::1], "
    "uint64[:,::1], uint64[:,::1], uint64[::1], uint64[::1]"
)


@nb.njit(f"void({_MEMORY})", nogil=True, cache=True, boundscheck=False)
def once(
    calls: Any,
    cipher: Any,
    jobs: Any,
    payloads: Any,
    slots: Any,
    rtcp_keys: Any,
    addresses: Any,
    datagrams: Any,
    iovecs: Any,
    headers: Any,
    state: Any,
    scratch: Any,
) -> None:
    """One job, without waiting for anything."""
    _do_next(
        calls,
        cipher,
        jobs,
        payloads,
        slots,
        rtcp_keys,
        addresses,
        datagrams,
        iovecs,
        headers,
        state,
        scratch,
        0,
    )


@nb.njit(f"int64({_MEMORY}, int64, int64)", nogil=True, cache=True, boundscheck=False)
def work(
    calls: Any,
    cipher: Any,
    jobs: Any,
    payloads: Any,
    slots: Any,
    rtcp_keys: Any,
    addresses: Any,
    datagrams: Any,
    iovecs: Any,
    headers: Any,
    state: Any,
    scratch: Any,
    told: Any,
    tell: Any,
) -> Any:
    """Works until it is told to stop, or nobody is left to tell it anything."""
    news = np.zeros(64, np.uint8)
    while True:
        count = _call(calls[_READ], nb.uint64(told), nb.uint64(news.ctypes.data), nb.uint64(64), nb.uint64(0))
        if count <= 0:
            if count < 0 and _errno(calls[_ERRNO]) == _EINTR:
                continue
            return 0
        for _ in range(count):
            kind = _do_next(
                calls, cipher, jobs, payloads, slots, rtcp_keys, addresses, datagrams, iovecs, headers, state,
                scratch, WAITS,
            )  # fmt: skip
            if kind == _STOP:
                return 1
            if kind == _FLUSH:
                _call(calls[_WRITE], nb.uint64(tell), nb.uint64(news.ctypes.data), nb.uint64(1), nb.uint64(0))


def _thread(memory: Memory, told: int, tell: int) -> None:
    with cipher_context() as cipher:
        work(*_arguments(memory, cipher), told, tell)


@contextlib.contextmanager
def _hand(memory: Memory) -> Iterator[Callable[[], None]]:
    with cipher_context() as cipher:
        arguments = _arguments(memory, cipher)
        yield lambda: once(*arguments)


def _arguments(memory: Memory, cipher: int) -> tuple[Any, ...]:
    return (
        call_addresses(), cipher, memory.jobs, memory.payloads, memory.slots, memory.rtcp_keys, memory.addresses,
        memory.datagrams, memory.iovecs, memory.headers, memory.state, np.zeros(8, np.uint64),
    )  # fmt: skip


WORKER = Worker(_thread, _hand)
