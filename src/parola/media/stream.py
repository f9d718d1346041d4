"""The RTP stream towards one listener: one SSRC for life, sequence numbers that never jump, timestamps that follow the
room's ticks, and protection (RED, RFC 2198) for as long as that listener's reports show loss.

Each stream starts its sequence numbers anew: SRTP's roll-over counter starts at 0 with the session, so whoever joins
a long-running room late must not be given the room's own numbers (RFC 3711, section 3.3.1).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from parola.rtp import red, rtcp
from parola.rtp.opus import is_dtx

FRAME = 960
"""RTP timestamp units of one tick: 20 ms at 48 kHz."""
PROTECTED_AT_FIRST_S = 10.0
"""The first report comes seconds after the first packet; until then every listener is protected."""
PROTECTED_AFTER_LOSS_S = 20.0
LOSS_WORTH_COPIES = (3, 38)
"""Fraction lost, in 1/256, from which on each packet repeats one and two earlier ones: about 1 and 15 %. At 30 % one
copy leaves 9 % of the frames missing, two leave 3 %."""
LOSS_KEEPS_COPIES = (3, 20)
"""Less is enough to go on with as many: a share near a limit must not change the packets with every report."""
MOST_COPIES = len(LOSS_WORTH_COPIES)
_LARGEST_PAYLOAD = 1200 - 12 - 16
"""RTP header and SRTP tag come on top: the largest datagram that every path carries (as in RFC 9000, section 14)."""
_HEADER = struct.Struct("!BBHII")
_REPORT_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class StreamNumbers:
    """What the offer and the dice decided: payload types, SSRC, first sequence number and timestamp."""

    opus_pt: int
    red_pt: int | None
    ssrc: int
    first_sequence: int
    first_timestamp: int


@dataclass(frozen=True, slots=True)
class PacketClass:
    """Listeners of the same class get the same payload, built once."""

    opus_pt: int
    red_pt: int | None
    copies: int


class ProgramStream:
    """`write` sends one RTP packet, `write_rtcp` one RTCP packet; `now` is monotonic seconds."""

    def __init__(
        self,
        numbers: StreamNumbers,
        cname: str,
        write: Callable[[bytes], None],
        write_rtcp: Callable[[bytes], None],
        now: float,
    ) -> None:
        self.numbers = numbers
        self.loss_256 = 0
        self.jitter = 0
        self.reported = False
        self.rtt_s: float | None = None
        """There and back, out of the listener's answer to our last report."""
        self.last_tick: int | None = None
        self.is_silent = True
        self.silent_packets = 0
        """In a row, up to the latest one."""
        self._cname = cname
        self._write = write
        self._write_rtcp = write_rtcp
        self._sequence = numbers.first_sequence
        self._origin_tick: int | None = None
        self._protected_until = [now + PROTECTED_AT_FIRST_S, now]
        """Until when each number of copies is sent, one and two."""
        self._packets = 0
        self._octets = 0
        self._report_due = now + 0.5
        self._reported_at: tuple[int, float] | None = None
        self._last_sent = now

    def packet_class(self, now: float) -> PacketClass:
        if self.numbers.red_pt is None:
            return PacketClass(self.numbers.opus_pt, None, 0)
        copies = max((n for n, until in enumerate(self._protected_until, 1) if now < until), default=0)
        return PacketClass(self.numbers.opus_pt, self.numbers.red_pt, copies)

    @property
    def copies(self) -> int:
        """Sent with the latest packet."""
        return self.packet_class(self._last_sent).copies

    def send(self, tick: int, payload: bytes, payload_type: int, silent: bool, now: float) -> None:
        """Sends the payload that starts at `tick` of the room; an older tick than the last is never sent."""
        if self.last_tick is not None and tick <= self.last_tick:
            return
        if self._origin_tick is None:
            self._origin_tick = tick
        # RFC 3551, section 4.1: the marker begins a talkspurt.
        marker = 0x80 if self.is_silent and not silent else 0
        header = _HEADER.pack(
            0x80, marker | payload_type, self._sequence, self._timestamp(tick), self.numbers.ssrc
        )
        self._write(header + payload)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._packets += 1
        self._octets += len(payload)
        self.silent_packets = self.silent_packets + 1 if silent else 0
        self.last_tick, self.is_silent, self._last_sent = tick, silent, now

    def quiet_for(self, now: float) -> float:
        return now - self._last_sent

    def report(self, tick: int, now: float, unix: float) -> None:
        """A sender report every 5 s (RFC 3550, section 6.4.1); `unix` is wall-clock seconds for its NTP time."""
        if now < self._report_due or self._origin_tick is None:
            return
        self._report_due = now + _REPORT_EVERY_S
        ntp = rtcp.ntp(unix)
        self._reported_at = (ntp >> 16 & 0xFFFFFFFF, now)
        self._write_rtcp(
            rtcp.encode(
                rtcp.SenderReport(
                    self.numbers.ssrc,
                    ntp,
                    self._timestamp(tick),
                    self._packets,
                    self._octets & 0xFFFFFFFF,
                ),
                rtcp.Sdes(self.numbers.ssrc, self._cname),
            )
        )

    def goodbye(self) -> None:
        """RFC 3550, section 6.6."""
        report = rtcp.ReceiverReport(self.numbers.ssrc)
        self._write_rtcp(
            rtcp.encode(report, rtcp.Sdes(self.numbers.ssrc, self._cname), rtcp.Bye((self.numbers.ssrc,)))
        )

    def handle_reports(self, data: bytes, now: float) -> bool:
        """Listens to what the listener says; True where it is about our stream. RtcpError goes to the caller."""
        ours = False
        for packet in rtcp.parse_compound(data):
            if not isinstance(packet, (rtcp.ReceiverReport, rtcp.SenderReport)):
                continue
            for block in packet.reports:
                if block.ssrc == self.numbers.ssrc:
                    ours = self.reported = True
                    self.loss_256, self.jitter = block.fraction_lost, block.jitter
                    self._note_round_trip(block, now)
                    self._protect(block.fraction_lost, now)
        return ours

    def _note_round_trip(self, block: rtcp.ReportBlock, now: float) -> None:
        """RFC 3550, section 6.4.1, on our own monotonic clock."""
        if self._reported_at is not None and block.lsr == self._reported_at[0]:
            self.rtt_s = max(0.0, now - self._reported_at[1] - block.dlsr / 65536)

    def _protect(self, loss_256: int, now: float) -> None:
        for i, until in enumerate(self._protected_until):
            if loss_256 >= (LOSS_KEEPS_COPIES if now < until else LOSS_WORTH_COPIES)[i]:
                self._protected_until[i] = max(until, now + PROTECTED_AFTER_LOSS_S)

    def _timestamp(self, tick: int) -> int:
        assert self._origin_tick is not None
        return (self.numbers.first_timestamp + (tick - self._origin_tick) * FRAME) & 0xFFFFFFFF


class Payloads:
    """The payloads of one frame, one for each packet class, with the frames before as redundancy."""

    def __init__(self, packet: bytes, earlier: tuple[tuple[int, bytes], ...]) -> None:
        """`earlier`: (how many ticks ago, packet), oldest first."""
        self._packet = packet
        self._earlier = earlier
        self._built: dict[PacketClass, bytes] = {}

    def of(self, wanted: PacketClass) -> tuple[bytes, int]:
        """(payload, payload type) for a class of listeners."""
        if wanted.red_pt is None or wanted.copies == 0 or is_dtx(self._packet):
            return self._packet, wanted.opus_pt
        if wanted not in self._built:
            copies = self._copies(wanted.copies)
            self._built[wanted] = red.encode(wanted.opus_pt, self._packet, copies)
        return self._built[wanted], wanted.red_pt

    def _copies(self, most: int) -> list[tuple[int, bytes]]:
        """The latest ones that fit, the oldest first."""
        left = _LARGEST_PAYLOAD - len(self._packet) - red.PRIMARY_HEADER
        chosen: list[tuple[int, bytes]] = []
        for ago, packet in reversed(self._earlier):
            left -= red.BLOCK_HEADER + len(packet)
            if ago > most or left < 0:
                break
            chosen.insert(0, (ago * FRAME, packet))
        return chosen
