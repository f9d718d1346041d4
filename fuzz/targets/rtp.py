"""What a member's connection sends as RTP, decrypted: the packet, and the voice that is made of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from fuzz.datagrams import join, split
from parola.media.voice import FRAME, Voice
from parola.rtp.rtp import RtpError, RtpPacket

_OPUS, _RED, _LEVEL = 111, 63, 1
_SILK = b"\x48\x0b\xe4\xc1\x36\xec\xc5\x80"


def _packet(sequence: int, payload: bytes, payload_type: int = _OPUS) -> bytes:
    return RtpPacket(
        payload_type, False, sequence, sequence * 960, 7, extensions={_LEVEL: b"\x8d"}, payload=payload
    ).to_bytes()


SEEDS = (
    join(_packet(1, _SILK)),
    join(*(_packet(n, _SILK) for n in range(1, 6))),
    join(_packet(1, b"\xef\x0f\x00\x08\x6f" + _SILK + _SILK, _RED), _packet(2, _SILK)),
    join(RtpPacket(_OPUS, True, 65_535, 0, 7, (1, 2), {20: bytes(20)}, b"\xf8").to_bytes()),
    join(b"\xb0" + _packet(1, _SILK)[1:] + b"\x04"),
)


def check(data: bytes) -> None:
    voice = Voice("ada", _OPUS, _RED, _LEVEL)
    now = 0.0
    for datagram in split(data):
        _check_packet(datagram)
        if voice.handle(datagram, True, now):
            sound = voice.pull(now)
            assert sound is None or (sound.shape == (FRAME,) and bool(np.isfinite(sound).all()))
        now += 0.02
    for before, after in pairwise(voice.pull(now + n / 50) is None for n in range(60)):
        assert after or not before, "a silent voice sounds again by itself"
    voice.cut()
    if voice.reception is not None:
        voice.reception.report(now)


def _check_packet(datagram: bytes) -> None:
    try:
        packet = RtpPacket.parse(datagram)
    except RtpError:
        return
    assert RtpPacket.parse(packet.to_bytes()) == packet, "what was read is not what is written"
