from __future__ import annotations

from parola.media.stream import PacketClass, Payloads, ProgramStream, StreamNumbers
from parola.rtp import opus, red, rtcp
from parola.rtp.rtp import RtpPacket

SPEECH = bytes([31 << 3]) + b"speech"
QUIET = opus.dtx(31 << 3)


def stream(
    first_sequence: int = 7, red_pt: int | None = 63
) -> tuple[ProgramStream, list[bytes], list[bytes]]:
    packets: list[bytes] = []
    reports: list[bytes] = []
    numbers = StreamNumbers(111, red_pt, 1234, first_sequence, 5000)
    return ProgramStream(numbers, "room", packets.append, reports.append, 0.0), packets, reports


def tell(out: ProgramStream, fraction_lost: int, now: float) -> None:
    """A listener's report."""
    block = rtcp.ReportBlock(
        1234, fraction_lost=fraction_lost, cumulative_lost=5, highest_sequence=10, jitter=3, lsr=0, dlsr=0
    )
    out.handle_reports(rtcp.encode(rtcp.ReceiverReport(99, (block,))), now)


def test_sequence_follows_packets_and_timestamp_follows_ticks() -> None:
    out, packets, _ = stream()
    for tick in (100, 101, 121):
        out.send(tick, SPEECH, 111, False, 0.0)
    parsed = [RtpPacket.parse(p) for p in packets]
    assert [p.sequence for p in parsed] == [7, 8, 9]
    assert [p.timestamp for p in parsed] == [5000, 5960, 5000 + 21 * 960]
    assert {p.ssrc for p in parsed} == {1234}


def test_an_older_tick_is_never_sent() -> None:
    out, packets, _ = stream()
    for tick in (100, 99, 100):
        out.send(tick, SPEECH, 111, False, 0.0)
    assert len(packets) == 1


def test_the_marker_begins_a_talkspurt() -> None:
    out, packets, _ = stream()
    for tick, silent in ((1, True), (21, False), (22, False), (23, True), (60, False)):
        out.send(tick, QUIET if silent else SPEECH, 111, silent, 0.0)
    assert [RtpPacket.parse(p).marker for p in packets] == [False, True, False, False, True]


def test_numbers_wrap_after_a_long_room() -> None:
    out, packets, _ = stream(first_sequence=65_530)
    for tick in range(1, 100_001):
        out.send(tick, QUIET, 111, True, 0.0)
    parsed = [RtpPacket.parse(p) for p in (packets[5], packets[6], packets[-1])]
    assert [p.sequence for p in parsed] == [65_535, 0, (65_530 + 99_999) & 0xFFFF]
    assert parsed[-1].timestamp == (5000 + 99_999 * 960) & 0xFFFFFFFF


def test_a_new_listener_is_protected_until_reports_are_clean_and_again_after_loss() -> None:
    out, _, _ = stream()
    assert out.packet_class(1.0).copies == 1
    assert out.packet_class(11.0).copies == 0
    tell(out, 26, 12.0)
    assert out.packet_class(13.0).copies == 1
    assert out.packet_class(40.0).copies == 0


def test_heavy_loss_is_answered_with_two_copies() -> None:
    out, _, _ = stream()
    tell(out, 77, 4.0)
    assert out.packet_class(5.0).copies == 2
    assert out.packet_class(23.9).copies == 2
    assert out.packet_class(24.1).copies == 0


def test_loss_near_a_limit_does_not_change_the_packets_with_every_report() -> None:
    out, _, _ = stream()
    copies = []
    for n, loss in enumerate([30, 45, 30, 25, 36, 21, 12, 12, 12, 12, 12, 2, 2, 2, 2, 2]):
        tell(out, loss, 10.0 + 5 * n)
        copies.append(out.packet_class(10.1 + 5 * n).copies)
    assert copies == [1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0]


def test_reports_about_other_streams_change_nothing() -> None:
    out, _, _ = stream()
    report = rtcp.ReportBlock(
        4321, fraction_lost=200, cumulative_lost=5, highest_sequence=10, jitter=3, lsr=0, dlsr=0
    )
    out.handle_reports(rtcp.encode(rtcp.ReceiverReport(99, (report,))), 12.0)
    assert out.packet_class(13.0).copies == 0


def test_without_red_in_the_offer_there_is_none() -> None:
    out, _, _ = stream(red_pt=None)
    assert out.packet_class(0.0) == PacketClass(111, None, 0)


def test_payloads_are_built_once_for_each_class() -> None:
    payloads = Payloads(SPEECH, ((2, b"long before"), (1, b"before")))
    plain, plain_pt = payloads.of(PacketClass(111, 63, 0))
    doubled, doubled_pt = payloads.of(PacketClass(111, 63, 1))
    assert (plain, plain_pt, doubled_pt) == (SPEECH, 111, 63)
    assert payloads.of(PacketClass(111, 63, 1))[0] is doubled
    blocks = red.decode(doubled)
    assert [(b.timestamp_offset, b.data) for b in blocks] == [(960, b"before"), (0, SPEECH)]
    tripled = red.decode(payloads.of(PacketClass(111, 63, 2))[0])
    assert [(b.timestamp_offset, b.data) for b in tripled] == [
        (1920, b"long before"),
        (960, b"before"),
        (0, SPEECH),
    ]


def test_a_hole_in_the_frames_is_a_hole_in_the_copies() -> None:
    payloads = Payloads(SPEECH, ((2, b"long before"),))
    assert payloads.of(PacketClass(111, 63, 1))[0] == red.encode(111, SPEECH, [])
    assert [b.timestamp_offset for b in red.decode(payloads.of(PacketClass(111, 63, 2))[0])] == [1920, 0]


def test_copies_never_make_a_datagram_larger_than_paths_carry() -> None:
    for size in (300, 380, 390, 500, 590, 1100, 1175):
        frame = bytes([31 << 3]) * size
        payload, _ = Payloads(frame, ((2, frame), (1, frame))).of(PacketClass(111, 63, 2))
        blocks = red.decode(payload)
        assert 12 + len(payload) + 16 <= max(1200, 12 + 1 + size + 16)
        assert len(blocks) == (3 if size <= 387 else 2 if size <= 583 else 1)
        assert [b.timestamp_offset for b in blocks] == [1920, 960, 0][-len(blocks) :]


def test_quiet_packets_are_never_wrapped() -> None:
    assert Payloads(QUIET, ((1, SPEECH),)).of(PacketClass(111, 63, 1)) == (QUIET, 111)


def test_sender_reports_come_every_five_seconds_and_match_the_stream() -> None:
    out, _, reports = stream()
    out.report(50, 1.0, 1_700_000_000.0)
    assert not reports, "nothing to report before the first packet"
    out.send(50, SPEECH, 111, False, 1.0)
    out.report(60, 1.1, 1_700_000_000.0)
    out.report(61, 1.2, 1_700_000_000.0)
    out.report(310, 6.2, 1_700_000_005.0)
    assert len(reports) == 2
    sender = rtcp.parse_compound(reports[0])[0]
    assert isinstance(sender, rtcp.SenderReport)
    assert (sender.ssrc, sender.rtp_timestamp, sender.packet_count) == (1234, 5000 + 10 * 960, 1)
