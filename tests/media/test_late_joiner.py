"""Who joins after hours: their stream begins anew, so that SRTP's roll-over counter, which begins at 0, fits it."""

from __future__ import annotations

from parola.media.stream import ProgramStream, StreamNumbers
from parola.rtp.dtls import SrtpKeys
from parola.rtp.rtp import RtpPacket
from parola.rtp.srtp import Srtp

SPEECH = bytes([31 << 3]) + b"speech"


def test_a_listener_who_joins_after_70_000_packets_decrypts_everything_and_so_does_the_first() -> None:
    first, late = _Line(b"1"), _Line(b"2")
    for tick in range(70_000):
        first.stream.send(tick, SPEECH, 111, False, 0.0)
    for tick in range(70_000, 70_100):
        first.stream.send(tick, SPEECH, 111, False, 0.0)
        late.stream.send(tick, SPEECH, 111, False, 0.0)
    assert first.heard == 70_100
    assert late.heard == 100


class _Line:
    """A stream, its SRTP, and a receiver that has been there from the stream's first packet."""

    def __init__(self, seed: bytes) -> None:
        ours, theirs = seed * 28, b"x" * 28
        self._server = Srtp(SrtpKeys("SRTP_AEAD_AES_128_GCM", ours, theirs))
        self._client = Srtp(SrtpKeys("SRTP_AEAD_AES_128_GCM", theirs, ours))
        numbers = StreamNumbers(111, None, 1234, 16_000, 5000)
        self.stream = ProgramStream(numbers, "room", self._cross, lambda report: None, 0.0)
        self.heard = 0

    def _cross(self, packet: bytes) -> None:
        received = RtpPacket.parse(self._client.unprotect(self._server.protect(packet)))
        assert received.payload == SPEECH
        self.heard += 1
