"""What must not be answered, on real sockets: everything that is not an authentic request of somebody expected."""

from __future__ import annotations

import asyncio
import gc
import random
import socket
import time
import weakref
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest

from bench.peer import handshake
from parola.media.identity import self_signed
from parola.media.peer import Peer
from parola.media.transport import Transport
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import Credentials, IceClient, IceLite
from parola.rtp.rtp import RtpPacket

UFRAG, PASSWORD = "server00", "a-password-of-22-letters"
CLIENT = Credentials("client00", "the-password-of-a-client")


@dataclass
class Deaf:
    """A handler that only writes down."""

    packets: list[bytes] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def connected(self, now: float) -> None:
        pass

    def rtp(self, packet: bytes, now: float) -> None:
        self.packets.append(packet)

    def rtcp(self, packet: bytes, now: float) -> None:
        self.packets.append(packet)

    def moved(self) -> None: ...

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


class House:
    """A transport with one peer that waits for its client, and that client's socket."""

    def __init__(self) -> None:
        self.transport = Transport(Transport.bind(["127.0.0.1"], 0), time.monotonic)
        self.address = self.transport._sockets[0].getsockname()
        self.handler = Deaf()
        box: list[Peer] = []
        dtls = Dtls(Certificate(*self_signed()), "server", Fingerprint("sha-256", "AB:" * 31 + "AB"))
        self.peer = Peer(
            "connection", IceLite(UFRAG, PASSWORD, CLIENT, b"secret"), dtls, self.handler,
            self.transport.sender(lambda: box[0].socket_index), 1, time.monotonic(),
        )  # fmt: skip
        box.append(self.peer)
        self.transport.add(self.peer)
        self.transport.start()
        self.client = self.socket()

    def socket(self) -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        return sock

    async def send(self, *datagrams: bytes, sock: socket.socket | None = None) -> list[bytes]:
        """What came back after all of them were taken in."""
        sender = sock or self.client
        for datagram in datagrams:
            before = self.transport.packets_in
            sender.sendto(datagram, self.address)
            while self.transport.packets_in == before:  # noqa: ASYNC110
                await asyncio.sleep(0)
        answers = []
        try:
            while True:
                answers.append(sender.recv(2048))
        except BlockingIOError:
            return answers


@pytest.fixture
async def house() -> AsyncIterator[House]:
    house = House()
    yield house
    house.transport.stop()
    house.client.close()


def check(password: str = PASSWORD, ufrag: str = UFRAG) -> bytes:
    return IceClient(ufrag, password, CLIENT, b"seed" * 3, 1).request(0.0)


async def test_an_authentic_check_is_answered_and_everything_else_is_not(house: House) -> None:
    dice = random.Random(1)
    garbage = [dice.randbytes(dice.randrange(1, 1500)) for _ in range(300)]
    good = check()
    wrong = [
        check(password="another-password-of-22-ch"),
        check(ufrag="somebody"),
        good[:-1],
        good[:20],
        good[:10],
    ]
    forged = bytearray(good)
    forged[30] ^= 1
    rtp = RtpPacket(111, False, 1, 1, 1, payload=b"\xf8" + b"x" * 50).to_bytes()
    assert await house.send(*garbage, *wrong, bytes(forged), rtp, b"\x16\xfe\xfd" + b"\0" * 50) == []
    assert house.peer.ice.remote is None
    assert sum(house.transport.dropped.values()) == len(garbage) + len(wrong) + 3
    assert house.handler.packets == []
    (answer,) = await house.send(good)
    assert len(answer) <= len(good) + 64
    assert house.peer.ice.remote == house.client.getsockname()


async def test_media_before_the_handshake_is_dropped_and_unanswered(house: House) -> None:
    await house.send(check())
    rtp = RtpPacket(111, False, 1, 1, 1, payload=b"\xf8" + b"x" * 50).to_bytes()
    rtcp = b"\x80\xc8\x00\x06" + b"\0" * 24
    assert await house.send(*[rtp] * 20, *[rtcp] * 20) == []
    assert house.handler.packets == []
    assert house.peer.statistics.early_packets == 40


async def test_a_stranger_is_nobody_even_with_a_known_peers_packets(house: House) -> None:
    await house.send(check())
    stranger = house.socket()
    hello = b"\x16\xfe\xff" + b"\0" * 100
    assert (
        await house.send(hello, RtpPacket(111, False, 1, 1, 1, payload=b"x" * 40).to_bytes(), sock=stranger)
        == []
    )
    assert house.transport.dropped["dtls_from_stranger"] == 1
    assert house.transport.dropped["rtp_from_stranger"] == 1
    assert house.peer.ice.remote == house.client.getsockname()
    stranger.close()


async def test_a_handshake_that_never_comes_ends_and_frees_its_place(house: House) -> None:
    await house.send(check())
    house.peer.maintain(time.monotonic() + 11)
    assert house.handler.reasons == ["handshake_timeout"]
    house.transport.remove(house.peer)
    assert await house.send(check()) == []
    assert house.transport.peers == []


async def test_an_address_changes_hands_by_a_handshake_and_by_nothing_less(house: House) -> None:
    """Somebody went without a word, and the next one got the same port; or somebody forges a source address."""
    ears = [Deaf(), Deaf()]
    clients = []
    for i, ear in enumerate(ears):
        certificate, ufrag = Certificate(*self_signed()), f"server0{i + 1}"
        box: list[Peer] = []
        own = Certificate(*self_signed())
        dtls = Dtls(own, "server", Fingerprint("sha-256", certificate.fingerprint))
        peer = Peer(
            f"connection{i}", IceLite(ufrag, PASSWORD, CLIENT, b"secret"), dtls, ear,
            house.transport.sender(lambda box=box: box[0].socket_index), 1, time.monotonic(),
        )  # fmt: skip
        box.append(peer)
        house.transport.add(peer)
        ice = IceClient(ufrag, PASSWORD, CLIENT, b"0123456789ab", 1)
        clients.append((ice, Dtls(certificate, "client", Fingerprint("sha-256", own.fingerprint))))
    packet = RtpPacket(111, False, 1, 0, 7, payload=b"sound").to_bytes()
    srtp = await handshake(house.client, house.address, *clients[0])
    await house.send(srtp.protect(packet))
    assert [len(ear.packets) for ear in ears] == [1, 0]

    await house.send(clients[1][0].request(0.0))
    assert house.transport.dropped["address_in_use"] == 1
    again = RtpPacket(111, False, 2, 960, 7, payload=b"sound").to_bytes()
    await house.send(srtp.protect(again))
    assert [len(ear.packets) for ear in ears] == [2, 0], "a check alone takes no address from anybody"

    newer = await handshake(house.client, house.address, *clients[1])
    await house.send(newer.protect(packet))
    assert [len(ear.packets) for ear in ears] == [2, 1]

    # The first one's handshake was long ago: neither a check nor a datagram that looks like DTLS gets it back.
    await house.send(clients[0][0].request(0.0), b"\x16\xfe\xfd" + bytes(10))
    await house.send(newer.protect(again))
    assert [len(ear.packets) for ear in ears] == [2, 2]


async def test_a_taken_port_is_named() -> None:
    (taken,) = Transport.bind(["127.0.0.1"], 0)
    port = taken.getsockname()[1]
    with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
        Transport.bind(["127.0.0.1"], port)
    taken.close()


async def test_whoever_goes_leaves_nothing_to_a_collector(house: House) -> None:
    peer, handler = weakref.ref(house.peer), house.handler
    house.transport.remove(house.peer)
    gc.collect()
    gc.disable()
    try:
        house.peer.close("left")
        del house.peer
        assert peer() is None
    finally:
        gc.enable()
    assert handler.reasons == ["left"]
