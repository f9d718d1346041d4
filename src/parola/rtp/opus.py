"""Opus packets from outside (RFC 6716, section 3): what is in them, taking them apart, putting them together.

Nothing is decoded here. What `duration` and `split` accept satisfies R1–R7 of section 3.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

LONGEST = 5760
"""Samples in 120 ms at 48 kHz: no packet may hold more (R5)."""
_LARGEST_FRAME = 1275
_MOST_FRAMES = 48


class OpusError(ValueError):
    """Bytes that no decoder may be given."""


@dataclass(frozen=True, slots=True)
class Toc:
    """The first byte. `frame_samples` at 48 kHz; `code` says how many frames follow and how they are packed."""

    config: int
    stereo: bool
    code: int

    @property
    def mode(self) -> Literal["silk", "hybrid", "celt"]:
        return "silk" if self.config < 12 else "hybrid" if self.config < 16 else "celt"

    @property
    def bandwidth(self) -> Literal["narrow", "medium", "wide", "superwide", "full"]:
        if self.config < 12:
            return ("narrow", "medium", "wide")[self.config // 4]
        if self.config < 16:
            return "superwide" if self.config < 14 else "full"
        return ("narrow", "wide", "superwide", "full")[(self.config - 16) // 4]

    @property
    def frame_samples(self) -> int:
        """Table 2 of RFC 6716."""
        if self.config < 12:
            return (480, 960, 1920, 2880)[self.config % 4]
        if self.config < 16:
            return (480, 960)[self.config % 2]
        return (120, 240, 480, 960)[self.config % 4]


def toc(packet: bytes) -> Toc:
    """Raises OpusError for an empty packet."""
    if not packet:
        raise OpusError("an Opus packet has at least one byte (R1)")
    return Toc(packet[0] >> 3, bool(packet[0] & 4), packet[0] & 3)


def duration(packet: bytes) -> int:
    """Samples at 48 kHz. Raises OpusError."""
    return toc(packet).frame_samples * len(frames(packet))


def frames(packet: bytes) -> list[bytes]:
    """The compressed frames, without TOC bytes; an empty one means that nothing was sent for it. Raises OpusError."""
    head = toc(packet)
    body = packet[1:]
    if head.code == 0:
        found = [body]
    elif head.code == 1:
        if len(body) % 2:
            raise OpusError("two equal frames of an odd size (R3)")
        found = [body[: len(body) // 2], body[len(body) // 2 :]]
    elif head.code == 2:
        length, rest = _length(body)
        if length > len(rest):
            raise OpusError("the first frame is cut off (R4)")
        found = [rest[:length], rest[length:]]
    else:
        found = _code_3(body)
    if any(len(frame) > _LARGEST_FRAME for frame in found):
        raise OpusError("a frame is larger than 1275 bytes (R2)")
    if head.frame_samples * len(found) > LONGEST:
        raise OpusError("a packet is longer than 120 ms (R5)")
    return found


def split(packet: bytes) -> list[bytes]:
    """One packet for each frame. Raises OpusError."""
    head = bytes([packet[0] & 0xFC]) if packet else b""
    return [head + frame for frame in frames(packet)]


def merge(packets: Sequence[bytes]) -> bytes:
    """One packet with all their frames; they must have the same configuration. Raises OpusError."""
    if not packets:
        raise OpusError("nothing to merge")
    found: list[bytes] = []
    for packet in packets:
        if packet and packets[0] and packet[0] & 0xFC != packets[0][0] & 0xFC:
            raise OpusError("frames of different configurations do not go into one packet")
        found += frames(packet)
    head = packets[0][0] & 0xFC
    if len(found) == 1:
        return bytes([head]) + found[0]
    if toc(packets[0]).frame_samples * len(found) > LONGEST:
        raise OpusError("the merged packet would be longer than 120 ms (R5)")
    sizes = {len(frame) for frame in found}
    if len(found) == 2:
        if len(sizes) == 1:
            return bytes([head | 1]) + b"".join(found)
        return bytes([head | 2]) + _encode_length(len(found[0])) + b"".join(found)
    if len(sizes) == 1:
        return bytes([head | 3, len(found)]) + b"".join(found)
    lengths = b"".join(_encode_length(len(frame)) for frame in found[:-1])
    return bytes([head | 3, 0x80 | len(found)]) + lengths + b"".join(found)


def silence(toc_byte: int) -> bytes:
    """One frame of digital silence in a CELT configuration: its silence flag is set (section 4.3), so that a decoder
    forgets how loud the sound before was, and comfort noise after it is nothing. ValueError outside CELT."""
    if toc_byte < 16 << 3:
        raise ValueError("only CELT has a flag for silence")
    return bytes([toc_byte & 0xFC, 0xFF, 0xFE])


def dtx(toc_byte: int) -> bytes:
    """The packet that says "nothing from here on" in the configuration of a TOC byte (section 3.4: a frame of no
    bytes); a decoder goes over to comfort noise, as loud as the quietest that it has lately heard."""
    return bytes([toc_byte & 0xFC])


def is_dtx(packet: bytes) -> bool:
    """One or two bytes hold no sound: that is how encoders in DTX say so, and how receivers understand it."""
    return len(packet) <= 2


def _code_3(body: bytes) -> list[bytes]:
    """Section 3.2.5."""
    if not body:
        raise OpusError("a packet of code 3 has at least two bytes (R6, R7)")
    count, padded, variable = body[0] & 0x3F, bool(body[0] & 0x40), bool(body[0] & 0x80)
    if not 1 <= count <= _MOST_FRAMES:
        raise OpusError("a packet of code 3 holds 1 to 48 frames (R5)")
    body = body[1:]
    if padded:
        body = _without_padding(body)
    if not variable:
        if len(body) % count:
            raise OpusError("frames of equal size do not fill the packet (R6)")
        size = len(body) // count
        return [body[i * size : (i + 1) * size] for i in range(count)]
    lengths = []
    for _ in range(count - 1):
        length, body = _length(body)
        lengths.append(length)
    if sum(lengths) > len(body):
        raise OpusError("the frames are larger than the packet (R7)")
    found = []
    for length in lengths:
        found.append(body[:length])
        body = body[length:]
    return [*found, body]


def _without_padding(body: bytes) -> bytes:
    padding = 0
    while True:
        if not body:
            raise OpusError("the padding is cut off")
        value, body = body[0], body[1:]
        padding += 254 if value == 255 else value
        if value != 255:
            break
    if padding > len(body):
        raise OpusError("more padding than packet (R6, R7)")
    return body[: len(body) - padding]


def _length(body: bytes) -> tuple[int, bytes]:
    """Section 3.2.1: one or two bytes."""
    if not body:
        raise OpusError("a length is cut off")
    if body[0] < 252:
        return body[0], body[1:]
    if len(body) < 2:
        raise OpusError("a length is cut off")
    return body[1] * 4 + body[0], body[2:]


def _encode_length(length: int) -> bytes:
    if length < 252:
        return bytes([length])
    return bytes([252 + (length & 3), (length - 252 - (length & 3)) // 4])
