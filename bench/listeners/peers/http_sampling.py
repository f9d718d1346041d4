"""A few readers' pages decoded: that it is sound, the counting of pages cannot show."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np

from bench.listeners.peers.http_listener import Listener
from bench.listeners.sampling import Sample
from parola.media.codec import CodecError, Decoder


def examine(listeners: Sequence[Listener]) -> Sample:
    """Empties what they have kept; packets that cannot be decoded are those refused."""
    shares: list[float] = []
    loudness: list[float] = []
    packets = refused = 0
    for listener in listeners:
        decoder = Decoder()
        samples, energy, bad = 0, 0.0, 0
        opus = [packet for page in listener.recorded for packet in page.packets]
        for packet in opus:
            bad += 1
            with contextlib.suppress(CodecError):
                pcm = decoder.decode(packet)
                samples += pcm.size
                energy += float(np.sum(np.square(pcm, dtype=np.float64)))
                bad -= 1
        packets, refused = packets + len(opus), refused + bad
        if len(listener.recorded) > 1:
            first, last = listener.recorded[0], listener.recorded[-1]
            page = (last.samples - first.samples) // (last.number - first.number)
            shares.append(samples / (last.samples - first.samples + page))
        loudness.append((energy / samples) ** 0.5 if samples else 0.0)
        listener.recorded = []
    return Sample(
        len(listeners), packets, refused, min(shares, default=0.0), min(loudness, default=0.0), with_red=0.0
    )
