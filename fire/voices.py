"""Whose voice is in a packet: each speaker of a fault run is a tone of their own, and the decoded sound is searched for it.

A packet's redundant blocks (RED) count as well: whoever has lost the original would play them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.peer import RED_PT
from parola.media.codec import CodecError, Decoder
from parola.rtp import opus, red
from parola.rtp.rtp import RtpPacket
from tests.e2e.hearing import tone_amplitude

TONES = (450.0, 1050.0, 1800.0, 2700.0, 3750.0, 4950.0)
"""Hz: multiples of 50 (a bin of 20 ms each), far apart, and no sums or differences of each other."""
AUDIBLE = 0.03
"""Of full scale: a tenth of a voice at 0.3, which is far above what a codec adds."""


class Voices:
    """One listener's ear. `tones` says at what frequency each speaker sounds. Packets come in the order of arrival."""

    def __init__(self, tones: Mapping[str, float]) -> None:
        self._tones = dict(tones)
        self._decoder = Decoder()

    def of(self, packet: RtpPacket) -> frozenset[str]:
        """Who sounds in a packet."""
        if packet.payload_type != RED_PT:
            return self._in(packet.payload)
        return frozenset().union(*(self._in(block.data) for block in red.decode(packet.payload)))

    def _in(self, payload: bytes) -> frozenset[str]:
        if opus.is_dtx(payload):
            return frozenset()
        try:
            pcm = self._decoder.decode(payload)
        except CodecError:
            return frozenset()
        windowed = pcm * np.hanning(pcm.size) * 2
        return frozenset(w for w, tone in self._tones.items() if tone_amplitude(windowed, tone) > AUDIBLE)
