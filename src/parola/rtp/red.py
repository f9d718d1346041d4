"""Redundant audio data (RFC 2198): a packet that carries earlier ones again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

LARGEST_OFFSET = (1 << 14) - 1
LARGEST_BLOCK = (1 << 10) - 1
BLOCK_HEADER, PRIMARY_HEADER = 4, 1
"""Bytes: of each redundant block, and of the last."""
_MOST_BLOCKS = 16


class RedError(ValueError):
    """Bytes that are no RED payload."""


@dataclass(frozen=True, slots=True)
class Block:
    """`timestamp_offset`: how much earlier than the packet's timestamp, 0 for the primary."""

    payload_type: int
    timestamp_offset: int
    data: bytes


def encode(primary_pt: int, primary: bytes, redundant: Sequence[tuple[int, bytes]]) -> bytes:
    """`redundant`: (timestamp offset, data), the oldest first; what does not fit the header's fields is left out."""
    fitting = [(o, d) for o, d in redundant if 0 < o <= LARGEST_OFFSET and len(d) <= LARGEST_BLOCK]
    heads = b"".join(
        bytes([0x80 | primary_pt, offset >> 6, (offset & 0x3F) << 2 | len(data) >> 8, len(data) & 0xFF])
        for offset, data in fitting
    )
    return heads + bytes([primary_pt]) + b"".join(data for _, data in fitting) + primary


def decode(payload: bytes) -> list[Block]:
    """The blocks, the primary last. Raises RedError."""
    heads: list[tuple[int, int, int]] = []
    at = 0
    while True:
        if at >= len(payload):
            raise RedError("the headers are cut off")
        if not payload[at] & 0x80:
            primary_pt = payload[at] & 0x7F
            at += 1
            break
        if at + 4 > len(payload) or len(heads) == _MOST_BLOCKS:
            raise RedError("the headers are cut off, or too many")
        first, second, third, fourth = payload[at : at + 4]
        heads.append((first & 0x7F, second << 6 | third >> 2, (third & 3) << 8 | fourth))
        at += 4
    if at + sum(length for _, _, length in heads) > len(payload):
        raise RedError("the blocks are larger than the packet")
    blocks = []
    for payload_type, offset, length in heads:
        blocks.append(Block(payload_type, offset, payload[at : at + length]))
        at += length
    return [*blocks, Block(primary_pt, 0, payload[at:])]
