"""An Opus packet from outside: taken apart and put together it holds the same frames, and what is let through to
libopus lasts as long as was said."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import numpy as np

from parola.media.codec import CodecError, Decoder
from parola.rtp import opus
from parola.rtp.opus import OpusError

SEEDS = (
    b"\xf8",
    b"\x48\x0b\xe4\xc1\x36\xec\xc5\x80",
    b"\xf9" + bytes(40),
    b"\xfa\x03abcdefgh",
    b"\xfa\xfc\x01" + bytes(400),
    b"\xfb\x03" + bytes(30),
    b"\xfb\x83\x05\x06" + bytes(30),
    b"\xfb\xc2\xff\x03\x05" + bytes(270),
    b"\x0b\x41\x02ab\0\0",
)


def check(data: bytes) -> None:
    opus.is_dtx(data)
    try:
        frames = opus.frames(data)
    except OpusError:
        assert _refuses(opus.duration, data)
        assert _refuses(opus.split, data)
        return
    packets = opus.split(data)
    assert [opus.frames(packet) for packet in packets] == [[frame] for frame in frames]
    assert opus.frames(opus.merge(packets)) == frames
    samples = opus.duration(data)
    assert 0 < samples <= opus.LONGEST
    decoder = Decoder()
    with contextlib.suppress(CodecError):
        sound = decoder.decode(data)
        assert sound.size == samples, "libopus sees another duration"
        assert bool(np.isfinite(sound).all())
    with contextlib.suppress(CodecError):
        assert bool(np.isfinite(decoder.decode_fec(data, samples)).all())
    assert decoder.conceal(960).size == 960


def _refuses(function: Callable[[bytes], object], data: bytes) -> bool:
    try:
        function(data)
    except OpusError:
        return True
    return False
