"""RTCP (RFC 3550, section 6): reports, names, goodbyes; and the statistics of reception that reports are made of."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

SR, RR, SDES, BYE = 200, 201, 202, 203
_BLOCK = struct.Struct("!IIIIII")
_NTP_EPOCH = 2_208_988_800
_CLOCK = 48_000
_MAX_DROPOUT = 3000
_MAX_MISORDER = 100
_MOST_PACKETS = 32
"""A compound packet holds a handful; more is an attack on whoever reads it."""


class RtcpError(ValueError):
    """Bytes that are no RTCP."""


class ReportBlock(NamedTuple):
    """RFC 3550, section 6.4.1. `fraction_lost` in 1/256 since the last report, `jitter` in timestamp units. A tuple,
    which is made in a third of the time: every listener sends one every few seconds."""

    ssrc: int
    fraction_lost: int
    cumulative_lost: int
    highest_sequence: int
    jitter: int
    lsr: int
    dlsr: int


@dataclass(frozen=True, slots=True)
class SenderReport:
    """`ntp` is the 64-bit time of `rtp_timestamp`."""

    ssrc: int
    ntp: int
    rtp_timestamp: int
    packet_count: int
    octet_count: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class ReceiverReport:
    ssrc: int
    reports: tuple[ReportBlock, ...] = ()


@dataclass(frozen=True, slots=True)
class Sdes:
    """Only the CNAME, the one item that every source has."""

    ssrc: int
    cname: str


@dataclass(frozen=True, slots=True)
class Bye:
    ssrcs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Feedback and other kinds that mean nothing here."""

    packet_type: int
    body: bytes


Packet = SenderReport | ReceiverReport | Sdes | Bye | Unknown


def parse_compound(data: bytes) -> list[Packet]:
    """Raises RtcpError."""
    return [_parse(kind, count, data[begin:end]) for kind, count, begin, end in _outlines(data)]


def reports_about(data: bytes, ssrc: int) -> list[ReportBlock]:
    """The report blocks about one stream in a compound packet, of whatever else it holds only the outline is read.
    Raises RtcpError."""
    found: list[ReportBlock] = []
    for packet_type, count, begin, end in _outlines(data):
        if packet_type in (SR, RR):
            at = begin + (24 if packet_type == SR else 4)
            if at + 24 * count > end:
                raise RtcpError("truncated report")
            for i in range(at, at + 24 * count, 24):
                words = _BLOCK.unpack_from(data, i)
                if words[0] == ssrc:
                    found.append(_block(words))
    return found


def encode(*packets: Packet) -> bytes:
    """A compound packet."""
    return b"".join(_encode(packet) for packet in packets)


def goodbye(ssrc: int, cname: str) -> bytes:
    """RFC 3550, section 6.6."""
    return encode(ReceiverReport(ssrc), Sdes(ssrc, cname), Bye((ssrc,)))


def ntp(unix: float) -> int:
    """64-bit NTP time of wall-clock seconds."""
    seconds = int(unix)
    return (seconds + _NTP_EPOCH) % (1 << 32) << 32 | int((unix - seconds) * (1 << 32))


class ReceptionStatistics:
    """What a receiver knows of one source (RFC 3550, appendices A.1, A.3, A.8). Times are monotonic seconds."""

    def __init__(self, ssrc: int) -> None:
        self.ssrc = ssrc
        self._first: int | None = None
        self._highest = 0
        self._restart: int | None = None
        self._received = 0
        self._expected_before = 0
        self._received_before = 0
        self._jitter = 0.0
        self._transit: float | None = None
        self._lsr = 0
        self._lsr_at = 0.0

    @property
    def jitter(self) -> float:
        """In timestamp units (section 6.4.1)."""
        return self._jitter

    def received(self, sequence: int, timestamp: int, arrival: float) -> None:
        if self._first is None:
            self._first = self._highest = sequence
        elif not self._follows(sequence):
            return
        self._received += 1
        transit = arrival * _CLOCK - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < _CLOCK:  # a restart of the timestamps is no jitter
                self._jitter += (difference - self._jitter) / 16
        self._transit = transit

    def _follows(self, sequence: int) -> bool:
        """Appendix A.1: two packets in a row after a great jump mean that the source began anew; one is a stray."""
        ahead = (sequence - self._highest) & 0xFFFF
        if ahead < _MAX_DROPOUT:
            self._highest += ahead
        elif ahead <= 0x10000 - _MAX_MISORDER:
            if sequence != self._restart:
                self._restart = (sequence + 1) & 0xFFFF
                return False
            self._first = self._highest = sequence
            self._received = self._expected_before = self._received_before = 0
            self._transit = None
        self._restart = None
        return True

    def sender_report(self, ntp_time: int, arrival: float) -> None:
        self._lsr, self._lsr_at = (ntp_time >> 16) & 0xFFFFFFFF, arrival

    def report(self, now: float) -> ReportBlock:
        """The block for the next report; the interval for `fraction_lost` begins anew."""
        expected = self._highest - self._first + 1 if self._first is not None else 0
        lost = expected - self._received
        expected_now, received_now = expected - self._expected_before, self._received - self._received_before
        self._expected_before, self._received_before = expected, self._received
        lost_now = expected_now - received_now
        fraction = 0 if expected_now <= 0 or lost_now <= 0 else min(255, (lost_now << 8) // expected_now)
        dlsr = int((now - self._lsr_at) * 65536) & 0xFFFFFFFF if self._lsr else 0
        return ReportBlock(
            self.ssrc,
            fraction,
            max(-0x800000, min(0x7FFFFF, lost)),
            self._highest & 0xFFFFFFFF,
            int(self._jitter),
            self._lsr,
            dlsr,
        )


def _outlines(data: bytes) -> list[tuple[int, int, int, int]]:
    """Of each packet its type, its count, and where its body begins and ends, padding apart."""
    packets: list[tuple[int, int, int, int]] = []
    at = 0
    while at < len(data):
        if len(data) - at < 4 or data[at] >> 6 != 2:
            raise RtcpError("no RTCP header")
        end = following = at + 4 + 4 * (data[at + 2] << 8 | data[at + 3])
        if end > len(data) or len(packets) == _MOST_PACKETS:
            raise RtcpError("truncated, or too many packets")
        if data[at] & 0x20:
            padding = data[end - 1]
            if end != len(data) or not 0 < padding <= end - at - 4 or padding % 4:
                raise RtcpError("wrong padding")
            end -= padding
        packets.append((data[at + 1], data[at] & 0x1F, at + 4, end))
        at = following
    if not packets:
        raise RtcpError("empty")
    return packets


def _parse(packet_type: int, count: int, body: bytes) -> Packet:
    if packet_type == SR:
        if len(body) < 24 + 24 * count:
            raise RtcpError("truncated sender report")
        ssrc, ntp_time, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
        return SenderReport(ssrc, ntp_time, timestamp, packets, octets, _blocks(body, 24, count))
    if packet_type == RR:
        if len(body) < 4 + 24 * count:
            raise RtcpError("truncated receiver report")
        return ReceiverReport(struct.unpack_from("!I", body)[0], _blocks(body, 4, count))
    if packet_type == BYE:
        if len(body) < 4 * count:
            raise RtcpError("truncated goodbye")
        return Bye(struct.unpack_from(f"!{count}I", body))
    if packet_type == SDES and count == 1:
        return _parse_sdes(body)
    return Unknown(packet_type, body)


def _parse_sdes(body: bytes) -> Packet:
    if len(body) < 8:
        raise RtcpError("truncated description")
    at = 4
    while at + 2 <= len(body) and body[at]:
        kind, length = body[at], body[at + 1]
        if at + 2 + length > len(body):
            raise RtcpError("truncated description")
        if kind == 1:
            name = body[at + 2 : at + 2 + length].decode("utf-8", "replace")
            return Sdes(struct.unpack_from("!I", body)[0], name)
        at += 2 + length
    return Unknown(SDES, body)


def _blocks(body: bytes, at: int, count: int) -> tuple[ReportBlock, ...]:
    return tuple([_block(_BLOCK.unpack_from(body, at + 24 * i)) for i in range(count)])


def _block(words: tuple[int, ...]) -> ReportBlock:
    ssrc, lost, highest, jitter, lsr, dlsr = words
    cumulative = lost & 0xFFFFFF
    signed = cumulative - ((cumulative & 0x800000) << 1)
    return ReportBlock(ssrc, lost >> 24, signed, highest, jitter, lsr, dlsr)


def _encode(packet: Packet) -> bytes:
    match packet:
        case SenderReport():
            head = struct.pack(
                "!IQIII",
                packet.ssrc,
                packet.ntp,
                packet.rtp_timestamp,
                packet.packet_count & 0xFFFFFFFF,
                packet.octet_count & 0xFFFFFFFF,
            )
            return _packet(SR, len(packet.reports), head + _encode_blocks(packet.reports))
        case ReceiverReport():
            return _packet(
                RR, len(packet.reports), struct.pack("!I", packet.ssrc) + _encode_blocks(packet.reports)
            )
        case Sdes():
            name = packet.cname.encode()[:255]
            item = bytes([1, len(name)]) + name + b"\0"
            return _packet(SDES, 1, struct.pack("!I", packet.ssrc) + item + b"\0" * (-len(item) % 4))
        case Bye():
            return _packet(BYE, len(packet.ssrcs), struct.pack(f"!{len(packet.ssrcs)}I", *packet.ssrcs))
        case Unknown():
            return _packet(packet.packet_type, 0, packet.body + b"\0" * (-len(packet.body) % 4))


def _packet(packet_type: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", 0x80 | count, packet_type, len(body) // 4) + body


def _encode_blocks(blocks: tuple[ReportBlock, ...]) -> bytes:
    return b"".join(
        _BLOCK.pack(
            b.ssrc,
            (b.fraction_lost & 0xFF) << 24 | b.cumulative_lost & 0xFFFFFF,
            b.highest_sequence,
            b.jitter,
            b.lsr,
            b.dlsr,
        )
        for b in blocks
    )
