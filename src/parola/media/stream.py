"""What is known of the way to one listener, and the class of packets they therefore get. Pure.

Protection (RED, RFC 2198) lasts for as long as that listener's reports show loss. Whoever loses much gets short packets
besides: one that is lost leaves a smaller hole, and two copies of it fit into the next.
"""

from __future__ import annotations

from dataclasses import dataclass

from parola.media.merging import MOST_COPIES, PacketClass
from parola.rtp import rtcp

PROTECTED_AT_FIRST_S = 10.0
"""The first report comes seconds after the first packet; until then every listener is protected."""
PROTECTED_AFTER_LOSS_S = 20.0
LOSS_WORTH_COPIES = (3, 38)
"""Fraction lost, in 1/256, from which on each packet repeats one and two earlier ones: about 1 and 15 %. At 30 % one
copy leaves 9 % of the frames missing, two leave 3 %."""
LOSS_KEEPS_COPIES = (3, 20)
"""Less is enough to go on with as many: a share near a limit must not change the packets with every report."""
_LONGEST_ROUND_TRIP_S = 60.0
"""Who claims more has made it up."""


@dataclass(frozen=True, slots=True)
class StreamNumbers:
    """What the offer and the dice decided: payload types, SSRC, first sequence number and the RTP time of tick 0.

    Sequence numbers start anew with each stream: SRTP's roll-over counter starts at 0 with the session, so whoever
    joins a long-running room late must not be given the room's own (RFC 3711, section 3.3.1)."""

    opus_pt: int
    red_pt: int | None
    ssrc: int
    first_sequence: int
    first_timestamp: int


class ProgramStream:
    """`now` is monotonic seconds; `unix` seconds of the clock whose NTP time stands in our reports."""

    __slots__ = ("_lossy_until", "_protected_until", "jitter", "loss_256", "numbers", "reported", "rtt_s")

    def __init__(self, numbers: StreamNumbers, now: float) -> None:
        self.numbers = numbers
        self.loss_256 = 0
        self.jitter = 0
        self.reported = False
        self.rtt_s: float | None = None
        """There and back, out of the listener's answer to our last report."""
        self._protected_until = (now + PROTECTED_AT_FIRST_S, now)
        """Until when each number of copies is sent, one and two."""
        self._lossy_until = now

    def copies(self, now: float) -> int:
        if self.numbers.red_pt is None:
            return 0
        return max((n for n, until in enumerate(self._protected_until, 1) if now < until), default=0)

    def packet_class(self, now: float) -> PacketClass:
        return PacketClass(self.numbers.opus_pt, self.numbers.red_pt, self.copies(now))

    def is_lossy(self, now: float) -> bool:
        """Whether reports have shown loss, as opposed to nothing yet."""
        return now < self._lossy_until

    def changes_at(self, now: float) -> float | None:
        """When the class changes next, unless a report changes it before; None: not by itself."""
        return min(
            (until for until in (*self._protected_until, self._lossy_until) if until > now), default=None
        )

    def handle_reports(self, data: bytes, now: float, unix: float) -> bool:
        """Listens to what the listener says; True where it is about our stream. RtcpError goes to the caller."""
        blocks = rtcp.reports_about(data, self.numbers.ssrc)
        for block in blocks:
            self.reported = True
            self.loss_256, self.jitter = block.fraction_lost, block.jitter
            self._note_round_trip(block, unix)
            if block.fraction_lost:
                self._protect(block.fraction_lost, now)
        return bool(blocks)

    def _note_round_trip(self, block: rtcp.ReportBlock, unix: float) -> None:
        """RFC 3550, section 6.4.1, in units of 1/65536 s; all three stamps come from one clock, ours."""
        if not block.lsr:
            return
        since = ((rtcp.ntp(unix) >> 16) - block.lsr) & 0xFFFFFFFF
        if since >> 31 or since / 65536 > _LONGEST_ROUND_TRIP_S:
            return
        self.rtt_s = max(0.0, (since - block.dlsr) / 65536)

    def _protect(self, loss_256: int, now: float) -> None:
        until = list(self._protected_until)
        for i in range(MOST_COPIES):
            if loss_256 >= (LOSS_KEEPS_COPIES if now < until[i] else LOSS_WORTH_COPIES)[i]:
                until[i] = max(until[i], now + PROTECTED_AFTER_LOSS_S)
        self._protected_until = (until[0], until[1])
        if loss_256 >= LOSS_WORTH_COPIES[0]:
            self._lossy_until = now + PROTECTED_AFTER_LOSS_S
