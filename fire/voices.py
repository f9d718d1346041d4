"""Whose voice is in a packet: each speaker of a fault run is a tone of their own, which is looked for in the sound.

A packet's redundant blocks (RED) count as well: whoever has lost the original would play them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bench.peer import RED_PT
from parola.media.codec import CodecError, Decoder, Pcm
from parola.rtp import opus, red
from parola.rtp.rtp import RtpPacket

TONES = (450.0, 1050.0, 1800.0, 2700.0, 3750.0, 4950.0)
"""Hz: multiples of 50 (a bin of 20 ms each), far apart, and no sums or differences of each other."""
AUDIBLE = 0.03
"""Of full scale: a tenth of a voice at 0.3, which is far above what a codec adds."""
_REMEMBERED = 8
_FRAME = 960


class Voices:
    """One listener's ear. `tones` says at what frequency each speaker sounds. Packets come in the order of arrival."""

    def __init__(self, tones: Mapping[str, float]) -> None:
        self._tones = dict(tones)
        self._decoder = Decoder()
        self._known: dict[bytes, frozenset[str]] = {}

    def of(self, packet: RtpPacket) -> frozenset[str]:
        """The speakers who can be heard in a packet, or in what it repeats."""
        if packet.payload_type != RED_PT:
            return self._primary(packet.payload)
        *earlier, primary = (block.data for block in red.decode(packet.payload))
        repeated = [self._known[data] if data in self._known else self._alone(data) for data in earlier]
        return self._primary(primary).union(*repeated)

    def _primary(self, payload: bytes) -> frozenset[str]:
        found = self._sounding(self._decoder, payload)
        self._known[payload] = found
        if len(self._known) > _REMEMBERED:
            del self._known[next(iter(self._known))]
        return found

    def _alone(self, payload: bytes) -> frozenset[str]:
        """Of a packet whose original was lost. A decoder of its own, since out of turn it would disturb the stream."""
        return self._sounding(Decoder(), payload)

    def _sounding(self, decoder: Decoder, payload: bytes) -> frozenset[str]:
        if not payload or opus.is_dtx(payload):
            return frozenset()
        try:
            pcm = decoder.decode(payload)
        except CodecError:
            return frozenset()
        return sounding(pcm, self._tones)


def sounding(pcm: Pcm, tones: Mapping[str, float]) -> frozenset[str]:
    """Which of the tones stand out of 20 ms of sound. A tone is a peak: the skirts of another that begins or ends just
    there are as loud beside its place as on it."""
    if pcm.size < _FRAME:
        return frozenset()
    window = np.hanning(_FRAME)
    spectrum = np.abs(np.fft.rfft(pcm[:_FRAME] * window)) * 2 / window.sum()
    found = set()
    for name, frequency in tones.items():
        at = round(frequency * _FRAME / 48_000)
        peak = float(spectrum[at - 1 : at + 2].max())
        beside = float(max(spectrum[at - 4], spectrum[at + 4]))
        if peak > AUDIBLE and peak > 2 * beside:
            found.add(name)
    return frozenset(found)
