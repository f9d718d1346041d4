"""RTP packets (RFC 3550, section 5.1) and their header extensions (RFC 8285)."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

_HEADER = struct.Struct("!BBHII")
_ONE_BYTE = 0xBEDE
_TWO_BYTE = 0x1000


class RtpError(ValueError):
    """Bytes that are no RTP packet."""


@dataclass(frozen=True, slots=True)
class AudioLevel:
    """RFC 6464: `voice` as the sender sees it, `dbov` 0 (loudest) to 127 (silence) below overload."""

    voice: bool
    dbov: int


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """`extensions`: element id to data. Padding is taken away by `parse` and never written."""

    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    csrcs: tuple[int, ...] = ()
    extensions: dict[int, bytes] = field(default_factory=dict)
    payload: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> RtpPacket:
        """Raises RtpError."""
        if len(data) < 12 or data[0] >> 6 != 2:
            raise RtpError("no RTP header")
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        at, end = 12 + 4 * (first & 0x0F), len(data)
        if at > end:
            raise RtpError("the list of contributors is cut off")
        csrcs = struct.unpack_from(f"!{first & 0x0F}I", data, 12)
        extensions: dict[int, bytes] = {}
        if first & 0x10:
            if at + 4 > end:
                raise RtpError("the extension is cut off")
            profile, words = struct.unpack_from("!HH", data, at)
            begin, at = at + 4, at + 4 + 4 * words
            if at > end:
                raise RtpError("the extension is cut off")
            extensions = _elements(profile, data[begin:at])
        if first & 0x20:
            padding = data[-1]
            if padding == 0 or padding > end - at:
                raise RtpError("more padding than payload")
            end -= padding
        return cls(
            second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, csrcs, extensions, data[at:end]
        )

    def to_bytes(self) -> bytes:
        block = _extension_block(self.extensions) if self.extensions else b""
        first = 0x80 | (0x10 if block else 0) | len(self.csrcs)
        second = (0x80 if self.marker else 0) | self.payload_type
        head = _HEADER.pack(first, second, self.sequence, self.timestamp, self.ssrc)
        return head + struct.pack(f"!{len(self.csrcs)}I", *self.csrcs) + block + self.payload


def audio_level(byte: int) -> AudioLevel:
    """RFC 6464, section 3."""
    return AudioLevel(bool(byte & 0x80), byte & 0x7F)


def _elements(profile: int, block: bytes) -> dict[int, bytes]:
    if profile == _ONE_BYTE:
        return _one_byte(block)
    if profile & 0xFFF0 == _TWO_BYTE:
        return _two_byte(block)
    return {}  # RFC 3550, section 5.3.1: an extension that is not understood is skipped


def _one_byte(block: bytes) -> dict[int, bytes]:
    """RFC 8285, section 4.2."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        if block[at] == 0:
            at += 1
            continue
        number, length = block[at] >> 4, (block[at] & 0x0F) + 1
        if number in (0, 15):
            break  # neither may stand here: nothing after it is to be read
        if at + 1 + length > len(block):
            raise RtpError("an extension element is cut off")
        found[number] = block[at + 1 : at + 1 + length]
        at += 1 + length
    return found


def _two_byte(block: bytes) -> dict[int, bytes]:
    """RFC 8285, section 4.3."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(block):
        if block[at] == 0:
            at += 1
            continue
        if at + 2 > len(block) or at + 2 + block[at + 1] > len(block):
            raise RtpError("an extension element is cut off")
        found[block[at]] = block[at + 2 : at + 2 + block[at + 1]]
        at += 2 + block[at + 1]
    return found


def _extension_block(extensions: dict[int, bytes]) -> bytes:
    if all(1 <= n <= 14 and 1 <= len(v) <= 16 for n, v in extensions.items()):
        profile = _ONE_BYTE
        body = b"".join(bytes([n << 4 | len(v) - 1]) + v for n, v in extensions.items())
    else:
        profile = _TWO_BYTE
        body = b"".join(bytes([n, len(v)]) + v for n, v in extensions.items())
    body += b"\0" * (-len(body) % 4)
    return struct.pack("!HH", profile, len(body) // 4) + body
