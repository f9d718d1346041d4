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

from parola.media.fanout.layout import (
    ADDRESS_ROW,
    BATCH,
    DATAGRAM_ROW,
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
from parola.media.fanout.native import call, errno, njit, pointer
from parola.media.fanout.plain import LONGEST_WAIT_MS, WAITS
from parola.media.fanout.sealing import big_endian, protect, protect_rtcp

_SENDMMSG, _READ = int(Call.SENDMMSG), int(Call.READ)
_WRITE, _POLL, _CLOCK, _ERRNO = map(int, (Call.WRITE, Call.POLL, Call.CLOCK, Call.ERRNO))
_SESSION, _PLACE, _SSRC, _STAMP = map(int, (Slot.SESSION, Slot.PLACE, Slot.SSRC, Slot.STAMP))
_SEQUENCE, _SILENT, _LAST_TICK = map(int, (Slot.SEQUENCE, Slot.SILENT, Slot.LAST_TICK))
_PACKETS, _OCTETS, _DATAGRAM_BYTES = map(int, (Slot.PACKETS, Slot.OCTETS, Slot.DATAGRAM_BYTES))
_KIND, _MEMBERS, _COUNT, _SIZE = map(int, (Job.KIND, Job.MEMBERS, Job.COUNT, Job.SIZE))
_PAYLOAD_TYPE, _TICK, _FRAMES = map(int, (Job.PAYLOAD_TYPE, Job.TICK, Job.FRAMES))
_JOB_SILENT, _NTP, _QUEUED_NS = map(int, (Job.SILENT, Job.NTP, Job.QUEUED_NS))
_MEDIA, _REPORT, _RTCP = map(int, (Kind.MEDIA, Kind.REPORT, Kind.RTCP))
_RETIRE, _FLUSH, _STOP = map(int, (Kind.RETIRE, Kind.FLUSH, Kind.STOP))
_DONE, _SENT, _SENT_BYTES = map(int, (State.DONE, State.SENT, State.SENT_BYTES))
_UNSENT_FULL, _UNSENT_ERROR, _REFUSED = map(int, (State.UNSENT_FULL, State.UNSENT_ERROR, State.REFUSED))
_BUSY_NS, _LATE_NS = map(int, (State.BUSY_NS, State.LATE_NS))
_EINTR, _EAGAIN, _ENOBUFS, _POLLOUT, _MONOTONIC = 4, 11, 105, 4, 1


@njit
def _now(calls: Any, scratch: Any) -> Any:
    call(calls[_CLOCK], nb.uint64(_MONOTONIC), nb.uint64(scratch.ctypes.data), nb.uint64(0), nb.uint64(0))
    return scratch[0] * nb.uint64(1_000_000_000) + scratch[1]


@njit
def _push(
    calls: Any, fd: Any, count: Any, headers: Any, iovecs: Any, scratch: Any, state: Any, most_waits: Any
) -> None:
    """Hands a batch to the kernel."""
    at, waits = 0, 0
    first, place = nb.uint64(headers.ctypes.data), nb.uint64(scratch.ctypes.data)
    while at < count:
        vector = first + nb.uint64(at * 64)
        sent = call(calls[_SENDMMSG], nb.uint64(fd), vector, nb.uint64(count - at), nb.uint64(0))
        if sent > 0:
            for i in range(at, at + sent):
                state[_SENT_BYTES] += iovecs[i, 1]
            state[_SENT] += nb.uint64(sent)
            at += sent
            continue
        error = errno(calls[_ERRNO])
        if error == _EINTR:
            continue
        if error in (_EAGAIN, _ENOBUFS):
            if waits == most_waits:
                state[_UNSENT_FULL] += nb.uint64(count - at)
                return
            waits += 1
            # struct pollfd {int fd; short events, revents}
            scratch[2] = nb.uint64(fd) | nb.uint64(_POLLOUT) << nb.uint64(32)
            call(calls[_POLL], place + nb.uint64(16), nb.uint64(1), nb.uint64(LONGEST_WAIT_MS), nb.uint64(0))
            continue
        state[_UNSENT_ERROR] += nb.uint64(1)
        at += 1


@njit
def _rtp(row: Any, slots: Any, i: Any, job: Any, payload: Any, size: Any) -> Any:
    tick = nb.uint64(job[_TICK])
    marker = slots[i, _SILENT] != 0 and job[_JOB_SILENT] == 0
    row[0] = nb.uint8(0x80)
    row[1] = nb.uint8(job[_PAYLOAD_TYPE] | (nb.uint64(0x80) if marker else nb.uint64(0)))
    big_endian(row, 2, slots[i, _SEQUENCE] & nb.uint64(0xFFFF), 2)
    big_endian(row, 4, slots[i, _STAMP] + tick * nb.uint64(960), 4)
    big_endian(row, 8, slots[i, _SSRC], 4)
    row[12 : 12 + size] = payload[:size]
    slots[i, _SEQUENCE] += nb.uint64(1)
    slots[i, _SILENT] = job[_JOB_SILENT]
    slots[i, _LAST_TICK] = tick + job[_FRAMES] - nb.uint64(1)
    slots[i, _PACKETS] += nb.uint64(1)
    slots[i, _OCTETS] += nb.uint64(size)
    return 12 + size


@njit
def _report(row: Any, slots: Any, i: Any, job: Any, payload: Any, size: Any) -> Any:
    tick = nb.uint64(job[_TICK])
    big_endian(row, 0, nb.uint64(0x80C80006), 4)
    big_endian(row, 4, slots[i, _SSRC], 4)
    big_endian(row, 8, job[_NTP], 8)
    big_endian(row, 16, slots[i, _STAMP] + tick * nb.uint64(960), 4)
    big_endian(row, 20, slots[i, _PACKETS], 4)
    big_endian(row, 24, slots[i, _OCTETS], 4)
    big_endian(row, 28, nb.uint64(0x81CA0000) | nb.uint64((4 + size) // 4), 4)
    big_endian(row, 32, slots[i, _SSRC], 4)
    row[36 : 36 + size] = payload[:size]
    return 36 + size


@njit
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
    members = nb.carray(pointer(job[_MEMBERS]), (np.int64(job[_COUNT]),), np.int32)
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
            length = protect(calls, cipher, slots, i, index, start, length, scratch)
        else:
            if kind == _REPORT:
                length = _report(row, slots, i, job, payload, size)
            else:
                row[:size] = payload[:size]
                length = size
            length = protect_rtcp(calls, cipher, slots, rtcp_keys, i, row, start, length, scratch)
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


@njit
def _retire(job: Any, slots: Any) -> None:
    members = nb.carray(pointer(job[_MEMBERS]), (np.int64(job[_COUNT]),), np.int32)
    for m in range(members.shape[0]):
        slots[members[m], _SESSION] = nb.uint64(0)


@njit
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
        count = call(calls[_READ], nb.uint64(told), nb.uint64(news.ctypes.data), nb.uint64(64), nb.uint64(0))
        if count <= 0:
            if count < 0 and errno(calls[_ERRNO]) == _EINTR:
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
                call(calls[_WRITE], nb.uint64(tell), nb.uint64(news.ctypes.data), nb.uint64(1), nb.uint64(0))


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
