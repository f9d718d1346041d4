"""Opus packets (RFC 6716, section 3). What libopus makes of merged ones is tested beside the codec."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parola.rtp import opus
from parola.rtp.opus import OpusError

CELT_20 = 31 << 3
CELT_2_5 = 28 << 3


@pytest.mark.parametrize(
    ("config", "mode", "bandwidth", "samples"),
    [
        (0, "silk", "narrow", 480),
        (3, "silk", "narrow", 2880),
        (5, "silk", "medium", 960),
        (10, "silk", "wide", 1920),
        (12, "hybrid", "superwide", 480),
        (13, "hybrid", "superwide", 960),
        (15, "hybrid", "full", 960),
        (16, "celt", "narrow", 120),
        (21, "celt", "wide", 240),
        (26, "celt", "superwide", 480),
        (31, "celt", "full", 960),
    ],
)
def test_table_2(config: int, mode: str, bandwidth: str, samples: int):
    toc = opus.toc(bytes([config << 3 | 4 | 2]))
    assert (toc.config, toc.mode, toc.bandwidth, toc.frame_samples) == (config, mode, bandwidth, samples)
    assert (toc.stereo, toc.code) == (True, 2)


@pytest.mark.parametrize(
    ("packet", "frames"),
    [
        (bytes([CELT_20]), [b""]),
        (bytes([CELT_20]) + b"abc", [b"abc"]),
        (bytes([CELT_20 | 1]) + b"abcd", [b"ab", b"cd"]),
        (bytes([CELT_20 | 2, 1]) + b"abcd", [b"a", b"bcd"]),
        (bytes([CELT_20 | 2, 252, 1]) + bytes(256) + b"z", [bytes(256), b"z"]),
        (bytes([CELT_20 | 3, 3]) + b"abcdef", [b"ab", b"cd", b"ef"]),
        (bytes([CELT_20 | 3, 0x83, 1, 0]) + b"abc", [b"a", b"", b"bc"]),
        (bytes([CELT_20 | 3, 0x42, 2]) + b"abcd" + bytes(2), [b"ab", b"cd"]),
        (bytes([CELT_20 | 3, 0x41, 255, 1]) + b"ab" + bytes(255), [b"ab"]),
    ],
    ids=[
        "dtx",
        "code 0",
        "code 1",
        "code 2",
        "two-byte length",
        "equal",
        "unequal",
        "padding",
        "254 and more padding",
    ],
)
def test_each_way_of_packing(packet: bytes, frames: list[bytes]):
    assert opus.frames(packet) == frames
    assert opus.duration(packet) == 960 * len(frames)
    assert opus.split(packet) == [bytes([CELT_20]) + frame for frame in frames]


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        bytes([CELT_20 | 1]) + b"abc",
        bytes([CELT_20 | 2]),
        bytes([CELT_20 | 2, 252]),
        bytes([CELT_20 | 2, 5]) + b"abcd",
        bytes([CELT_20]) + bytes(1276),
        bytes([CELT_20 | 3]),
        bytes([CELT_20 | 3, 0]),
        bytes([CELT_20 | 3, 7]) + bytes(7),
        bytes([CELT_2_5 | 3, 49]) + bytes(49),
        bytes([CELT_20 | 3, 2]) + bytes(3),
        bytes([CELT_20 | 3, 0x82, 4]) + bytes(3),
        bytes([CELT_20 | 3, 0x82]),
        bytes([CELT_20 | 3, 0x41]),
        bytes([CELT_20 | 3, 0x41, 255]),
        bytes([CELT_20 | 3, 0x41, 4]) + bytes(3),
    ],
    ids=[
        "R1",
        "R3",
        "R4: no length",
        "R4: half a length",
        "R4: cut off",
        "R2",
        "no count",
        "no frames",
        "R5: 140 ms",
        "R5: 49 frames",
        "R6",
        "R7: cut off",
        "R7: no length",
        "no padding length",
        "half a padding length",
        "more padding than packet",
    ],
)
def test_what_section_3_4_forbids(packet: bytes):
    with pytest.raises(OpusError):
        opus.duration(packet)


def test_120_ms_is_the_most():
    assert opus.duration(bytes([CELT_20 | 3, 6]) + bytes(6)) == opus.LONGEST
    assert opus.duration(bytes([CELT_2_5 | 3, 48]) + bytes(48)) == opus.LONGEST
    with pytest.raises(OpusError):
        opus.merge([bytes([CELT_20]) + b"x"] * 7)


def test_only_equal_configurations_are_merged():
    with pytest.raises(OpusError):
        opus.merge([bytes([CELT_20]) + b"x", bytes([15 << 3]) + b"x"])
    with pytest.raises(OpusError):
        opus.merge([bytes([CELT_20]) + b"x", bytes([CELT_20 | 4]) + b"x"])


@pytest.mark.parametrize("packets", [[], [b""], [bytes([CELT_20]) + b"x", b""]])
def test_nothing_is_not_merged(packets: list[bytes]):
    with pytest.raises(OpusError):
        opus.merge(packets)


def test_the_cheapest_code_is_chosen():
    def code(*frames: bytes) -> int:
        return opus.merge([bytes([CELT_20]) + f for f in frames])[0] & 3

    assert (code(b"a"), code(b"a", b"b"), code(b"a", b"bc"), code(b"a", b"b", b"c")) == (0, 1, 2, 3)


@pytest.mark.parametrize("size", [0, 251, 252, 253, 254, 255, 256, 1275])
def test_lengths_of_one_byte_and_of_two(size: int):
    """Section 3.2.1: 252 is the first that takes two."""
    frames = [bytes([CELT_20]) + f for f in (bytes(size), b"between", bytes(size), b"z")]
    for count in (2, 3, 4):
        merged = opus.merge(frames[:count])
        lengths = (2 if size >= 252 else 1) * ((count - 1) // 2 + (count - 1) % 2) + (count - 1) // 2
        assert len(merged) == 1 + (count > 2) + lengths + sum(len(f) - 1 for f in frames[:count])
        assert opus.split(merged) == frames[:count]


def test_discontinuous_transmission():
    packet = opus.dtx(CELT_20 | 3)
    assert packet == bytes([CELT_20])
    assert opus.is_dtx(packet)
    assert opus.duration(packet) == 960
    assert not opus.is_dtx(packet + b"xy")


def test_digital_silence():
    packet = opus.silence(CELT_20 | 3)
    assert packet == bytes([CELT_20, 0xFF, 0xFE])
    assert opus.duration(packet) == 960
    assert not opus.is_dtx(packet)
    with pytest.raises(ValueError, match="CELT"):
        opus.silence(15 << 3)


one_frame = st.binary(max_size=1275) | st.binary(max_size=3)


@given(
    st.sampled_from([c << 3 for c in range(32)]), st.booleans(), st.lists(one_frame, min_size=1, max_size=48)
)
def test_merged_frames_are_split_again(config: int, stereo: bool, frames: list[bytes]):
    head = config | (4 if stereo else 0)
    packets = [bytes([head]) + frame for frame in frames]
    assume(opus.toc(packets[0]).frame_samples * len(frames) <= opus.LONGEST)
    merged = opus.merge(packets)
    assert opus.split(merged) == packets
    assert opus.merge([merged]) == merged


@given(st.binary(max_size=300) | st.binary(max_size=40).map(lambda b: bytes([CELT_2_5 | 3]) + b))
def test_arbitrary_bytes_raise_nothing_else(data: bytes):
    try:
        samples = opus.duration(data)
        packets = opus.split(data)
    except OpusError:
        return
    assert 120 <= samples <= opus.LONGEST
    assert sum(opus.duration(p) for p in packets) == samples
    assert opus.split(opus.merge(packets)) == packets
