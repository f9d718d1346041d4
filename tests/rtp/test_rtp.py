"""RTP packets and header extensions (RFC 3550, RFC 8285, RFC 6464)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.rtp import AudioLevel, RtpError, RtpPacket, audio_level

HEADER = bytes.fromhex("80 6f 12 34 00 00 03 c0 de ad be ef")


def with_extension(profile: str, block: str) -> bytes:
    data = bytes.fromhex(block)
    assert len(data) % 4 == 0
    words = (len(data) // 4).to_bytes(2, "big")
    return bytes([0x90]) + HEADER[1:] + bytes.fromhex(profile) + words + data + b"sound"


def test_a_plain_packet():
    packet = RtpPacket.parse(HEADER + b"sound")
    assert packet == RtpPacket(111, False, 0x1234, 960, 0xDEADBEEF, payload=b"sound")
    assert packet.to_bytes() == HEADER + b"sound"


def test_the_marker_is_no_part_of_the_payload_type():
    packet = RtpPacket.parse(bytes([0x80, 0x80 | 63]) + HEADER[2:])
    assert (packet.marker, packet.payload_type) == (True, 63)


def test_contributors_stand_before_the_payload():
    packet = RtpPacket.parse(bytes([0x82]) + HEADER[1:] + bytes.fromhex("00000001 00000002") + b"sound")
    assert packet.csrcs == (1, 2)
    assert packet.payload == b"sound"


def test_padding_is_taken_away():
    packet = RtpPacket.parse(bytes([0xA0]) + HEADER[1:] + b"sound" + bytes([0, 0, 3]))
    assert packet.payload == b"sound"


@pytest.mark.parametrize("padding", [0, 9, 255])
def test_impossible_padding(padding: int):
    with pytest.raises(RtpError):
        RtpPacket.parse(bytes([0xA0]) + HEADER[1:] + b"sound" + bytes([0, 0, padding]))


def test_one_byte_extensions_as_drawn_in_the_rfc():
    """RFC 8285, section 4.2: an element of one byte, one of two with padding behind, one of four."""
    packet = RtpPacket.parse(with_extension("bede", "10 aa 21 bb bb 00 00 33 cc cc cc cc"))
    assert packet.extensions == {1: b"\xaa", 2: b"\xbb\xbb", 3: b"\xcc\xcc\xcc\xcc"}
    assert packet.payload == b"sound"


def test_two_byte_extensions_as_drawn_in_the_rfc():
    """RFC 8285, section 4.3: an empty element, one of one byte with padding behind, one of four."""
    packet = RtpPacket.parse(with_extension("1000", "01 00 02 01 bb 00 03 04 cc cc cc cc"))
    assert packet.extensions == {1: b"", 2: b"\xbb", 3: b"\xcc\xcc\xcc\xcc"}


def test_the_application_bits_of_two_byte_extensions_mean_nothing_here():
    assert RtpPacket.parse(with_extension("100f", "02 01 bb 00")).extensions == {2: b"\xbb"}


@pytest.mark.parametrize("stop", ["f0 00", "01 00"], ids=["number 15", "number 0 with a length"])
def test_reading_stops_where_the_rfc_says_so(stop: str):
    assert RtpPacket.parse(with_extension("bede", f"10 aa {stop} 20 bb 00 00")).extensions == {1: b"\xaa"}


def test_an_unknown_profile_is_skipped():
    packet = RtpPacket.parse(with_extension("abcd", "10 aa 21 bb"))
    assert packet.extensions == {}
    assert packet.payload == b"sound"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEADER[:11],
        b"\x40" + HEADER[1:],
        b"\x81" + HEADER[1:],
        b"\x90" + HEADER[1:],
        b"\x90" + HEADER[1:] + b"\xbe\xde\x00\x01",
        with_extension("bede", "00 00 00 13"),
        with_extension("1000", "00 00 00 01"),
        with_extension("1000", "01 09 00 00"),
    ],
)
def test_what_is_cut_off_is_refused(data: bytes):
    with pytest.raises(RtpError):
        RtpPacket.parse(data)


def test_audio_levels():
    assert audio_level(0x80 | 30) == AudioLevel(voice=True, dbov=30)
    assert audio_level(127) == AudioLevel(voice=False, dbov=127)


numbers = st.integers(1, 14) | st.integers(1, 255)
packets = st.builds(
    RtpPacket,
    st.integers(0, 127),
    st.booleans(),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=15).map(tuple),
    st.dictionaries(numbers, st.binary(max_size=40), max_size=6),
    st.binary(max_size=100),
)


@given(packets)
def test_what_is_written_is_read(packet: RtpPacket):
    assert RtpPacket.parse(packet.to_bytes()) == packet


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda b: b"\x90" + HEADER[1:] + b"\xbe\xde" + b))
def test_arbitrary_bytes_raise_nothing_else(data: bytes):
    try:
        RtpPacket.parse(data)
    except RtpError:
        pass
