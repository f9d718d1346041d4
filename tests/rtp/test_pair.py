"""ICE, DTLS, SRTP, RTP, RED and the jitter buffer together: two peers, one bad network, no clock."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import pytest

from parola.rtp import red, rtcp
from parola.rtp.ice import CONSENT_S, IceClient
from parola.rtp.jitter import Fec, JitterBuffer, Lost, Play
from parola.rtp.rtp import RtpPacket
from parola.rtp.srtp import Srtp
from tests.rtp.simulated import (
    CLIENT,
    CLIENT_SAYS,
    SERVER,
    Client,
    Network,
    Pair,
    Server,
    Weather,
    certificate,
    fingerprint,
)

OPUS, RED, FRAME, TICK = 111, 63, 960, 0.02
CLEAR = Weather()
ROUGH = Weather(loss=0.1, duplication=0.05, jitter=0.03)
STORM = Weather(loss=0.3, duplication=0.2, jitter=0.1)
STRANGER = ("203.0.113.66", 4444)


def packet(number: int, payload: bytes = b"", payload_type: int = OPUS) -> bytes:
    return RtpPacket(
        payload_type, False, number & 0xFFFF, number * FRAME & 0xFFFFFFFF, 7, payload=payload or frame(number)
    ).to_bytes()


def frame(number: int) -> bytes:
    """As long and as framed as 20 ms of speech in Opus (hybrid, full band, mono, one frame); tells its number."""
    return bytes([0x78]) + number.to_bytes(4, "big") + bytes(60 + number * 37 % 40)


def number_of(played: bytes) -> int:
    assert played == frame(int.from_bytes(played[1:5], "big")), "what is played is what was sent"
    return int.from_bytes(played[1:5], "big")


@dataclass(slots=True)
class Speech:
    """A client that talks to a server for a while; `copies` earlier frames go along in each packet."""

    pair: Pair
    copies: int
    jitter: JitterBuffer = field(default_factory=JitterBuffer)
    played: list[int] = field(default_factory=list)
    concealed: int = 0
    guessed: int = 0

    def run(self, frames: int) -> None:
        network = self.pair.network
        self.pair.server.on_rtp = self._arrive
        start = network.now
        for number in range(frames):
            network.at(start + number * TICK, lambda number=number: self._speak(number))
            network.at(start + 0.007 + number * TICK, self._listen)
        self.pair.run(frames * TICK)

    def _speak(self, number: int) -> None:
        earlier = [(n * FRAME, frame(number - n)) for n in range(self.copies, 0, -1) if number >= n]
        if self.copies:
            payload = red.encode(OPUS, frame(number), earlier)
            self.pair.client.send_rtp(packet(number, payload, RED))
        else:
            self.pair.client.send_rtp(packet(number))

    def _arrive(self, data: bytes) -> None:
        arrived = RtpPacket.parse(data)
        now = self.pair.network.now
        if arrived.payload_type == RED:
            *earlier, primary = red.decode(arrived.payload)
            for block in earlier:
                self.jitter.insert(arrived.timestamp - block.timestamp_offset, block.data, now, None)
            self.jitter.insert(arrived.timestamp, primary.data, now, arrived.sequence)
        else:
            self.jitter.insert(arrived.timestamp, arrived.payload, now, arrived.sequence)

    def _listen(self) -> None:
        match self.jitter.pull(self.pair.network.now):
            case Play(payload=payload):
                self.played.append(number_of(payload))
            case Fec():
                self.guessed += 1
            case Lost():
                self.concealed += 1


def test_a_clear_day() -> None:
    pair = Pair.make(0, CLEAR)
    pair.connect()
    assert pair.network.now == pytest.approx(0.12), "one round trip for ICE, two for DTLS, at 20 ms each way"
    assert pair.client.ice.mapped == CLIENT
    assert pair.server.ice.remote == CLIENT
    for number in range(10):
        pair.client.send_rtp(packet(number))
        pair.server.send_rtp(packet(number))
    pair.run(1.0)
    expected = [packet(number) for number in range(10)]
    assert pair.server.rtp == expected
    assert pair.client.rtp == expected
    assert pair.server.dropped == pair.client.dropped == 0


@pytest.mark.parametrize("seed", range(25))
def test_media_after_a_storm(seed: int) -> None:
    pair = Pair.make(seed, STORM)
    pair.connect()
    for number in range(100):
        pair.client.send_rtp(packet(number))
        pair.server.send_rtp(packet(number))
    pair.run(1.0)
    sent = {packet(number) for number in range(100)}
    for received in (pair.server.rtp, pair.client.rtp):
        assert set(received) <= sent
        assert len(received) == len(set(received)), "the network's copies are replays"
        assert len(received) > 40


def test_the_wrong_certificate_is_never_heard() -> None:
    pair = Pair.make(1, CLEAR, expected=fingerprint(certificate()))
    pair.client.start()
    pair.run(10.0)
    assert pair.server.dtls.state == "failed"
    assert pair.server.srtp is None
    assert pair.client.srtp is None


def test_nobody_is_heard_before_the_keys() -> None:
    pair = Pair.make(0)
    pair.network.send(packet(1), CLIENT, SERVER)
    pair.client.start()
    pair.run(0.03)
    pair.network.send(packet(2), CLIENT, SERVER)
    pair.connect()
    pair.network.send(packet(3) + bytes(16), CLIENT, SERVER)
    pair.run(1.0)
    assert pair.server.rtp == []
    assert pair.server.dropped >= 3


def test_a_stranger_changes_nothing() -> None:
    pair = Pair.make(0)
    pair.connect()
    strange_srtp = Srtp(pair.client.dtls.keys) if pair.client.dtls.keys else None
    assert strange_srtp is not None
    guesser = IceClient(pair.server.ice.ufrag, "a-password-by-guess-22", CLIENT_SAYS, b"x", 7)
    heard: list[bytes] = []
    pair.network.attach(STRANGER, lambda datagram, _: heard.append(datagram))
    for datagram in (
        strange_srtp.protect(packet(1)),  # the right keys from the wrong place
        guesser.request(0.0),
        bytes.fromhex("16fefd0000000000000000") + b"\0\1\0",
        b"\x80\xc9\0\1" + bytes(40),
        b"",
        bytes(100),
    ):
        pair.network.send(datagram, STRANGER, SERVER)
    pair.run(1.0)
    assert heard == [], "no answer, not even an error"
    assert pair.server.rtp == []
    assert pair.server.ice.remote == CLIENT
    assert pair.server.dtls.state == "connected"


def test_forged_sources_are_stopped_by_their_tags() -> None:
    pair = Pair.make(0)
    pair.connect()
    for number in range(2000):
        pair.network.send(packet(number) + bytes(16), CLIENT, SERVER)
        if number % 20 == 0:
            pair.client.send_rtp(packet(number // 20))
    pair.run(1.0)
    assert pair.server.rtp == [packet(number) for number in range(100)]


def test_media_follows_a_client_to_another_network() -> None:
    pair = Pair.make(0)
    pair.connect()
    pair.client.move(("203.0.113.9", 1234))
    pair.client.send_rtp(packet(1))
    pair.run(0.1)
    assert pair.server.rtp == [], "not before it has proved itself from there"
    pair.run(3.0)
    pair.client.send_rtp(packet(2))
    pair.server.send_rtp(packet(3))
    pair.run(0.1)
    assert pair.server.ice.remote == pair.client.address
    assert pair.server.rtp == [packet(2)]
    assert pair.client.rtp == [packet(3)]


def test_who_has_gone_gets_nothing_after_thirty_seconds() -> None:
    pair = Pair.make(0)
    pair.connect()
    pair.run(10.0)
    arrived: list[float] = []
    gone_at = pair.network.now
    pair.client.is_gone = True
    pair.network.attach(CLIENT, lambda *_: arrived.append(pair.network.now))
    for number in range(60 * 50):
        pair.network.at(gone_at + number * TICK, lambda number=number: pair.server.send_rtp(packet(number)))
    pair.run(60.0)
    assert CONSENT_S - 3 < arrived[-1] - gone_at < CONSENT_S + 0.1


def test_a_goodbye_is_understood() -> None:
    pair = Pair.make(0)
    pair.connect()
    pair.client.close()
    pair.run(0.1)
    assert pair.server.dtls.state == "closed"
    assert pair.server.dtls.keys is None


def test_a_late_joiner_of_a_long_room() -> None:
    network = Network(0)
    ours, theirs = certificate(), certificate()

    def listener(place: int) -> tuple[Server, Client]:
        server = Server(network, ("192.0.2.1", 7000 + place), ours, fingerprint(theirs))
        client = Client(network, ("198.51.100.7", 7000 + place), server, theirs, fingerprint(ours))
        client.start()
        network.run(network.now + 5.0)
        return server, client

    server, client = listener(1)
    assert server.srtp is not None
    assert client.srtp is not None
    room = itertools.count()
    for number in itertools.islice(room, 66_000):
        assert client.srtp.unprotect(server.srtp.protect(packet(number)))
    late_server, late_client = listener(2)
    own = itertools.count(16_000)
    for tick, number in zip(itertools.islice(room, 100), own, strict=False):
        server.send_rtp(packet(tick))
        late_server.send_rtp(packet(number))
    network.run(network.now + 1.0)
    assert len(client.rtp) == len(late_client.rtp) == 100


def test_every_frame_is_heard_in_its_turn_on_a_clear_day() -> None:
    pair = Pair.make(0, CLEAR)
    pair.connect()
    speech = Speech(pair, copies=0)
    speech.run(500)
    assert speech.played == list(range(len(speech.played)))
    assert len(speech.played) >= 495
    assert speech.concealed == speech.guessed == 0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("copies", [0, 1, 2])
def test_redundancy_fills_what_rough_weather_loses(seed: int, copies: int) -> None:
    pair = Pair.make(seed, ROUGH)
    pair.connect()
    speech = Speech(pair, copies)
    speech.run(1500)
    assert speech.played == sorted(set(speech.played)), "in order, and nothing twice"
    heard = len(speech.played) / 1500
    # Of frames lost by chance, one in ten: a copy leaves one in a hundred, two leave one in a thousand.
    assert heard > (0.85, 0.96, 0.97)[copies]
    if copies == 0:
        assert heard < 0.96
        assert speech.guessed > 0


def test_reports_arrive_under_srtcp() -> None:
    pair = Pair.make(3, ROUGH)
    pair.connect()
    reception = rtcp.ReceptionStatistics(7)

    def arrive(data: bytes) -> None:
        arrived = RtpPacket.parse(data)
        reception.received(arrived.sequence, arrived.timestamp, pair.network.now)

    pair.server.on_rtp = arrive
    start = pair.network.now
    for number in range(1000):
        pair.network.at(start + number * TICK, lambda number=number: pair.client.send_rtp(packet(number)))
    pair.run(20.5)
    pair.network.weather = CLEAR
    block = reception.report(pair.network.now)
    pair.server.send_rtcp(rtcp.encode(rtcp.ReceiverReport(99, (block,)), rtcp.Sdes(99, "room")))
    pair.client.send_rtcp(rtcp.encode(rtcp.ReceiverReport(7), rtcp.Sdes(7, "me"), rtcp.Bye((7,))))
    pair.run(1.0)
    (report,) = pair.client.rtcp
    received = rtcp.parse_compound(report)[0]
    assert isinstance(received, rtcp.ReceiverReport)
    assert received.reports == (block,)
    assert 0.05 * 256 < block.fraction_lost < 0.16 * 256
    assert rtcp.Bye((7,)) in rtcp.parse_compound(pair.server.rtcp[0])
