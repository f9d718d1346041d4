"""What is said of a connection, while it lives and in the log's last line of it."""

from __future__ import annotations

import numpy as np

from parola.media import details
from parola.media.codec import Encoder
from parola.media.listener import Listener
from parola.media.voice import FRAME, Voice
from parola.rtp import rtcp
from tests.media.fakes import FakePeer
from tests.media.test_owner_edge import House


def up(red_pt: int | None = 63) -> tuple[House, Listener, FakePeer]:
    house = House()
    listener, peer = house.listener("carla", red_pt=red_pt)
    return house, listener, peer


def answer(listener: Listener, report: bytes, waited_s: float, now: float, lost_256: int = 0) -> None:
    """A listener's report that answers ours after a while."""
    (sent,) = (p for p in rtcp.parse_compound(report) if isinstance(p, rtcp.SenderReport))
    lsr = sent.ntp >> 16 & 0xFFFFFFFF
    block = rtcp.ReportBlock(77, lost_256, 5, 10, jitter=240, lsr=lsr, dlsr=int(waited_s * 65536))
    listener.rtcp(rtcp.encode(rtcp.ReceiverReport(99, (block,))), now)


def test_of_a_listener_nothing_is_claimed_before_their_first_report() -> None:
    house, listener, peer = up()
    peer.connected_at = house.now
    told = listener.details(house.now + 2.5)
    assert (told["kind"], told["state"], told["since_ms"], told["family"]) == (
        "whep",
        "connected",
        2500,
        "ipv4",
    )
    assert [told[name] for name in ("loss", "jitter_ms", "rtt_ms")] == [None, None, None]
    assert (told["packets"], told["packet_ms"]) == (1, 20)


def test_a_listeners_report_says_loss_jitter_and_the_way_there_and_back() -> None:
    house, listener, peer = up()
    answer(listener, peer.reports[0], waited_s=2.0, now=house.now + 2.045, lost_256=64)
    told = listener.details(house.now)
    assert (told["loss"], told["jitter_ms"]) == (0.25, 5.0)
    assert abs(told["rtt_ms"] - 45) < 0.2
    assert told["red"] is True


def test_what_cannot_be_said_of_the_way_is_not_believed() -> None:
    house, listener, peer = up()
    for unix in (house.now - 600, house.now + 600):
        forged = rtcp.encode(rtcp.SenderReport(77, rtcp.ntp(unix), 0, 0, 0))
        answer(listener, forged, waited_s=0.0, now=house.now)
        assert listener.details(house.now)["rtt_ms"] is None
    answer(listener, peer.reports[0], waited_s=50.0, now=house.now + 3.0)
    assert listener.details(house.now)["rtt_ms"] == 0, "who claims to have waited longer than it took"


def test_red_is_said_while_it_is_sent() -> None:
    house, listener, _ = up()
    assert listener.details(house.now)["red"] is True
    house.run(60 * 50)
    assert listener.details(house.now)["red"] is False
    house, listener, _ = up(red_pt=None)
    assert listener.details(house.now)["red"] is False


def test_the_length_of_packets_is_said() -> None:
    house = House(frames=6)
    listener, _ = house.listener("carla")
    assert listener.details(house.now)["packet_ms"] == 120


def test_a_connection_that_is_not_up_yet() -> None:
    house, listener, peer = up()
    peer.connected_at, peer.family = None, None
    told = listener.details(house.now)
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
    _, listener, _ = up()
    assert details.for_log(listener.details(None)).keys() == {
        "family",
        "packets",
        "bytes",
        "red",
        "packet_ms",
    }
