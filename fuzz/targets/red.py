"""The payload of a RED packet: as many bytes in its blocks as came, and written again as it was read."""

from __future__ import annotations

from parola.rtp import red
from parola.rtp.red import RedError

SEEDS = (
    red.encode(111, b"primary", [(1920, b"older"), (960, b"old")]),
    red.encode(111, b"primary", []),
    red.encode(111, b"", [(red.LARGEST_OFFSET, bytes(red.LARGEST_BLOCK))]),
    bytes([0x80 | 111, 0, 0, 0]) * 16 + b"\x6f",
)


def check(data: bytes) -> None:
    try:
        blocks = red.decode(data)
    except RedError:
        return
    *redundant, primary = blocks
    assert primary.timestamp_offset == 0
    assert sum(len(block.data) for block in blocks) + 4 * len(redundant) + 1 == len(data)
    if all(block.payload_type == primary.payload_type and block.timestamp_offset for block in redundant):
        again = [(block.timestamp_offset, block.data) for block in redundant]
        assert red.encode(primary.payload_type, primary.data, again) == data
