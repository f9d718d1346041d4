"""One packet for many listeners: built once for each class, with the copies that it has room for."""

from __future__ import annotations

from parola.media.merging import Packet, PacketClass
from parola.rtp import opus, red

SPEECH = bytes([31 << 3]) + b"speech"
QUIET = opus.dtx(31 << 3)


def test_payloads_are_built_once_for_each_class() -> None:
    payloads = Packet(1, 1, SPEECH, ((2, b"long before"), (1, b"before")))
    plain, plain_pt = payloads.payload(PacketClass(111, 63, 0))
    doubled, doubled_pt = payloads.payload(PacketClass(111, 63, 1))
    assert (plain, plain_pt, doubled_pt) == (SPEECH, 111, 63)
    assert payloads.payload(PacketClass(111, 63, 1))[0] is doubled
    blocks = red.decode(doubled)
    assert [(b.timestamp_offset, b.data) for b in blocks] == [(960, b"before"), (0, SPEECH)]
    tripled = red.decode(payloads.payload(PacketClass(111, 63, 2))[0])
    assert [(b.timestamp_offset, b.data) for b in tripled] == [
        (1920, b"long before"),
        (960, b"before"),
        (0, SPEECH),
    ]


def test_a_hole_in_the_frames_is_a_hole_in_the_copies() -> None:
    payloads = Packet(1, 1, SPEECH, ((2, b"long before"),))
    assert [b.timestamp_offset for b in red.decode(payloads.payload(PacketClass(111, 63, 2))[0])] == [1920, 0]


def test_copies_never_make_a_datagram_larger_than_paths_carry() -> None:
    for size in (300, 380, 390, 500, 590, 1100, 1171):
        frame = bytes([31 << 3]) * size
        payload, _ = Packet(1, 1, frame, ((2, frame), (1, frame))).payload(PacketClass(111, 63, 2))
        blocks = red.decode(payload)
        assert 12 + len(payload) + 16 <= 1200
        assert len(blocks) == (3 if size <= 387 else 2 if size <= 583 else 1)
        assert [b.timestamp_offset for b in blocks] == [1920, 960, 0][-len(blocks) :]


def test_a_packet_that_is_full_goes_out_as_it_is() -> None:
    frame = bytes([31 << 3]) * 1172
    assert Packet(1, 1, frame, ()).payload(PacketClass(111, 63, 2)) == (frame, 111)


def test_quiet_packets_are_never_wrapped() -> None:
    assert Packet(1, 1, QUIET, ((1, SPEECH),)).payload(PacketClass(111, 63, 1)) == (QUIET, 111)
