"""The table of RFC 7983, section 7, and of RFC 5761, section 4."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp import demux


def expected(first: int) -> str | None:
    if first <= 3:
        return "stun"
    if 20 <= first <= 63:
        return "dtls"
    return "rtp" if 128 <= first <= 191 else None


@pytest.mark.parametrize("first", range(256))
def test_the_first_byte_decides(first: int) -> None:
    assert demux.kind(bytes([first, 111]) + bytes(18)) == expected(first)


@pytest.mark.parametrize("second", range(256))
def test_the_second_byte_tells_rtcp_from_rtp(second: int) -> None:
    assert demux.kind(bytes([0x80, second]) + bytes(18)) == ("rtcp" if 192 <= second <= 223 else "rtp")


@pytest.mark.parametrize(("head", "shortest"), [("0001", 20), ("16fe", 13), ("806f", 12), ("80c8", 8)])
def test_nothing_is_shorter_than_its_header(head: str, shortest: int) -> None:
    whole = bytes.fromhex(head) + bytes(30)
    assert demux.kind(whole[:shortest]) is not None
    assert demux.kind(whole[: shortest - 1]) is None


@given(st.binary(max_size=64))
def test_arbitrary_bytes_raise_nothing(datagram: bytes) -> None:
    assert demux.kind(datagram) in ("stun", "dtls", "rtp", "rtcp", None)
