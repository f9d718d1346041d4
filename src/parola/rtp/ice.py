"""ICE-lite (RFC 8445) for the server, and the little of a full agent that a simulated client needs.

Invariant of `IceLite`: nothing changes and nothing is answered before a request's MESSAGE-INTEGRITY has proved
that its sender read our SDP answer. An answer goes to the request's source and is at most 64 bytes longer.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping

from parola.rtp import stun
from parola.rtp.stun import Address, Attribute, Class, Message, StunError

CONSENT_S = 30.0
"""RFC 7675, section 5.1: consent expires this long after it was last given."""
QUIET_S = 6.0
"""RFC 7675, section 5.1: a peer shows itself at least every 6 s (5 s, randomised by 20 %)."""

_REMEMBERED = 32
"""Answered requests whose senders are remembered: more than a minute of checks."""
_UNKNOWN_LISTED = 8
"""Types named in an error; a short list keeps the answer shorter than the request."""


class IceLite:
    """Our end of one connection: controlled, answering only (RFC 8445, sections 2.5 and 6.1.1).

    `remote` is where media goes. The first authenticated request sets it, so that DTLS can begin before a
    nomination. It moves to another address by an authenticated request with USE-CANDIDATE (RFC 8445, section
    7.3.2), because the controlling client decides which path is in use, and Chromium nominates only its selected
    pair towards a lite peer. It moves without a nomination only when the old address has missed its consent check
    (`QUIET_S`): some clients do not nominate again after a change of network, and the checks of a second path must
    not pull media to and fro before.
    """

    def __init__(self, ufrag: str, password: str) -> None:
        """`ufrag` and `password` as in our answer: at least 4 and 22 characters (RFC 8839, section 5.4)."""
        self.ufrag = ufrag
        self.password = password
        self.remote: Address | None = None
        self.last_consent: float | None = None
        self._key = password.encode("ascii")
        self._name = ufrag.encode("ascii") + b":"
        self._answered: dict[bytes, Address] = {}

    def handle(self, datagram: bytes, source: Address, now: float) -> bytes | None:
        """The answer for `source`, or None: dropped. RFC 8489, section 9.1.3, would answer 400 or 401 to a
        request without credentials; silence gives nothing to those who forge source addresses."""
        try:
            request = stun.parse(datagram)
        except StunError:
            return None
        if request.method != stun.BINDING or request.message_class is not Class.REQUEST:
            return None
        if not request.username.startswith(self._name) or not request.check_integrity(self._key):
            return None
        if not self._is_its_own(request.transaction_id, source):
            return None
        if request.unknown:
            listed = b"".join(struct.pack("!H", kind) for kind in request.unknown[:_UNKNOWN_LISTED])
            return self._error(request, 420, {Attribute.UNKNOWN_ATTRIBUTES: listed})
        if Attribute.ICE_CONTROLLED in request.attributes:
            # RFC 8445, section 6.1.1: with a lite peer the full agent controls. 487 makes it change its mind.
            return self._error(request, 487)
        self._follow(source, Attribute.USE_CANDIDATE in request.attributes, now)
        mapped = stun.xor_address(source, request.transaction_id)
        return self._answer(request, Class.SUCCESS, {Attribute.XOR_MAPPED_ADDRESS: mapped})

    def consent_expired(self, now: float) -> bool:
        """Whether sending has to stop (RFC 7675). A lite agent sends no checks of its own: an authenticated
        request from the address in use is the consent. False as long as there has been none at all."""
        return self.last_consent is not None and now - self.last_consent > CONSENT_S

    def _is_its_own(self, transaction_id: bytes, source: Address) -> bool:
        """An authentic request that was overheard and is sent again from elsewhere must not pull media there. Each
        check has a number of its own, and repeats it from the address that it was sent from (RFC 8489, section 6.2.1).
        """
        if self._answered.setdefault(transaction_id, source) != source:
            return False
        if len(self._answered) > _REMEMBERED:
            del self._answered[next(iter(self._answered))]
        return True

    def _follow(self, source: Address, nominated: bool, now: float) -> None:
        is_quiet = self.last_consent is None or now - self.last_consent > QUIET_S
        if source == self.remote or nominated or is_quiet:
            self.remote = source
            self.last_consent = now

    def _error(self, request: Message, code: int, more: Mapping[int, bytes] | None = None) -> bytes:
        # RFC 8489, section 14.8; the reason phrase is for people, and nobody reads it here.
        value = struct.pack("!HBB", 0, code // 100, code % 100)
        return self._answer(request, Class.ERROR, {Attribute.ERROR_CODE: value, **(more or {})})

    def _answer(self, request: Message, outcome: Class, attributes: Mapping[int, bytes]) -> bytes:
        return stun.encode(Message(stun.BINDING, outcome, request.transaction_id, attributes), self._key)


class IceClient:
    """A full agent's checks towards a lite server: controlling, one pair, nominated at once."""

    _PENDING = 64

    def __init__(
        self, remote_ufrag: str, remote_password: str, local_ufrag: str, seed: bytes, tie_breaker: int
    ) -> None:
        """`seed`: random bytes from which the transaction ids come; this code has no dice of its own."""
        self.mapped: Address | None = None
        self.role_conflict = False
        self._username = f"{remote_ufrag}:{local_ufrag}".encode("ascii")
        self._key = remote_password.encode("ascii")
        self._seed = seed
        self._tie_breaker = tie_breaker
        self._sent = 0
        self._pending: dict[bytes, float] = {}

    def request(self, now: float, nominate: bool = True) -> bytes:
        """A connectivity or consent check (RFC 8445, section 7.2.4; RFC 7675, section 5.1)."""
        self._sent += 1
        transaction_id = hashlib.sha256(self._seed + self._sent.to_bytes(8, "big")).digest()[:12]
        self._pending[transaction_id] = now
        if len(self._pending) > self._PENDING:
            del self._pending[next(iter(self._pending))]
        attributes: dict[int, bytes] = {
            Attribute.USERNAME: self._username,
            Attribute.PRIORITY: struct.pack("!I", 110 << 24 | 65535 << 8 | 255),
            Attribute.ICE_CONTROLLING: struct.pack("!Q", self._tie_breaker),
        }
        if nominate:
            attributes[Attribute.USE_CANDIDATE] = b""
        return stun.encode(Message(stun.BINDING, Class.REQUEST, transaction_id, attributes), self._key)

    def handle_response(self, datagram: bytes) -> bool:
        """True for an authentic success answer to one of our requests, each at most once."""
        try:
            response = stun.parse(datagram)
        except StunError:
            return False
        if response.transaction_id not in self._pending or not response.check_integrity(self._key):
            return False
        del self._pending[response.transaction_id]
        if response.message_class is Class.ERROR:
            self.role_conflict = response.error_code == 487
            return False
        if response.message_class is not Class.SUCCESS or response.mapped_address is None:
            return False
        self.mapped = response.mapped_address
        return True
