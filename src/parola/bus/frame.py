"""One tick of one output of a room's mixer, as it crosses the bus.

u8 version · u32 epoch · u64 tick · u64 origin, wall-clock ns · u8 talkers · each u8 length and id · Opus packet
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

_VERSION = 1
_HEAD = struct.Struct("!BIQQB")


class FrameError(ValueError):
    """Bytes that are no frame of this version."""


@dataclass(frozen=True, slots=True)
class Frame:
    """20 ms: `tick` counts them at the owner of `epoch`; `talkers` are the accounts whose voices are in the mix now."""

    epoch: int
    tick: int
    talkers: tuple[str, ...]
    origin_ns: int
    payload: bytes

    def to_bytes(self) -> bytes:
        ids = b"".join(bytes([len(t)]) + t.encode("ascii") for t in self.talkers)
        head = _HEAD.pack(_VERSION, self.epoch, self.tick, self.origin_ns, len(self.talkers))
        return head + ids + self.payload

    @classmethod
    def from_bytes(cls, data: bytes) -> Frame:
        try:
            version, epoch, tick, origin_ns, count = _HEAD.unpack_from(data)
            at, talkers = _HEAD.size, []
            for _ in range(count):
                end = at + 1 + data[at]
                talkers.append(data[at + 1 : end].decode("ascii"))
                at = end
        except (struct.error, IndexError, UnicodeDecodeError) as error:
            raise FrameError(str(error)) from error
        if version != _VERSION or at > len(data):
            raise FrameError("not a frame of this version")
        return cls(epoch, tick, tuple(talkers), origin_ns, data[at:])
