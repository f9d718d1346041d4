"""A few listeners' packets, kept as they came, are decrypted and decoded afterwards: that it is sound, the counting of
sealed packets cannot show."""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass

import numpy as np

from bench.figures import quantile
from bench.listeners.client import Client
from parola.media.codec import CodecError, Decoder
from parola.rtp import opus, red
from parola.rtp.rtp import RtpError, RtpPacket
from parola.rtp.srtp import SrtpError

LOUD = 0.02
"""RMS of decoded sound: -34 dB."""


@dataclass(frozen=True, slots=True)
class Sample:
    """`decoded`: decoded sound as a share of what the timestamps say there should be, the least of all listeners;
    `loudness`: root mean square, the least of all listeners; `with_red`: the share of packets that repeat others."""

    listeners: int
    packets: int
    refused: int
    decoded: float
    loudness: float
    with_red: float

    @property
    def is_sound(self) -> bool:
        return self.listeners > 0 and self.refused == 0 and self.loudness > LOUD

    def as_json(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def of_json(cls, found: dict[str, object]) -> Sample:
        return cls(**found)  # type: ignore[arg-type]


def spread_over(indices: list[int]) -> list[int]:
    """Whom to record: one in a hundred, at least four, at most forty."""
    wanted = min(len(indices), max(4, min(40, len(indices) // 100)))
    return [indices[i * len(indices) // wanted] for i in range(wanted)]


def examine(clients: list[Client]) -> Sample:
    """Empties what they have kept. Each stream of each client is decoded for itself."""
    packets = refused = repeating = 0
    shares, loudness = [], []
    for client in clients:
        streams: dict[int, list[RtpPacket]] = {}
        for _, sealed in client.sealed:
            packets += 1
            try:
                packet = RtpPacket.parse(client.open(sealed))
            except (SrtpError, RtpError):
                refused += 1
                continue
            repeating += packet.payload_type == client.remote.red_pt
            streams.setdefault(packet.ssrc, []).append(packet)
        client.sealed.clear()
        for stream in streams.values():
            share, rms = _decode(stream, client.remote.red_pt)
            shares.append(share)
            loudness.append(rms)
    return Sample(
        listeners=len(clients),
        packets=packets,
        refused=refused,
        decoded=min(shares, default=0.0),
        # One stream of ten may belong to somebody who has just paused for breath.
        loudness=quantile(loudness, 0.1) if loudness else 0.0,
        with_red=repeating / packets if packets else 0.0,
    )


def _decode(packets: list[RtpPacket], red_pt: int | None) -> tuple[float, float]:
    decoder = Decoder()
    samples, energy = 0, 0.0
    length = 0
    for packet in packets:
        with contextlib.suppress(CodecError, red.RedError):
            payload = packet.payload
            if red_pt is not None and packet.payload_type == red_pt:
                payload = red.decode(payload)[-1].data
            if opus.is_dtx(payload):
                continue
            pcm = decoder.decode(payload)
            length = pcm.size
            samples += length
            energy += float(np.sum(np.square(pcm, dtype=np.float64)))
    span = ((packets[-1].timestamp - packets[0].timestamp + (1 << 31)) % (1 << 32)) - (1 << 31) + length
    return samples / span if span > 0 else 0.0, (energy / samples) ** 0.5 if samples else 0.0
