"""A room's sealed minutes as something that a browser plays: Ogg Opus (RFC 7845), silence included."""

from __future__ import annotations

import asyncio
import io
import struct
from collections.abc import Iterable
from fractions import Fraction

from parola.domain.evidence import EvidenceError, Program, Segment, context, unpacked
from parola.rtp import opus
from parola.rtp.hpke import HpkeError, PrivateKeys, UnknownKey

_RATE = 48_000
_FRAME = 960
_SILENCE = opus.silence(31 << 3)
"""20 ms of nothing, mono, CELT at full band: an encoder's own words for it."""
_HEAD = struct.pack("<8sBBHIhB", b"OpusHead", 1, 1, 312, _RATE, 0, 0)  # RFC 7845, section 5.1


class Damaged(Exception):
    """Something in it was changed, or put where it does not belong: none of it is shown."""


def open_program(room_id: str, data: bytes, keys: PrivateKeys) -> Program:
    """Raises UnknownKey, Damaged."""
    try:
        segments = []
        for number, sealed in unpacked(data):
            segment = Segment.parse(keys.open(sealed, context(room_id, number)))
            if (segment.room_id, segment.number) != (room_id, number):
                raise Damaged("a segment is another one than it says")
            segments.append(segment)
        return Program(segments)
    except UnknownKey:
        raise
    except (HpkeError, EvidenceError) as error:
        raise Damaged(str(error)) from error


async def ogg(program: Program) -> bytes:
    """On a thread: five minutes take a moment."""
    return await asyncio.to_thread(_mux, program.packets(_SILENCE))


def _mux(packets: Iterable[bytes]) -> bytes:
    import av  # takes its time and memory, and few ever need it

    file = io.BytesIO()
    with av.open(file, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=_RATE, layout="mono")
        stream.codec_context.extradata = _HEAD
        for number, data in enumerate(packets):
            packet = av.Packet(data)
            packet.stream = stream
            packet.time_base = Fraction(1, _RATE)
            packet.pts = packet.dts = number * _FRAME
            packet.duration = _FRAME
            container.mux(packet)
    return file.getvalue()
