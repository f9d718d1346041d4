"""Whose voice it is: each speaks a tone of their own, and every packet that arrives is listened to."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from bench.peer import RED_PT, Arrival, RawPeer
from parola.media.codec import CodecError, Decoder
from parola.rtp import opus, red
from parola.rtp.rtp import RtpPacket
from tests.e2e.hearing import tone_amplitude

AUDIBLE = 0.01
"""Amplitude of a tone, of full scale 1, that counts as heard: −40 dB."""


class Voices:
    """Of one stream, packet by packet in order; `tones` are frequencies in Hz by whoever sounds at them."""

    def __init__(self, tones: Mapping[str, float]) -> None:
        self._tones = dict(tones)
        self._decoder = Decoder()

    def of(self, packet: RtpPacket) -> frozenset[str]:
        """Who sounds in a packet; in one with redundancy, in its own frame."""
        payload = red.decode(packet.payload)[-1].data if packet.payload_type == RED_PT else packet.payload
        if opus.is_dtx(payload):
            return frozenset()
        try:
            pcm = self._decoder.decode(payload)
        except CodecError:
            return frozenset()
        window = np.hanning(pcm.size) * 2
        return frozenset(
            who for who, tone in self._tones.items() if tone_amplitude(pcm * window, tone) > AUDIBLE
        )


class Listened:
    """Everything that a peer hears from now on: the wall-clock time of each packet, and who sounds in it."""

    def __init__(self, peer: RawPeer, tones: Mapping[str, float]) -> None:
        self.heard: list[tuple[float, frozenset[str]]] = []
        self.on_heard: Callable[[float, frozenset[str]], None] = lambda at, voices: None
        self._voices = Voices(tones)
        peer.on_arrival = self._arrived

    def times(self, who: str, since: float = 0.0) -> list[float]:
        """When packets with that voice came."""
        return [at for at, voices in self.heard if who in voices and at >= since]

    def _arrived(self, arrival: Arrival) -> None:
        voices = self._voices.of(arrival.packet)
        self.heard.append((arrival.at, voices))
        self.on_heard(arrival.at, voices)
