"""A network that exists only in virtual time: seeded loss, reordering and duplication, and certificates to go with it.

Nothing here reads a clock. What makes two runs of one seed differ is only what OpenSSL draws for itself (keys, and by
them a byte more or less in a signature): no test may depend on it.
"""

from __future__ import annotations

import datetime
import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from parola.rtp.dtls import Certificate, Dtls, Fingerprint

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


@dataclass(slots=True)
class DtlsEnd:
    """One end of an association on a network, with its retransmission timer in virtual time."""

    network: Network
    dtls: Dtls
    other: DtlsEnd | None = None
    sizes: list[int] = field(default_factory=list)
    _timer: int = 0

    def start(self) -> None:
        self.dtls.start()
        self._after()

    def receive(self, datagram: bytes) -> None:
        self.dtls.handle(datagram)
        self._after()

    def _after(self) -> None:
        other = self.other
        assert other is not None
        while (datagram := self.dtls.poll()) is not None:
            self.sizes.append(len(datagram))
            self.network.carry(datagram, other.receive)
        self._timer += 1
        timeout = self.dtls.timeout()
        if timeout is not None:
            timer = self._timer
            self.network.at(self.network.now + timeout, lambda: self._expire(timer))

    def _expire(self, timer: int) -> None:
        if timer == self._timer:
            self.dtls.handle_timeout()
            self._after()


def dtls_ends(network: Network, client: Dtls, server: Dtls) -> tuple[DtlsEnd, DtlsEnd]:
    left, right = DtlsEnd(network, client), DtlsEnd(network, server)
    left.other, right.other = right, left
    return left, right
