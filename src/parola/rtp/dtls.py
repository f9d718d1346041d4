"""DTLS 1.2 (RFC 6347) by OpenSSL, for the keys of SRTP (RFC 5764): datagrams go in and come out.

Invariant: there are keys only while the handshake is complete **and** the peer's certificate has the fingerprint that
its SDP promised (RFC 8122, section 5; RFC 8827, section 6.5). A mismatch fails the connection for good.

Time: OpenSSL's retransmission timer reads the real clock, starts at a second, and cannot be set from here. So the last
flight is kept and sent again by this module, when the caller's clock says that `timeout` has passed and when the peer
repeats what that flight answered (RFC 6347, section 4.2.4): tests in virtual time lose datagrams and need not wait,
and a lost flight costs a browser 0.2 s. Records under the null cipher get new sequence numbers each time; the one
encrypted record of a flight is repeated as it is, which a receiver's replay window makes harmless. Whatever OpenSSL
sends again by itself simply replaces the flight.
"""

from __future__ import annotations

import contextlib
import hmac
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL, crypto

from parola.rtp.dtls_records import CHANGE_CIPHER_SPEC, HANDSHAKE, announced, first_message, message
from parola.rtp.dtls_records import records as records_of
from parola.rtp.dtls_settled import Settled, record_keys
from parola.rtp.sdp import Fingerprint

__all__ = ["FIRST_TIMEOUT_S", "MTU", "PROFILES", "Certificate", "Dtls", "Fingerprint", "SrtpKeys", "State"]

State = Literal["handshaking", "connected", "failed", "closed"]

PROFILES = {
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    "SRTP_AES128_CM_SHA1_80": (16, 14),
}
"""Bytes of master key and salt (RFC 7714, section 14.2; RFC 5764, section 4.1.2). In our order: the server chooses."""
MTU = 1200
LARGEST = 2048
"""Bytes of a datagram that is looked at; browsers keep to 1,200."""
HANDSHAKE_BYTES = 64 << 10
"""A peer that sends more before it is connected is not shaking hands."""
MESSAGES_BYTES = 32 << 10
"""The most that a peer's handshake messages may add up to by what their headers claim: OpenSSL reserves it all on the
first fragment. Browsers' add up to 2 KB, a chain of certificates to 10."""
FIRST_TIMEOUT_S = 0.2
"""RFC 6347, section 4.2.4.1, recommends a second where nothing is known of the path; ICE has just measured ours, and
one flight too many costs one datagram."""
_LAST_TIMEOUT_S = 3.2
_MOST_REPEATS = 10
"""How often a flight is sent again because the peer repeated its own."""

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
    b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
_DIGESTS = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}
_DTLS_1_2 = 0xFEFD


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt, joined: `local` protects what we send, `remote` what we receive (RFC 5764, section 4.2).
    `profile` is one of `PROFILES`."""

    profile: str
    local: bytes
    remote: bytes


class Certificate:
    """A self-signed certificate with its key, and the sha-256 fingerprint that goes into SDP (AB:CD:…)."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        context = SSL.Context(SSL.DTLS_METHOD)
        context.set_min_proto_version(_DTLS_1_2)
        # A resumed session would bring a certificate of earlier; there is nothing to resume (RFC 8842, section 4).
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _verify)
        context.set_cipher_list(_CIPHERS)
        context.set_tlsext_use_srtp(b":".join(name.encode("ascii") for name in PROFILES))
        context.use_certificate(certificate)
        context.use_privatekey(key)
        self.context = context


class Dtls:
    """One association; its peer is whoever has a certificate with the fingerprint `expected`."""

    def __init__(
        self, certificate: Certificate, role: Literal["server", "client"], expected: Fingerprint
    ) -> None:
        self.state: State = "handshaking"
        self.keys: SrtpKeys | None = None
        self.failure: str | None = None
        self._role = role
        self._expected = expected
        self._ssl = SSL.Connection(certificate.context)
        self._ssl.set_app_data(expected)
        self._ssl.set_ciphertext_mtu(MTU)
        if role == "server":
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()
        self._outbox: deque[bytes] = deque()
        self._flight = _Flight()
        self._next_record = 0
        self._received = 0
        self._claimed: dict[int, int] = {}
        self._highest_message = -1

    def start(self) -> None:
        """The client's first flight; a server waits for it."""
        if self._role == "client" and self.state == "handshaking":
            self._proceed()
            self._collect()

    def handle(self, datagram: bytes) -> bool:
        """Takes one datagram. What is no DTLS or does not authenticate changes nothing (RFC 6347, section 4.1.2.7).
        False when it was dropped unread."""
        if self.state in ("failed", "closed"):
            return False
        records = records_of(datagram) if len(datagram) <= LARGEST else None
        if not records:
            return False
        if self.state == "handshaking":
            excess = self._excess(records)
            if excess is not None:
                self._fail(excess)
                return False
        elif all(record[3:5] == b"\0\0" for record in records):
            return False  # once there are keys, nothing that is not under them counts
        is_repetition = self._is_repetition(records)
        # One datagram at a time, and OpenSSL reads it to its end: the memory BIO would join two into one.
        self._ssl.bio_write(datagram)
        self._proceed()
        if not self._collect() and is_repetition and self._flight.repeats < _MOST_REPEATS:
            self._flight.repeats += 1
            self._queue(self._flight.records)
        return True

    def poll(self) -> bytes | None:
        """The next datagram to send, of at most `MTU` bytes; to be called until it is None."""
        return self._outbox.popleft() if self._outbox else None

    def timeout(self) -> float | None:
        """Seconds from now after which `handle_timeout` is to be called, None where nothing waits for an answer."""
        return self._flight.timeout if self.state == "handshaking" and self._flight.records else None

    def handle_timeout(self) -> None:
        """The peer has not answered in time: says it again. To be called too early does no harm."""
        if self.state != "handshaking" or not self._flight.records:
            return
        self._flight.timeout = min(2 * self._flight.timeout, _LAST_TIMEOUT_S)
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self._fail("no answer")
        if not self._collect():
            self._queue(self._flight.records)

    def close(self) -> None:
        """Says goodbye to a connected peer (close_notify, for `poll`) and forgets the keys."""
        if self.state == "connected":
            with contextlib.suppress(SSL.Error):
                self._ssl.shutdown()
            self._collect()
        if self.state != "failed":
            self.state = "closed"
        self.keys = None

    def settled(self) -> Settled | None:
        """What is left to do once the handshake is long over, without OpenSSL, to take this one's place. None where
        that cannot be: not connected, or no AES-GCM."""
        if self.state != "connected" or self._role != "server":
            return None
        cipher, master = self._ssl.get_cipher_name(), self._ssl.master_key()
        theirs, ours = self._ssl.client_random(), self._ssl.server_random()
        if cipher is None or master is None or theirs is None or ours is None:
            return None
        keys = record_keys(cipher, master, theirs, ours)
        if keys is None:
            return None
        self._queue(self._flight.records)
        flight, self._outbox = tuple(self._outbox), deque()
        return Settled(*keys, flight)

    def _excess(self, records: list[bytes]) -> str | None:
        """Why this cannot be a handshake, once a peer sends, or announces, more than one needs."""
        self._received += sum(map(len, records))
        if self._received > HANDSHAKE_BYTES:
            return "too many bytes for a handshake"
        for record in records:
            for number, length in announced(record):
                self._claimed[number] = max(length, self._claimed.get(number, 0))
        return "too long messages for a handshake" if sum(self._claimed.values()) > MESSAGES_BYTES else None

    def _proceed(self) -> None:
        """Lets OpenSSL read what has come."""
        if self.state == "handshaking":
            try:
                self._ssl.do_handshake()
            except SSL.WantReadError:
                return
            except SSL.Error as error:
                self._fail(_reason(error))
                return
            self._complete()
        if self.state == "connected":
            self._read()

    def _complete(self) -> None:
        certificate = self._ssl.get_peer_certificate()
        if certificate is None or not _matches(certificate, self._expected):
            self._fail("fingerprint")
            return
        profile = self._ssl.get_selected_srtp_profile().decode("ascii")
        if profile not in PROFILES:
            self._fail("no SRTP profile in common")
            return
        # RFC 5764, section 4.2: client key, server key, client salt, server salt.
        key, salt = PROFILES[profile]
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        local, remote = (server, client) if self._role == "server" else (client, server)
        self.keys = SrtpKeys(profile, local, remote)
        self.state = "connected"

    def _read(self) -> None:
        """After the handshake: notices the peer's goodbye; data is thrown away, nobody here speaks over DTLS."""
        try:
            while True:
                self._ssl.recv(LARGEST)
        except SSL.WantReadError:
            return
        except SSL.Error:
            # close_notify, or a fatal alert under the right keys: what is forged was dropped before, without error.
            self.state = "closed"
            self.keys = None

    def _fail(self, reason: str) -> None:
        self.state = "failed"
        self.failure = reason
        self.keys = None
        self._collect()

    def _collect(self) -> bool:
        """Takes what OpenSSL wants to send; whether it was (part of) a flight."""
        output = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                output += self._ssl.bio_read(1 << 16)
        records = records_of(output) or []
        self._queue(records)
        flight = [record for record in records if record[0] in (CHANGE_CIPHER_SPEC, HANDSHAKE)]
        if not flight:
            return False
        begins_with = first_message(flight)
        if begins_with == self._flight.begins_with:
            self._flight.records = flight
        else:
            self._flight = _Flight(flight, begins_with, self._highest_message)
        return True

    def _queue(self, records: Iterable[bytes]) -> None:
        """Packs records into datagrams. OpenSSL writes them into its memory BIO without a boundary."""
        datagram = b""
        for record in records:
            if record[3:5] == b"\0\0":
                record = record[:5] + self._next_record.to_bytes(6, "big") + record[11:]
                self._next_record += 1
            if datagram and len(datagram) + len(record) > MTU:
                self._outbox.append(datagram)
                datagram = b""
            datagram += record
        if datagram:
            self._outbox.append(datagram)

    def _is_repetition(self, records: list[bytes]) -> bool:
        """Whether the peer says again what our last flight has answered; also remembers what it has said."""
        if self.state == "connected":
            # RFC 6347, section 4.2.4: who sent the last flight repeats it when a Finished comes again. A copy of
            # an old record is stopped by OpenSSL's replay window, and yet means that our flight was lost.
            finished = (b"\0\x01", HANDSHAKE)
            return self._role == "server" and any((r[3:5], r[0]) == finished for r in records)
        messages = [found for found in map(message, records) if found is not None]
        is_repetition = any(number <= self._flight.answers and not offset for number, offset in messages)
        self._highest_message = max([self._highest_message, *(number for number, _ in messages)])
        return is_repetition


@dataclass(slots=True)
class _Flight:
    """The last flight: its records, the number of its first message (None under encryption), and the number of the
    peer's last message before it."""

    records: list[bytes] | tuple[()] = ()
    begins_with: int | None = -1
    answers: int = -1
    timeout: float = FIRST_TIMEOUT_S
    repeats: int = 0


def _verify(connection: SSL.Connection, certificate: crypto.X509, _error: int, depth: int, _ok: int) -> bool:
    """The certificate proves itself by its fingerprint, not by an issuer; a False makes OpenSSL tell the peer so."""
    expected = connection.get_app_data()
    return depth > 0 or (isinstance(expected, Fingerprint) and _matches(certificate, expected))


def _matches(certificate: crypto.X509, expected: Fingerprint) -> bool:
    digest = _DIGESTS.get(expected.algorithm.lower())
    if digest is None:
        return False
    return hmac.compare_digest(certificate.digest(digest), expected.value.upper().encode("ascii", "replace"))


def _reason(error: SSL.Error) -> str:
    """OpenSSL's words for it, such as "certificate verify failed"."""
    reasons = error.args[0] if error.args else None
    return str(reasons[-1][-1]) if isinstance(reasons, list) and reasons else type(error).__name__
