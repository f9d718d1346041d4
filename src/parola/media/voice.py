"""One speaker's way from RTP packets to 20 ms of sound a tick.

Invariant: a packet of someone who may not be heard is dropped before anything is decoded, buffered or counted as
speech, and what was buffered before a cut is never played after it.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from parola.media.allowance import Allowance
from parola.media.codec import CodecError, Decoder
from parola.rtp import opus, red
from parola.rtp.jitter import Fec, Idle, JitterBuffer, Lost, Play
from parola.rtp.rtcp import ReceptionStatistics
from parola.rtp.rtp import RtpError, RtpPacket, audio_level

Pcm = NDArray[np.float32]

FRAME = 960
"""Samples of one tick: 20 ms at 48 kHz."""
SILENT_DBOV = 65
"""Below −65 dBov nothing is worth mixing: the noise floor of a quiet microphone after noise suppression."""
QUIET_TICKS = 25
"""A voice goes on being decoded for half a second after it fell silent, so that no end of a word is lost."""
SILENCE_DB = -120.0
PACKETS_PER_SECOND = 110
"""More than any honest sender needs at 10 ms packets; what comes above it is dropped."""


class Voice:
    """`opus_pt`, `red_pt` and `level_id` are the numbers of this speaker's offer; the last two may be missing."""

    def __init__(self, account_id: str, opus_pt: int, red_pt: int | None, level_id: int | None) -> None:
        self.account_id = account_id
        self.reception: ReceptionStatistics | None = None
        self.refused = 0
        self.malformed = 0
        self.policed = 0
        self.dropped: Counter[str] = Counter()
        self.decibels = SILENCE_DB
        self._dbov = 127
        self._opus_pt = opus_pt
        self._red_pt = red_pt
        self._level_id = level_id
        self._jitter = JitterBuffer()
        self._jitter_before: Counter[str] = Counter()
        self._received = 0
        self.loss_256: int | None = None
        """Of the last report to the speaker."""
        self.uses_red = False
        self.packet_ms: float | None = None
        self._decoder = Decoder()
        self._left_over: Pcm = np.zeros(0, np.float32)
        self._allowance = Allowance(PACKETS_PER_SECOND)
        self._quiet_ticks = QUIET_TICKS + 1

    def handle(self, data: bytes, may_be_heard: bool, now: float) -> bool:
        """Takes one decrypted RTP packet; True when this voice now wants ticks."""
        try:
            packet = RtpPacket.parse(data)
        except RtpError:
            self.note_malformed()
            return False
        if not may_be_heard:
            self.refused += 1
            self.dropped["rtp_without_floor"] += 1
            return False
        if not self._allowance.take(now):
            self.policed += 1
            self.dropped["rtp_policed"] += 1
            return False
        if self.reception is None or self.reception.ssrc != packet.ssrc:
            self.reception = ReceptionStatistics(packet.ssrc)
            self._jitter_before = self.jitter_counts()
            self._jitter, self._received = JitterBuffer(), 0
        self._received += 1
        self.reception.received(packet.sequence, packet.timestamp, now)
        self._note_level(packet)
        if not self.wants_ticks:
            if self._dbov > SILENT_DBOV:
                return False  # a silent microphone costs no tick and fills no buffer
            self._jitter.clear()
        try:
            self._insert(packet, now)
        except (red.RedError, opus.OpusError):
            self.note_malformed()
            return False
        if self._dbov <= SILENT_DBOV:
            self._quiet_ticks = 0
        return self.wants_ticks

    def pull(self, now: float) -> Pcm | None:
        """The next 960 samples, or None when this voice is silent. To be called once for each tick."""
        parts = [self._left_over] if self._left_over.size else []
        have = self._left_over.size
        idle = not parts
        while have < FRAME:
            pcm, is_idle = self._next(now)
            idle = idle and is_idle
            parts.append(pcm)
            have += pcm.size
        joined = np.concatenate(parts) if len(parts) > 1 else parts[0]
        self._left_over = joined[FRAME:]
        silent = idle or self._dbov > SILENT_DBOV
        self._quiet_ticks = self._quiet_ticks + 1 if silent else 0
        frame = joined[:FRAME]
        self.decibels = SILENCE_DB if idle else decibels(frame)
        return frame if self.wants_ticks else None

    def jitter_counts(self) -> Counter[str]:
        """What became of packets and frames, by the names of JitterStats; `received` is all that was taken in."""
        stats = asdict(self._jitter.stats)
        counts = {name: count for name, count in stats.items() if not name.endswith("_s")}
        return Counter({**counts, "received": self._received}) + self._jitter_before

    @property
    def delay_s(self) -> float:
        """What the jitter buffer adds."""
        return self._jitter.stats.delay_s

    @property
    def wants_ticks(self) -> bool:
        return self._quiet_ticks <= QUIET_TICKS

    @property
    def loudness(self) -> float:
        """0..1 for eyes: −60 dB and below is nothing, full scale is one."""
        return min(1.0, max(0.0, 1 + self.decibels / 60))

    def cut(self) -> None:
        """Forgets everything that was received and not yet played."""
        self._jitter.clear()
        self._decoder.reset()
        self._left_over = np.zeros(0, np.float32)
        self._quiet_ticks = QUIET_TICKS + 1
        self.decibels = SILENCE_DB

    def note_malformed(self) -> None:
        self.malformed += 1
        self.dropped["rtp_malformed"] += 1

    def _note_level(self, packet: RtpPacket) -> None:
        extension = packet.extensions.get(self._level_id) if self._level_id is not None else None
        # Without the extension every packet that holds sound counts as speech.
        self._dbov = audio_level(extension[0]).dbov if extension else 0 if len(packet.payload) > 2 else 127

    def _insert(self, packet: RtpPacket, now: float) -> None:
        self.uses_red = packet.payload_type == self._red_pt
        if packet.payload_type == self._red_pt:
            *redundant, primary = red.decode(packet.payload)
            for block in redundant:
                if block.payload_type == self._opus_pt and block.data:
                    timestamp = (packet.timestamp - block.timestamp_offset) & 0xFFFFFFFF
                    self._insert_opus(timestamp, block.data, now, None)
            if primary.payload_type == self._opus_pt and primary.data:
                self._insert_opus(packet.timestamp, primary.data, now, packet.sequence)
        elif packet.payload_type == self._opus_pt and packet.payload:
            self._insert_opus(packet.timestamp, packet.payload, now, packet.sequence)

    def _insert_opus(self, timestamp: int, payload: bytes, now: float, sequence: int | None) -> None:
        samples = opus.duration(payload)  # raises for what no decoder should see
        if sequence is not None:
            self.packet_ms = samples / 48
        self._jitter.insert(timestamp, payload, now, sequence)

    def _next(self, now: float) -> tuple[Pcm, bool]:
        playout = self._jitter.pull(now)
        try:
            match playout:
                case Play(payload=payload):
                    return self._decoder.decode(payload), opus.is_dtx(payload)
                case Fec(payload=payload, samples=samples):
                    return self._decoder.decode_fec(payload, samples), False
                case Lost(samples=samples):
                    return self._decoder.conceal(samples), False
                case Idle(samples=samples):
                    return np.zeros(samples, np.float32), True
        except CodecError:
            self.note_malformed()
        return np.zeros(FRAME, np.float32), True


def decibels(frame: Pcm) -> float:
    """The level of a frame in dB below full scale (0 dB is a full-scale square wave)."""
    power = float(np.dot(frame, frame)) / frame.size
    return 10 * math.log10(power) if power > 1e-12 else SILENCE_DB
