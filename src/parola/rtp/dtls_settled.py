"""What stays of a DTLS association when its handshake is over: goodbyes in either direction, and the last flight.

OpenSSL's connection takes 88 KB and is needed no more once SRTP has its keys. All that may still come is a repetition
by a client that has missed our last flight (RFC 6347, section 4.2.4), and an alert. Both can be answered with a few
hundred bytes: the flight as it was sent, and the association's own record keys.

Invariant: only a record under the client's key ends the association; what is forged or repeated changes nothing.
"""

from __future__ import annotations

import hmac
import struct
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from parola.rtp.dtls_records import ALERT, HANDSHAKE, HEAD, VERSION, records

KEY_BYTES = {"AES128-GCM": 16, "AES256-GCM": 32}
_SALT = 4
_EXPLICIT, _TAG = 8, 16
_CLOSE_NOTIFY, _WARNING, _FATAL = 0, 1, 2
_OUR_RECORD = (1 << 16 | 1) << 32
"""Epoch 1 and a sequence number that OpenSSL has not come to: no nonce serves twice (RFC 5288, section 3)."""
_MOST_REPEATS = 10


class Settled:
    """As `Dtls` to its peer. `server` and `client` are (key, salt) of the records that each of them sends."""

    __slots__ = ("_client", "_outbox", "_repeats", "_server", "flight", "state")

    def __init__(
        self, server: tuple[bytes, bytes], client: tuple[bytes, bytes], flight: tuple[bytes, ...]
    ) -> None:
        """`flight`: the datagrams that ended the handshake."""
        self.state: Literal["connected", "closed"] = "connected"
        self.flight = flight
        self._server = server
        self._client = client
        self._outbox: tuple[bytes, ...] = ()
        self._repeats = 0

    def handle(self, datagram: bytes) -> bool:
        """False when it was dropped."""
        if self.state == "closed":
            return False
        found = [record for record in records(datagram) or () if record[3:5] == b"\0\1"]
        for record in found:
            if record[0] == ALERT and self._ends(record):
                self.state = "closed"
                return True
        if any(record[0] == HANDSHAKE for record in found) and self._repeats < _MOST_REPEATS:
            self._repeats += 1
            self._outbox += self.flight
            return True
        return False

    def poll(self) -> bytes | None:
        """The next datagram to send; to be called until it is None."""
        if not self._outbox:
            return None
        datagram, *rest = self._outbox
        self._outbox = tuple(rest)
        return datagram

    def timeout(self) -> None:
        """Nothing waits for an answer."""
        return None

    def close(self) -> None:
        """Says goodbye, for `poll`."""
        if self.state == "connected":
            self.state = "closed"
            self._outbox += (self._alert(_WARNING, _CLOSE_NOTIFY),)

    def _ends(self, record: bytes) -> bool:
        """Whether it is an alert of the client's that ends the association (RFC 5246, section 7.2)."""
        key, salt = self._client
        sealed = record[HEAD:]
        if len(sealed) != _EXPLICIT + 2 + _TAG:
            return False
        head = record[3:11] + record[0:3] + struct.pack("!H", 2)
        try:
            level, description = AESGCM(key).decrypt(salt + sealed[:_EXPLICIT], sealed[_EXPLICIT:], head)
        except InvalidTag:
            return False
        return level == _FATAL or description == _CLOSE_NOTIFY

    def _alert(self, level: int, description: int) -> bytes:
        """One record (RFC 6347, section 4.1.2.1; RFC 5246, section 6.2.3.3; RFC 5288, section 3)."""
        key, salt = self._server
        number = struct.pack("!Q", _OUR_RECORD)
        head = number + bytes([ALERT]) + VERSION + struct.pack("!H", 2)
        sealed = number + AESGCM(key).encrypt(salt + number, bytes([level, description]), head)
        return bytes([ALERT]) + VERSION + number + struct.pack("!H", len(sealed)) + sealed


def record_keys(
    cipher: str, master: bytes, client_random: bytes, server_random: bytes
) -> tuple[tuple[bytes, bytes], tuple[bytes, bytes]] | None:
    """(server, client), each key and salt (RFC 5246, section 6.3); None for a cipher that is no AES-GCM. `cipher` as
    OpenSSL calls it."""
    size = next((size for name, size in KEY_BYTES.items() if name in cipher), None)
    if size is None:
        return None
    digest = "sha384" if cipher.endswith("SHA384") else "sha256"
    block = _prf(digest, master, b"key expansion" + server_random + client_random, 2 * (size + _SALT))
    keys, salts = block[: 2 * size], block[2 * size :]
    return (keys[size:], salts[_SALT:]), (keys[:size], salts[:_SALT])


def _prf(digest: str, secret: bytes, seed: bytes, size: int) -> bytes:
    """RFC 5246, section 5."""
    out, a = b"", seed
    while len(out) < size:
        a = hmac.digest(secret, a, digest)
        out += hmac.digest(secret, a + seed, digest)
    return out[:size]
