"""Redundant audio data (RFC 2198)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.red import Block, RedError, decode, encode


def test_the_layout():
    """RFC 2198, section 3: F and type; 14 bits of offset and 10 of length; the last header is one byte."""
    # Type 7, offset 160, length 3: 10000000 10100000 for the offset's 14 bits shifted by two, and the length.
    data = bytes([0x80 | 7, 160 >> 6, (160 & 63) << 2, 3, 5]) + b"old" + b"primary"
    assert decode(data) == [Block(7, 160, b"old"), Block(5, 0, b"primary")]


def test_alone():
    assert encode(111, b"primary", []) == bytes([111]) + b"primary"
    assert decode(bytes([111])) == [Block(111, 0, b"")]


def test_what_does_not_fit_the_header_is_left_out():
    redundant = [(1 << 14, b"too old"), (960, bytes(1024)), (0, b"not earlier"), ((1 << 14) - 1, bytes(1023))]
    assert decode(encode(111, b"p", redundant)) == [
        Block(111, (1 << 14) - 1, bytes(1023)),
        Block(111, 0, b"p"),
    ]


@pytest.mark.parametrize("data", ["", "ef", "ef 0f 00", "ef 0f 00 03", "ef 0f 00 03 6f 01 02"])
def test_what_is_cut_off_is_refused(data: str):
    with pytest.raises(RedError):
        decode(bytes.fromhex(data))


def test_more_blocks_than_anyone_sends_are_refused():
    with pytest.raises(RedError):
        decode(bytes([0xEF, 0, 4, 0]) * 17 + bytes([111]))


@given(
    st.integers(0, 127),
    st.binary(max_size=200),
    st.lists(st.tuples(st.integers(1, (1 << 14) - 1), st.binary(max_size=1023)), max_size=8),
)
def test_what_is_written_is_read(payload_type: int, primary: bytes, redundant: list[tuple[int, bytes]]):
    *copies, last = decode(encode(payload_type, primary, redundant))
    assert [(b.timestamp_offset, b.data) for b in copies] == redundant
    assert last == Block(payload_type, 0, primary)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_raise_nothing_else(data: bytes):
    try:
        blocks = decode(data)
    except RedError:
        return
    assert sum(len(b.data) for b in blocks) < len(data)
