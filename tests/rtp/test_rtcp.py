"""RTCP (RFC 3550, section 6) and the statistics of reception."""

import random
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.rtp.rtcp import (
    Bye,
    ReceiverReport,
    ReceptionStatistics,
    ReportBlock,
    RtcpError,
    Sdes,
    SenderReport,
    Unknown,
    encode,
    ntp,
    parse_compound,
    reports_about,
)

BLOCK = ReportBlock(0x01020304, 64, -3, 70_000, 12, 0xB7052000, 0x00054000)


def test_the_layout_of_a_receiver_report():
    """Section 6.4.2."""
    data = bytes.fromhex("81 c9 0007 0000000a 01020304 40 fffffd 00011170 0000000c b7052000 00054000")
    assert encode(ReceiverReport(10, (BLOCK,))) == data
    assert parse_compound(data) == [ReceiverReport(10, (BLOCK,))]


def test_a_compound_packet_as_a_sender_makes_it():
    packets = [SenderReport(7, ntp(1_000_000.5), 4_000_000_000, 3, 120, (BLOCK,)), Sdes(7, "room"), Bye((7,))]
    assert parse_compound(encode(*packets)) == packets


def test_a_goodbye_may_give_a_reason():
    assert parse_compound(bytes.fromhex("81 cb 0002 00000007 03 627965")) == [Bye((7,))]


def test_the_name_may_follow_other_items():
    assert parse_compound(bytes.fromhex("81 ca 0003 00000007 02 01 78 01 02 6162 00")) == [Sdes(7, "ab")]


def test_feedback_is_passed_by():
    assert parse_compound(bytes.fromhex("81 ce 0002 00000001 00000002")) == [
        Unknown(206, bytes.fromhex("0000000100000002"))
    ]


def test_padding_at_the_very_end_is_taken_away():
    assert parse_compound(bytes.fromhex("a0 c9 0002 0000000a 00000004")) == [ReceiverReport(10)]


@pytest.mark.parametrize(
    "data",
    [
        "",
        "80c9",
        "40c9 0001 0000000a",
        "80c9 0002 0000000a",
        "81c9 0001 0000000a",
        "80c8 0001 0000000a",
        "82cb 0001 0000000a",
        "81ca 0001 0000000a",
        "81ca 0002 0000000a 01096162",
        "a0c9 0002 0000000a 00000000",
        "a0c9 0002 0000000a 00000009",
        "a0c9 0002 0000000a 00000004 80c9 0001 0000000a",
    ],
)
def test_what_is_cut_off_is_refused(data: str):
    with pytest.raises(RtcpError):
        parse_compound(bytes.fromhex(data))


def test_more_packets_than_anyone_sends_are_refused():
    with pytest.raises(RtcpError):
        parse_compound(encode(ReceiverReport(1)) * 40)


@given(st.binary(max_size=300) | st.binary(max_size=60).map(lambda b: b"\x81\xc8\x00\x0c" + b))
def test_arbitrary_bytes_raise_nothing_else(data: bytes):
    try:
        parse_compound(data)
    except RtcpError:
        pass


u32 = st.integers(0, 0xFFFFFFFF)
blocks = st.builds(
    ReportBlock, u32, st.integers(0, 255), st.integers(-0x800000, 0x7FFFFF), u32, u32, u32, u32
)
several = st.lists(blocks, max_size=31).map(tuple)


@given(
    st.lists(
        st.builds(SenderReport, u32, st.integers(0, 2**64 - 1), u32, u32, u32, several)
        | st.builds(ReceiverReport, u32, several)
        | st.builds(Bye, st.lists(u32, max_size=31).map(tuple))
        | st.builds(Sdes, u32, st.text(max_size=60)),
        min_size=1,
        max_size=5,
    )
)
def test_what_is_written_is_read(packets):
    assert parse_compound(encode(*packets)) == packets


def test_ntp_counts_from_1900():
    assert ntp(0) == 2_208_988_800 << 32
    assert ntp(0.5) & 0xFFFFFFFF == 1 << 31


def test_round_trip_time_as_in_the_rfc():
    """RFC 3550, section 6.4.1, figure 2: 6.125 s, from a report that is 5.25 s old when it is answered."""
    statistics = ReceptionStatistics(1)
    statistics.sender_report(0xB44DB705_20000000, arrival=100.0)
    block = statistics.report(now=105.25)
    assert (block.lsr, block.dlsr) == (0xB7052000, 0x00054000)
    assert 0xB7108000 - block.lsr - block.dlsr == int(6.125 * 65536)


def test_before_any_packet_there_is_nothing_to_report():
    assert ReceptionStatistics(1).report(5.0) == ReportBlock(1, 0, 0, 0, 0, 0, 0)


def test_loss_since_the_last_report_and_in_all():
    statistics = ReceptionStatistics(1)
    for i in range(100):
        if i % 4 != 1:
            statistics.received(i, i * 960, i * 0.02)
    first = statistics.report(2.0)
    assert (first.fraction_lost, first.cumulative_lost, first.highest_sequence) == (64, 25, 99)
    for i in range(100, 200):
        statistics.received(i, i * 960, i * 0.02)
    second = statistics.report(4.0)
    assert (second.fraction_lost, second.cumulative_lost, second.highest_sequence) == (0, 25, 199)


def test_a_good_interval_after_a_bad_one_reports_no_fraction():
    statistics = ReceptionStatistics(1)
    statistics.received(0, 0, 0.0)
    statistics.received(10, 9600, 0.2)
    assert statistics.report(1.0).fraction_lost == 9 * 256 // 11
    statistics.received(11, 10560, 0.22)
    later = statistics.report(2.0)
    assert (later.fraction_lost, later.cumulative_lost) == (0, 9)


def test_duplicates_make_the_loss_negative_but_no_fraction():
    statistics = ReceptionStatistics(1)
    for _ in range(3):
        statistics.received(5, 0, 0.0)
    block = statistics.report(1.0)
    assert (block.fraction_lost, block.cumulative_lost) == (0, -2)


def test_the_extended_sequence_number_counts_the_turns():
    statistics = ReceptionStatistics(1)
    for i in range(65_530, 65_536 * 2 + 20):
        statistics.received(i & 0xFFFF, i * 960 & 0xFFFFFFFF, i * 0.02)
    block = statistics.report(9999.0)
    assert (block.highest_sequence, block.cumulative_lost) == (65_536 * 2 + 19, 0)


def test_reordering_is_no_loss():
    order = list(range(60_000, 70_000))
    generator = random.Random(1)
    for i in range(1, len(order), 5):
        chunk = order[i : i + 5]
        generator.shuffle(chunk)
        order[i : i + 5] = chunk
    statistics = ReceptionStatistics(1)
    for i in order:
        statistics.received(i & 0xFFFF, i * 960 & 0xFFFFFFFF, i * 0.02)
    block = statistics.report(9999.0)
    assert (block.highest_sequence, block.cumulative_lost) == (69_999, 0)


def test_one_stray_is_ignored_and_two_in_a_row_begin_anew():
    """Appendix A.1."""
    statistics = ReceptionStatistics(1)
    statistics.received(100, 0, 0.0)
    statistics.received(40_000, 0, 0.02)
    statistics.received(101, 960, 0.02)
    assert statistics.report(1.0).highest_sequence == 101
    statistics.received(40_000, 5000, 0.04)
    statistics.received(40_001, 5960, 0.06)
    block = statistics.report(2.0)
    assert (block.highest_sequence, block.cumulative_lost) == (40_001, 0)


def test_jitter_of_an_even_stream_is_nothing_and_of_an_uneven_one_its_mean_deviation():
    even, uneven = ReceptionStatistics(1), ReceptionStatistics(1)
    for i in range(500):
        even.received(i, i * 960, i * 0.02)
        uneven.received(i, i * 960, i * 0.02 + (i % 2) * 0.005)
    assert even.report(10).jitter == 0
    assert uneven.report(10).jitter == pytest.approx(240, abs=2)  # 5 ms at 48 kHz


def test_the_timestamps_turn_is_no_jitter():
    statistics = ReceptionStatistics(1)
    for i in range(100):
        statistics.received(i, (0xFFFFFFFF - 50 * 960 + i * 960) & 0xFFFFFFFF, i * 0.02)
    assert statistics.report(2.0).jitter == 0


def test_a_block_always_fits_its_fields():
    statistics = ReceptionStatistics(0xFFFFFFFF)
    generator = random.Random(2)
    for _ in range(5000):
        statistics.received(
            generator.randrange(65_536), generator.randrange(1 << 32), generator.random() * 1e6
        )
    encoded = encode(ReceiverReport(1, (statistics.report(1e9),)))
    assert struct.unpack_from("!H", encoded, 2)[0] == 7


SSRCS = st.sampled_from([7, 8])
BLOCKS = st.builds(
    ReportBlock,
    SSRCS,
    *[st.integers(0, 255), st.integers(-(1 << 23), (1 << 23) - 1)],
    *[st.integers(0, 2**32 - 1)] * 4,
)
REPORTS = st.lists(BLOCKS, max_size=4).map(tuple)
COMPOUNDS = st.lists(
    st.one_of(
        st.builds(ReceiverReport, SSRCS, REPORTS),
        st.builds(lambda reports: SenderReport(9, 1, 2, 3, 4, reports), REPORTS),
        st.just(Sdes(7, "room")),
        st.just(Bye((7,))),
        st.just(Unknown(206, bytes(8))),
    ),
    min_size=1,
    max_size=6,
)


@given(COMPOUNDS)
def test_what_is_said_about_a_stream_is_found_without_reading_the_rest(packets):
    about = [
        block
        for packet in packets
        if isinstance(packet, (ReceiverReport, SenderReport))
        for block in packet.reports
        if block.ssrc == 7
    ]
    assert reports_about(encode(*packets), 7) == about


@given(COMPOUNDS, st.data())
def test_a_compound_that_is_cut_off_or_bent_says_nothing_or_something_but_never_breaks(packets, data):
    whole = encode(*packets)
    for bent in (
        whole[: data.draw(st.integers(0, len(whole)))],
        whole[: (at := data.draw(st.integers(0, len(whole) - 1)))]
        + data.draw(st.binary(min_size=1, max_size=1))
        + whole[at + 1 :],
    ):
        try:
            blocks = reports_about(bent, 7)
        except RtcpError:
            continue
        assert all(block.ssrc == 7 for block in blocks)
