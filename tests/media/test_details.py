"""What is said of a connection, while it lives and in the log's last line of it."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from parola.media import details
from parola.media.codec import Encoder
from parola.media.peer import Peer
from parola.media.stream import ProgramStream, StreamNumbers
from parola.media.voice import FRAME, Voice
from parola.rtp import rtcp
from tests.media.fakes import FakePeer
from tests.media.test_owner_edge import House

SPEECH = bytes([31 << 3]) + b"speech"
UNIX = 1_790_000_000.25


def stream(red_pt: int | None = 63) -> tuple[ProgramStream, list[bytes]]:
    reports: list[bytes] = []
    numbers = StreamNumbers(111, red_pt, 1234, 7, 5000)
    return ProgramStream(numbers, "room", lambda _: None, reports.append, 0.0), reports


def listener(peer: FakePeer, out: ProgramStream, now: float | None = 0.0) -> dict[str, Any]:
    return details.of_listener(cast(Peer, peer), out, now)


def answer(out: ProgramStream, report: bytes, waited_s: float, now: float, lost_256: int = 0) -> None:
    """A listener's report that answers ours after a while."""
    (sent,) = (p for p in rtcp.parse_compound(report) if isinstance(p, rtcp.SenderReport))
    lsr = sent.ntp >> 16 & 0xFFFFFFFF
    block = rtcp.ReportBlock(1234, lost_256, 5, 10, jitter=240, lsr=lsr, dlsr=int(waited_s * 65536))
    out.handle_reports(rtcp.encode(rtcp.ReceiverReport(99, (block,))), now)


def test_of_a_listener_nothing_is_claimed_before_their_first_report() -> None:
    out, _ = stream()
    told = listener(FakePeer(), out, now=2.5)
    assert (told["kind"], told["state"], told["since_ms"], told["family"]) == (
        "whep",
        "connected",
        2500,
        "ipv4",
    )
    assert [told[name] for name in ("loss", "jitter_ms", "rtt_ms")] == [None, None, None]


def test_a_listeners_report_says_loss_jitter_and_the_way_there_and_back() -> None:
    out, reports = stream()
    out.send(1, SPEECH, 111, False, 0.5)
    out.report(25, 1.0, UNIX)
    answer(out, reports[0], waited_s=2.0, now=3.045, lost_256=64)
    told = listener(FakePeer(), out)
    assert (told["loss"], told["jitter_ms"]) == (0.25, 5.0)
    assert abs(told["rtt_ms"] - 45) < 0.2
    assert told["red"] is True


def test_an_answer_to_no_report_of_ours_says_nothing_of_the_way() -> None:
    out, reports = stream()
    out.send(1, SPEECH, 111, False, 0.5)
    out.report(25, 1.0, UNIX)
    forged = rtcp.encode(rtcp.SenderReport(1234, rtcp.ntp(UNIX - 60), 0, 0, 0))
    answer(out, forged, waited_s=0.0, now=3.0)
    assert listener(FakePeer(), out)["rtt_ms"] is None
    answer(out, reports[0], waited_s=50.0, now=3.0)
    assert listener(FakePeer(), out)["rtt_ms"] == 0, "who claims to have waited longer than it took"


def test_red_is_said_while_it_is_sent() -> None:
    out, _ = stream()
    out.send(1, SPEECH, 111, False, 1.0)
    assert listener(FakePeer(), out)["red"] is True
    out.send(2, SPEECH, 111, False, 60.0)
    assert listener(FakePeer(), out)["red"] is False
    without, _ = stream(red_pt=None)
    without.send(1, SPEECH, 111, False, 1.0)
    assert listener(FakePeer(), without)["red"] is False


def test_a_connection_that_is_not_up_yet() -> None:
    out, _ = stream()
    told = listener(FakePeer(connected_at=None, family=None), out)
    assert (told["state"], told["since_ms"], told["family"]) == ("connecting", None, None)


def test_of_a_speaker() -> None:
    house = House()
    before = house.speakers["host"].details(house.now)
    assert [before[n] for n in ("loss", "jitter_ms", "packet_ms", "concealed", "delay_ms")] == [None] * 5
    house.talking["host"] = 440.0
    house.run(50)
    del house.talking["host"]
    house.run(10)
    told = house.speakers["host"].details(house.now)
    assert (told["kind"], told["packet_ms"], told["red"]) == ("whip", 20, False)
    assert 0 < told["concealed"] < 0.2, "a few frames are concealed when the sender just stops"
    assert 20 <= told["delay_ms"] <= 60
    assert told["jitter_ms"] < 1
    assert told["loss"] is None
    assert told["rtt_ms"] is None


def test_counts_of_a_voice_outlive_a_new_stream_of_it() -> None:
    voice = Voice("ada", 111, None, None)
    packet = Encoder().encode((0.3 * np.sin(np.arange(FRAME) / 20)).astype(np.float32))
    for ssrc in (1, 2):
        for n in range(10):
            header = bytes([0x80, 111]) + n.to_bytes(2, "big") + (n * 960).to_bytes(4, "big")
            voice.handle(header + ssrc.to_bytes(4, "big") + packet, True, 1.0 + n * 0.02)
    assert voice.jitter_counts()["received"] == 20


def test_the_log_leaves_out_what_is_not_known() -> None:
    out, _ = stream()
    line = details.for_log(listener(FakePeer(), out, now=None))
    assert line.keys() == {"family", "packets", "bytes", "red", "packet_ms"}
