"""Two WebRTC peers on a network that exists only in virtual time, with seeded loss, reordering and duplication.

Nothing here reads a clock. What makes two runs of one seed differ is only what OpenSSL draws for itself (keys, and by
them a byte more or less in a signature): no test may depend on it.
"""

from __future__ import annotations

import datetime
import functools
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parola.rtp import demux
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import Credentials, IceClient, IceLite
from parola.rtp.srtp import Srtp, SrtpError
from parola.rtp.stun import Address

CLIENT_SAYS = Credentials("client", "the-client's-password!")

_VALID_FROM = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def certificate(padding: int = 0) -> Certificate:
    """A certificate of its own; `padding` bytes of name make it as long as a test wants it."""
    key = ec.generate_private_key(ec.SECP256R1())
    units = ["x" * min(64, padding - at) for at in range(0, padding, 64)]
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "test"),
            *(x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, unit) for unit in units),
        ]
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_VALID_FROM)
        .not_valid_after(_VALID_FROM + datetime.timedelta(days=30))
        .sign(key, hashes.SHA256())
    )
    return Certificate(made, key)


def fingerprint(of: Certificate) -> Fingerprint:
    return Fingerprint("sha-256", of.fingerprint)


@dataclass(frozen=True, slots=True)
class Weather:
    """Of a network: chances between 0 and 1, delays in seconds."""

    loss: float = 0.0
    duplication: float = 0.0
    delay: float = 0.02
    jitter: float = 0.0
    """Added to `delay`, evenly drawn: more than the distance between two datagrams reorders them."""


class Network:
    """Carries datagrams, and calls whoever asked to be called, in the order of their times."""

    def __init__(self, seed: int, weather: Weather | None = None) -> None:
        self.now = 0.0
        self.weather = weather or Weather()
        self.sent = self.lost = 0
        self._random = random.Random(seed)
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._hosts: dict[Address, Callable[[bytes, Address], None]] = {}

    def at(self, time: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (max(time, self.now), next(self._order), action))

    def carry(self, datagram: bytes, deliver: Callable[[bytes], None]) -> None:
        self.sent += 1
        weather = self.weather
        copies = 2 if self._random.random() < weather.duplication else 1
        for _ in range(copies):
            if self._random.random() < weather.loss:
                self.lost += 1
                continue
            delay = weather.delay + self._random.random() * weather.jitter
            self.at(self.now + delay, lambda: deliver(datagram))

    def attach(self, address: Address, receive: Callable[[bytes, Address], None]) -> None:
        self._hosts[address] = receive

    def send(self, datagram: bytes, source: Address, destination: Address) -> None:
        """`source` is believed, as on the real network; what nobody listens to is lost."""
        receive = self._hosts.get(destination)
        if receive is not None:
            self.carry(datagram, lambda arrived: receive(arrived, source))

    def step(self) -> bool:
        """Goes to the next thing that happens; False when nothing ever will."""
        if not self._due:
            return False
        self.now, _, action = heapq.heappop(self._due)
        action()
        return True

    def run(self, until: float, done: Callable[[], bool] = lambda: False) -> None:
        while not done() and self._due and self._due[0][0] <= until:
            self.step()
        if not done():
            self.now = max(self.now, until)


class DtlsEnd:
    """One end of an association, with its retransmission timer in virtual time. `send` takes its datagrams."""

    def __init__(self, network: Network, dtls: Dtls, send: Callable[[bytes], None]) -> None:
        self.dtls = dtls
        self.sizes: list[int] = []
        self._network = network
        self._send = send
        self._timer = 0

    def start(self) -> None:
        self.dtls.start()
        self._after()

    def receive(self, datagram: bytes) -> None:
        self.dtls.handle(datagram)
        self._after()

    def close(self) -> None:
        self.dtls.close()
        self._after()

    def _after(self) -> None:
        while (datagram := self.dtls.poll()) is not None:
            self.sizes.append(len(datagram))
            self._send(datagram)
        self._timer += 1
        timeout = self.dtls.timeout()
        if timeout is not None:
            timer = self._timer
            self._network.at(self._network.now + timeout, lambda: self._expire(timer))

    def _expire(self, timer: int) -> None:
        if timer == self._timer:
            self.dtls.handle_timeout()
            self._after()


def dtls_ends(network: Network, client: Dtls, server: Dtls) -> tuple[DtlsEnd, DtlsEnd]:
    """Both ends of an association, joined by the network."""
    left = DtlsEnd(network, client, lambda datagram: network.carry(datagram, right.receive))
    right = DtlsEnd(network, server, lambda datagram: network.carry(datagram, left.receive))
    return left, right


class Server:
    """One connection as the media process has it: ICE-lite, DTLS as server, SRTP. Datagrams that do not come from the
    address that ICE has validated are dropped, and nothing is sent but to there."""

    def __init__(self, network: Network, address: Address, own: Certificate, expected: Fingerprint) -> None:
        self.ice = IceLite("server", "the-server's-password!", CLIENT_SAYS, b"secret")
        self.srtp: Srtp | None = None
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.dropped = 0
        self.address = address
        self.on_rtp: Callable[[bytes], None] = self.rtp.append
        self._network = network
        self._end = DtlsEnd(network, Dtls(own, "server", expected), self._send)
        network.attach(address, self.receive)

    @property
    def dtls(self) -> Dtls:
        return self._end.dtls

    def receive(self, datagram: bytes, source: Address) -> None:
        kind = demux.kind(datagram)
        if kind == "stun":
            response = self.ice.handle(datagram, source, self._network.now)
            if response is not None:
                self._network.send(response, self.address, source)
                if check := self.ice.check(self._network.now):
                    self._network.send(check[0], self.address, check[1])
            elif not self.ice.handle_response(datagram, source, self._network.now):
                self.dropped += 1
        elif source != self.ice.remote or kind is None:
            self.dropped += 1
        elif kind == "dtls":
            self._end.receive(datagram)
            if self.srtp is None and self.dtls.keys is not None:
                self.srtp = Srtp(self.dtls.keys)
                self.ice.settle()
        else:
            self.dropped += not _media(self, datagram, kind)

    def send_rtp(self, packet: bytes) -> None:
        if self.srtp is not None and not self.ice.consent_expired(self._network.now):
            self._send(self.srtp.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        assert self.srtp is not None
        self._send(self.srtp.protect_rtcp(packet))

    def _send(self, datagram: bytes) -> None:
        if self.ice.remote is not None:
            self._network.send(datagram, self.address, self.ice.remote)


class Client:
    """A browser's side of it: checks until one is answered, then DTLS as client, then SRTP, and consent every 2.5 s.
    `address` may be changed in flight, as when a phone goes from one network to another."""

    def __init__(
        self, network: Network, address: Address, server: Server, own: Certificate, expected: Fingerprint
    ) -> None:
        self.ice = IceClient(server.ice.ufrag, server.ice.password, CLIENT_SAYS, repr(address).encode(), 7)
        self.srtp: Srtp | None = None
        self.rtp: list[bytes] = []
        self.rtcp: list[bytes] = []
        self.dropped = 0
        self.address = address
        self.is_gone = False
        self.on_rtp: Callable[[bytes], None] = self.rtp.append
        self._server = server.address
        self._network = network
        self._end = DtlsEnd(network, Dtls(own, "client", expected), self.send)
        network.attach(address, self.receive)

    @property
    def dtls(self) -> Dtls:
        return self._end.dtls

    def start(self) -> None:
        self._check()

    def move(self, address: Address) -> None:
        self.address = address
        self._network.attach(address, self.receive)

    def receive(self, datagram: bytes, source: Address) -> None:
        kind = demux.kind(datagram)
        if source != self._server or self.is_gone:
            self.dropped += 1
        elif kind == "stun":
            is_first = self.ice.mapped is None
            if self.ice.handle_response(datagram) and is_first:
                self._end.start()
            elif answer := self.ice.handle_request(datagram, source):
                self.send(answer)
        elif kind == "dtls":
            self._end.receive(datagram)
            if self.srtp is None and self.dtls.keys is not None:
                self.srtp = Srtp(self.dtls.keys)
        else:
            self.dropped += not _media(self, datagram, kind)

    def send_rtp(self, packet: bytes) -> None:
        assert self.srtp is not None
        self.send(self.srtp.protect(packet))

    def send_rtcp(self, packet: bytes) -> None:
        assert self.srtp is not None
        self.send(self.srtp.protect_rtcp(packet))

    def send(self, datagram: bytes) -> None:
        if not self.is_gone:
            self._network.send(datagram, self.address, self._server)

    def close(self) -> None:
        self._end.close()
        self.is_gone = True

    def _check(self) -> None:
        if not self.is_gone:
            self.send(self.ice.request(self._network.now))
            pause = 0.05 if self.ice.mapped is None else 2.5
            self._network.at(self._network.now + pause, self._check)


def _media(peer: Server | Client, datagram: bytes, kind: str | None) -> bool:
    """Takes RTP or RTCP; False when it was dropped."""
    if peer.srtp is None or kind not in ("rtp", "rtcp"):
        return False
    try:
        if kind == "rtp":
            peer.on_rtp(peer.srtp.unprotect(datagram))
        else:
            peer.rtcp.append(peer.srtp.unprotect_rtcp(datagram))
    except SrtpError:
        return False
    return True


@dataclass(slots=True)
class Pair:
    """A server's connection and its client on one network. `connect` waits until both can send media."""

    network: Network
    server: Server
    client: Client

    @classmethod
    def make(cls, seed: int, weather: Weather | None = None, expected: Fingerprint | None = None) -> Pair:
        """`expected`: what the server was told of the client's certificate, by default the truth."""
        ours, theirs = _certificates()
        network = Network(seed, weather)
        server = Server(network, SERVER, ours, expected or fingerprint(theirs))
        return cls(network, server, Client(network, CLIENT, server, theirs, fingerprint(ours)))

    @property
    def is_connected(self) -> bool:
        return self.client.srtp is not None and self.server.srtp is not None

    def connect(self, within: float = 60.0) -> None:
        self.client.start()
        self.network.run(self.network.now + within, lambda: self.is_connected)
        assert self.is_connected, (self.client.dtls.state, self.server.dtls.state)

    def run(self, seconds: float) -> None:
        self.network.run(self.network.now + seconds)


SERVER, CLIENT = ("192.0.2.1", 7882), ("198.51.100.7", 50_000)


@functools.cache
def _certificates() -> tuple[Certificate, Certificate]:
    return certificate(), certificate()
