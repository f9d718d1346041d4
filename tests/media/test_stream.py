from __future__ import annotations

from parola.media.merging import PacketClass
from parola.media.stream import ProgramStream, StreamNumbers
from parola.rtp import rtcp


def stream(red_pt: int | None = 63) -> ProgramStream:
    return ProgramStream(StreamNumbers(111, red_pt, 1234, 7, 5000), 0.0)


def tell(out: ProgramStream, fraction_lost: int, now: float) -> None:
    """A listener's report."""
    block = rtcp.ReportBlock(
        1234, fraction_lost=fraction_lost, cumulative_lost=5, highest_sequence=10, jitter=3, lsr=0, dlsr=0
    )
    out.handle_reports(rtcp.encode(rtcp.ReceiverReport(99, (block,))), now, now)


def test_a_new_listener_is_protected_until_reports_are_clean_and_again_after_loss() -> None:
    out = stream()
    assert out.packet_class(1.0).copies == 1
    assert out.packet_class(11.0).copies == 0
    tell(out, 26, 12.0)
    assert out.packet_class(13.0).copies == 1
    assert out.packet_class(40.0).copies == 0


def test_heavy_loss_is_answered_with_two_copies() -> None:
    out = stream()
    tell(out, 77, 4.0)
    assert out.packet_class(5.0).copies == 2
    assert out.packet_class(23.9).copies == 2
    assert out.packet_class(24.1).copies == 0


def test_loss_near_a_limit_does_not_change_the_packets_with_every_report() -> None:
    out = stream()
    copies = []
    for n, loss in enumerate([30, 45, 30, 25, 36, 21, 12, 12, 12, 12, 12, 2, 2, 2, 2, 2]):
        tell(out, loss, 10.0 + 5 * n)
        copies.append(out.packet_class(10.1 + 5 * n).copies)
    assert copies == [1, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0, 0]


def test_reports_about_other_streams_change_nothing() -> None:
    out = stream()
    report = rtcp.ReportBlock(
        4321, fraction_lost=200, cumulative_lost=5, highest_sequence=10, jitter=3, lsr=0, dlsr=0
    )
    out.handle_reports(rtcp.encode(rtcp.ReceiverReport(99, (report,))), 12.0, 12.0)
    assert out.packet_class(13.0).copies == 0


def test_without_red_in_the_offer_there_is_none() -> None:
    out = stream(red_pt=None)
    assert out.packet_class(0.0) == PacketClass(111, None, 0)


def test_only_what_a_report_has_shown_counts_as_loss() -> None:
    out = stream()
    assert not out.is_lossy(1.0), "protected at first, and yet nothing is lost"
    tell(out, 2, 3.0)
    assert not out.is_lossy(3.1)
    tell(out, 26, 5.0)
    assert out.is_lossy(24.9)
    assert not out.is_lossy(25.1)


def test_it_says_when_it_changes_by_itself() -> None:
    out = stream()
    assert out.changes_at(0.0) == 10.0
    tell(out, 77, 5.0)
    assert out.changes_at(5.0) == 25.0
    assert out.changes_at(26.0) is None


def test_who_reports_everything_lost_gets_no_more_than_two_copies() -> None:
    out = stream()
    for second in range(100):
        tell(out, 255, float(second))
        assert out.packet_class(second + 0.5).copies <= 2
