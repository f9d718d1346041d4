"""The receiving loop, compiled: takes datagrams off the socket on a timer, counts those of RTP and hands the rest over.

It sleeps between two rounds and never in `recv`: whoever blocks there would have to be woken by the sender, at the
sender's expense. What a datagram's arrival was is the kernel's word, so a round that comes late falsifies nothing.
"""

# mypy: ignore-errors
from __future__ import annotations

import numba as nb
import numpy as np

from bench.listeners.native import call
from bench.listeners.tables import _COARSE_NS, _FINE, _FINE_NS, BINS

BATCH = 64
SIZE = 2048
"""Bytes of a datagram that are kept."""
_MSG_DONTWAIT = 0x40
_CLOCK_MONOTONIC, _CLOCK_REALTIME, _TIMER_ABSTIME = 1, 0, 1
_SOL_SOCKET, _SCM_TIMESTAMPNS, _IP_PKTINFO = 1, 35, 8


@nb.njit(nogil=True, cache=True)
def drain(functions, fd, box, tables, handed, base, longest, every_ns, until_ns):
    """Rounds of one `every_ns` until something was handed over or the monotonic clock shows `until_ns`; how many
    datagrams were handed over.

    `functions`: addresses of recvmmsg, clock_nanosleep, clock_gettime. `box`: messages, control data, datagrams,
    names, as `Inbox` lays them out. `tables`: listeners, streams, lateness, latest reports. `handed`: datagrams, and of
    each its listener, size, arrival and source. `base`: the address of listener 0; `longest`: the most timestamp units
    in one packet."""
    recvmmsg, nanosleep, gettime = functions
    messages, control, data, names = box
    time = np.zeros(2, np.int64)
    count = 0
    while True:
        while True:
            for i in range(BATCH):
                messages[i, 2] = 16
                messages[i, 10] = control.shape[1] * 4
            n = np.int32(
                call(recvmmsg, (fd, messages.ctypes.data, BATCH, _MSG_DONTWAIT, 0))
            )  # fmt: skip
            for i in range(n):
                count += _take(
                    messages[i, 14], control[i], data[i], names[i], tables, handed, count, base, longest
                )
            if n < BATCH or count > handed[0].shape[0] - BATCH:
                break
        call(gettime, (_CLOCK_MONOTONIC, time.ctypes.data))
        now = time[0] * 1_000_000_000 + time[1]
        if count > 0 or now >= until_ns:
            return count
        wake = min(now - now % every_ns + every_ns, until_ns)
        time[0], time[1] = wake // 1_000_000_000, wake % 1_000_000_000
        call(nanosleep, (_CLOCK_MONOTONIC, _TIMER_ABSTIME, time.ctypes.data, 0))


@nb.njit(nogil=True, cache=True)
def _take(size, control, data, name, tables, handed, count, base, longest):
    """1 where the datagram was handed over."""
    listeners, streams, lateness, latest = tables
    at, destination = _ancillary(control)
    index = destination - base
    if index < 0 or index >= listeners.shape[0] or size < 12:
        return 0
    listener = listeners[index]
    first, second = data[0], data[1]
    if first >= 128 and first <= 191:
        if second >= 192 and second <= 223:
            listener.reports += 1
            listener.report_at = at
            listener.report_size = min(size, latest.shape[1])
            latest[index, : listener.report_size] = data[: listener.report_size]
            return 0
        if not count_rtp(streams[index], data, size, at, lateness[listener.is_watched], longest):
            listener.strange += 1
        if listener.is_recorded == 0:
            return 0
    elif first == 1 and second == 1 and listener.consent_at > 0:
        listener.consents += 1
        listener.consent_at = at
        return 0
    elif first > 3 and (first < 20 or first > 63):
        listener.strange += 1
        return 0
    datagrams, notes = handed
    size = min(size, datagrams.shape[1])
    datagrams[count, :size] = data[:size]
    notes[count, 0], notes[count, 1], notes[count, 2] = index, size, at
    port = np.int64(name[2]) << 8 | np.int64(name[3])
    notes[count, 3] = _word(name, 4) << 16 | port
    return 1


@nb.njit(nogil=True, cache=True)
def count_rtp(streams, data, size, at, lateness, longest):
    """Enters one RTP packet into the row of its stream; False where there is no row left for it."""
    ssrc = np.uint32(_word(data, 8))
    for place in range(streams.shape[0]):
        stream = streams[place]
        if stream.known == 0:
            _begin(stream, ssrc, _half(data, 2), _word(data, 4), at)
            stream.octets = size
            return True
        if stream.ssrc == ssrc:
            stream.octets += size
            _enter(stream, _half(data, 2), _word(data, 4), at, lateness, longest)
            return True
    return False


@nb.njit(nogil=True, cache=True)
def _begin(stream, ssrc, sequence, timestamp, at):
    stream.known = 1
    stream.ssrc = ssrc
    stream.received = 1
    stream.first = stream.highest = sequence
    stream.recent = 1
    stream.first_timestamp = stream.timestamp = timestamp
    stream.first_at = stream.last_at = at


@nb.njit(nogil=True, cache=True)
def _enter(stream, sequence, timestamp, at, lateness, longest):
    ahead = _signed(sequence - stream.highest, 16)
    if ahead <= 0:
        bit = np.uint64(1) << np.uint64(min(-ahead, 63))
        if stream.recent & bit and ahead > -64:
            stream.duplicates += 1
        else:
            stream.recent |= bit
            stream.received += 1
            stream.reordered += 1
        return
    stream.recent = (stream.recent << np.uint64(ahead) if ahead < 64 else np.uint64(0)) | np.uint64(1)
    units = _signed(timestamp - stream.timestamp, 32)
    stream.gap = max(stream.gap, at - stream.last_at)
    if ahead == 1 and 0 < units <= longest:
        # How long a packet's sound is, its successor says: it was due when the last sample of it had been.
        stream.length = units
        transit = stream.last_at - (stream.timestamp + units) * 1_000_000 // 48
        stream.anchor = min(stream.anchor, transit)
        lateness[_bin(transit - stream.anchor)] += 1
        change = abs(at - stream.last_at - units * 1_000_000 // 48)
        stream.jitter += (change - stream.jitter) / 16
    elif units > longest * ahead:
        stream.skipped += units - longest * ahead
    stream.received += 1
    stream.highest += ahead
    stream.timestamp += units
    stream.last_at = at


@nb.njit(nogil=True, cache=True)
def _ancillary(words):
    """When the datagram came, and which address of ours it came to (cmsg(3), ip(7))."""
    at, destination, place = np.int64(0), np.int64(-1), 0
    while place + 4 <= words.shape[0]:
        size, level, kind = words[place], words[place + 2], words[place + 3]
        if size < 16:
            break
        if level == _SOL_SOCKET and kind == _SCM_TIMESTAMPNS:
            at = np.int64(words[place + 4]) * 1_000_000_000 + np.int64(words[place + 6])
        elif level == 0 and kind == _IP_PKTINFO:
            address = np.int64(words[place + 6])
            destination = (
                (address & 0xFF) << 24 | (address & 0xFF00) << 8 | (address >> 8 & 0xFF00) | address >> 24
            )
        place += (size + 7) // 8 * 2
    return at, destination


@nb.njit(nogil=True, cache=True)
def _bin(late_ns):
    if late_ns < _FINE * _FINE_NS:
        return late_ns // _FINE_NS
    return min(BINS - 1, _FINE + (late_ns - _FINE * _FINE_NS) // _COARSE_NS)


@nb.njit(nogil=True, cache=True)
def _signed(difference, bits):
    """The nearest number to 0 that is the same modulo 2^bits."""
    half = np.int64(1) << (bits - 1)
    return (difference + half) % (half * 2) - half


@nb.njit(nogil=True, cache=True)
def _half(data, at):
    return np.int64(data[at]) << 8 | np.int64(data[at + 1])


@nb.njit(nogil=True, cache=True)
def _word(data, at):
    return _half(data, at) << 16 | _half(data, at + 2)
