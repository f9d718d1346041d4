"""DTLS 1.2 (RFC 6347) by OpenSSL, for the keys of SRTP (RFC 5764); datagrams go in and come out, nothing is sent here.

Invariant: there are keys only after the handshake is complete **and** the peer's certificate has the fingerprint that
was promised in its SDP (RFC 8122, RFC 8827 section 6.5). On a mismatch the connection has failed for good.

OpenSSL's own retransmission timer reads the real clock: `timeout` says when it wants to be called. Whoever lives in
virtual time calls `handle_timeout` when that much real time has passed, or not at all where nothing is lost.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

State = Literal["handshaking", "connected", "failed", "closed"]

PROFILES = ("SRTP_AEAD_AES_128_GCM", "SRTP_AEAD_AES_256_GCM", "SRTP_AES128_CM_SHA1_80")
"""In our order of preference; as the server we choose."""
_KEY_AND_SALT = {
    "SRTP_AEAD_AES_128_GCM": (16, 12),
    "SRTP_AEAD_AES_256_GCM": (32, 12),
    "SRTP_AES128_CM_SHA1_80": (16, 14),
}
_MTU = 1200
_LARGEST = 2048
_HANDSHAKE_BYTES = 64 << 10
"""A peer that sends more before it is connected is not shaking hands."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """Of a certificate: `algorithm` such as sha-256, `value` in hexadecimal with colons, in any case."""

    algorithm: str
    value: str


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """`local` protects what we send, `remote` what we receive: master key and salt, joined (RFC 5764, section 4.2)."""

    profile: str
    local: bytes
    remote: bytes


class Certificate:
    """A self-signed certificate with its key, and the fingerprint that goes into SDP."""

    def __init__(self, certificate: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
        self.fingerprint = _fingerprint(certificate, "sha-256")
        self.context = SSL.Context(SSL.DTLS_METHOD)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        # The certificate proves itself by its fingerprint, not by an issuer.
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.set_tlsext_use_srtp(b":".join(p.encode() for p in PROFILES))
        self.context.set_options(SSL.OP_NO_QUERY_MTU | SSL.OP_NO_RENEGOTIATION)
        self.context.set_cipher_list(
            b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:"
            b"ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
        )


class Dtls:
    """One association. `expected` is the fingerprint from the peer's SDP."""

    def __init__(self, certificate: Certificate, role: Literal["server", "client"], expected: Fingerprint) -> None:
        self.state: State = "handshaking"
        self.keys: SrtpKeys | None = None
        self._role = role
        self._expected = expected
        self._bytes_in = 0
        self._ssl = SSL.Connection(certificate.context)
        self._ssl.set_ciphertext_mtu(_MTU)
        if role == "server":
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()

    def start(self) -> None:
        """The client's first flight; a server waits."""
        self._proceed()

    def handle(self, datagram: bytes) -> None:
        """Takes one datagram; malformed ones change nothing (RFC 6347, section 4.1.2.7)."""
        if self.state in ("failed", "closed") or len(datagram) > _LARGEST:
            return
        if self.state == "handshaking":
            self._bytes_in += len(datagram)
            if self._bytes_in > _HANDSHAKE_BYTES:
                self.state = "failed"
                return
        try:
            self._ssl.bio_write(datagram)
        except SSL.Error:
            return
        if self.state == "handshaking":
            self._proceed()
        else:
            self._read()

    def poll(self) -> bytes | None:
        """The next datagram to send; call it until it is None."""
        try:
            return bytes(self._ssl.bio_read(_LARGEST))
        except SSL.Error:
            return None

    def timeout(self) -> float | None:
        """Seconds until `handle_timeout` should be called; None where nothing waits for a retransmission."""
        if self.state != "handshaking":
            return None
        seconds = self._ssl.DTLSv1_get_timeout()
        return None if seconds is None else float(seconds)

    def handle_timeout(self) -> None:
        if self.state == "handshaking":
            try:
                self._ssl.DTLSv1_handle_timeout()
            except SSL.Error:
                self.state = "failed"

    def close(self) -> None:
        """Says goodbye (close_notify); `poll` has the datagram."""
        if self.state == "connected":
            try:
                self._ssl.shutdown()
            except SSL.Error:
                pass
            self.state = "closed"

    def _proceed(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error:
            self.state = "failed"
            return
        if not self._is_expected():
            self.state = "failed"
            return
        name = self._ssl.get_selected_srtp_profile().decode()
        if name not in _KEY_AND_SALT:
            self.state = "failed"
            return
        self.keys = self._export(name)
        self.state = "connected"

    def _is_expected(self) -> bool:
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return False
        try:
            actual = _fingerprint(certificate, self._expected.algorithm)
        except ValueError:
            return False
        return hmac.compare_digest(actual.lower().encode(), self._expected.value.lower().encode())

    def _export(self, profile: str) -> SrtpKeys:
        key, salt = _KEY_AND_SALT[profile]
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt), None)
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        return SrtpKeys(profile, server, client) if self._role == "server" else SrtpKeys(profile, client, server)

    def _read(self) -> None:
        """After the handshake: answers retransmitted flights, notices the goodbye, and throws data away."""
        try:
            while True:
                self._ssl.recv(_LARGEST)
        except SSL.ZeroReturnError:
            self.state = "closed"
        except SSL.WantReadError:
            pass
        except SSL.Error:
            # An alert under the right keys; anything forged was dropped before by OpenSSL.
            self.state = "closed"


def _fingerprint(certificate: x509.Certificate, algorithm: str) -> str:
    names = {"sha-256": hashlib.sha256, "sha-384": hashlib.sha384, "sha-512": hashlib.sha512}
    if algorithm.lower() not in names:
        raise ValueError(f"no fingerprint by {algorithm}")
    digest = names[algorithm.lower()](certificate.public_bytes(Encoding.DER)).digest()
    return ":".join(f"{byte:02X}" for byte in digest)
