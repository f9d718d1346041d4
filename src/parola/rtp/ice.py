"""ICE-lite (RFC 8445) for the server, and the little of a full agent that a simulated client needs.

Invariants of `IceLite`: nothing changes and nothing is answered before a request's MESSAGE-INTEGRITY has proved
that its sender read our SDP answer. An answer goes to the request's source and is at most 64 bytes longer. And media
never turns to an address that has not shown that the client receives there: a source address can be forged by whoever
wants the program to be sent to somebody else.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from parola.rtp import stun
from parola.rtp.consent import Usual, usual
from parola.rtp.stun import Address, Attribute, Class, Message, StunError

CONSENT_S = 30.0
"""RFC 7675, section 5.1: consent expires this long after it was last given."""
QUIET_S = 6.0
"""RFC 7675, section 5.1: a peer shows itself at least every 6 s (5 s, randomised by 20 %)."""

ASK_EVERY_S = 0.1
"""A check of ours answers one of theirs, and no more often than this."""
ASKED_S = 3.0
"""A check that is not answered by then was lost, or went to somebody else."""

_REMEMBERED, _REMEMBERED_SETTLED = 32, 4
"""Answered requests whose senders are remembered: until a handshake has proved where the client is, more checks than it
takes; then a few, because no request moves media any more."""
_UNKNOWN_LISTED = 8
"""Types named in an error; a short list keeps the answer shorter than the request."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one side's SDP says of it (RFC 8839, section 5.4)."""

    ufrag: str
    password: str


@dataclass(slots=True)
class _Question:
    """A check of ours, its address, when it was first wanted, and when it, or one before it, was last sent."""

    transaction_id: bytes
    address: Address
    begun_at: float
    sent_at: float


class _Checks:
    """Binding requests with ids that only whoever knows the seed can foretell (RFC 8445, section 7.2)."""

    def __init__(self, username: str, seed: bytes, role: Mapping[int, bytes]) -> None:
        self._username = username.encode("utf-8")
        self._seed = seed
        self._role = role
        self._made = 0

    def transaction_id(self) -> bytes:
        self._made += 1
        return hashlib.sha256(self._seed + self._made.to_bytes(8, "big")).digest()[:12]

    def message(self, transaction_id: bytes, key: bytes, more: Mapping[int, bytes] | None = None) -> bytes:
        attributes: dict[int, bytes] = {
            Attribute.USERNAME: self._username,
            Attribute.PRIORITY: struct.pack("!I", 110 << 24 | 65535 << 8 | 255),
            **self._role,
            **(more or {}),
        }
        return stun.encode(Message(stun.BINDING, Class.REQUEST, transaction_id, attributes), key)


class IceLite:
    """Our end of one connection: controlled, answering only (RFC 8445, sections 2.5 and 6.1.1).

    `remote` is where media goes. The first authenticated request sets it, so that DTLS can begin before a
    nomination. It moves to another address by an authenticated request with USE-CANDIDATE (RFC 8445, section
    7.3.2), because the controlling client decides which path is in use, and Chromium nominates only its selected
    pair towards a lite peer. It moves without a nomination only when the old address has missed its consent check
    (`QUIET_S`): some clients do not nominate again after a change of network, and the checks of a second path must
    not pull media to and fro before.

    The handshake proves the address at which it was completed (`settle`). From then on a request only makes us ask at
    the new address with a check of our own, which a lite agent need not do (RFC 8445, section 7.3), but a browser
    answers as any other; media moves with that answer.
    """

    def __init__(self, ufrag: str, password: str, client: Credentials, seed: bytes) -> None:
        """`ufrag` and `password` as in our answer: at least 4 and 22 characters (RFC 8839, section 5.4); `client`'s as
        in the offer. `seed`: random bytes that the client cannot know."""
        self.ufrag = ufrag
        self.password = password
        self.remote: Address | None = None
        self.last_consent: float | None = None
        self._key = password.encode("ascii")
        self._name = ufrag.encode("ascii") + b":"
        self._answered: dict[bytes, Address] = {}
        # The tie-breaker is for everybody to see, and the seed for nobody.
        role: dict[int, bytes] = {Attribute.ICE_CONTROLLED: hashlib.sha256(seed).digest()[:8]}
        self._checks = _Checks(f"{client.ufrag}:{ufrag}", seed, role)
        self._client_key = client.password.encode("utf-8")
        self._settled = False
        self._usual: Usual | None = None
        self._question: _Question | None = None

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
        if source == self.remote:
            source = self.remote  # one address to remember, not one for each check
        if not self._is_its_own(request.transaction_id, source):
            return None
        if request.unknown:
            listed = b"".join(struct.pack("!H", kind) for kind in request.unknown[:_UNKNOWN_LISTED])
            return self._error(request, 420, {Attribute.UNKNOWN_ATTRIBUTES: listed})
        if Attribute.ICE_CONTROLLED in request.attributes:
            # RFC 8445, section 6.1.1: with a lite peer the full agent controls. 487 makes it change its mind.
            return self._error(request, 487)
        self._follow(source, Attribute.USE_CANDIDATE in request.attributes, now)
        if self._settled and source == self.remote:
            self._usual = usual(datagram, source, self._key)
        return stun.success(request.transaction_id, source, self._key)

    def handle_usual(self, datagram: bytes, source: Address, now: float) -> bytes | None:
        """The answer to a consent check that is the last one but for its number, from where media goes: a browser
        sends no other for as long as it listens. None: `handle` has to look at it."""
        last = self._usual
        if last is None or source != last.source or self._question is not None:
            return None
        answer = last.answer(datagram)
        if answer is not None:
            self.last_consent = now
        return answer

    @property
    def asking(self) -> bytes | None:
        """The transaction id of our own check that waits for its answer."""
        return self._question.transaction_id if self._question is not None else None

    def settle(self) -> None:
        """A handshake was completed at `remote`: whoever wants another address has to answer there."""
        self._settled = True

    def check(self, now: float) -> tuple[bytes, Address] | None:
        """A check of our own that is due now, and where to. It is to be asked for after each request."""
        question = self._question
        if question is None or now - question.sent_at < ASK_EVERY_S:
            return None
        question.sent_at = now
        return self._checks.message(question.transaction_id, self._client_key), question.address

    def handle_response(self, datagram: bytes, source: Address, now: float) -> bool:
        """Whether this is the client's answer to our check, from where it was sent to: then media goes there now."""
        question = self._question
        if question is None or question.address != source:
            return False
        try:
            response = stun.parse(datagram)
        except StunError:
            return False
        if response.message_class is not Class.SUCCESS or response.transaction_id != question.transaction_id:
            return False
        if not response.check_integrity(self._client_key):
            return False
        self._question = self._usual = None  # what was usual names the old address
        self.remote, self.last_consent = source, now
        return True

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
        while len(self._answered) > (_REMEMBERED_SETTLED if self._settled else _REMEMBERED):
            del self._answered[next(iter(self._answered))]
        return True

    def _follow(self, source: Address, nominated: bool, now: float) -> None:
        is_quiet = self.last_consent is None or now - self.last_consent > QUIET_S
        if source == self.remote or (not self._settled and (nominated or is_quiet)):
            self.remote = source
            self.last_consent = now
        elif nominated or is_quiet:
            self._ask(source, now)

    def _ask(self, source: Address, now: float) -> None:
        question = self._question
        if question is None or question.address != source or now - question.begun_at > ASKED_S:
            earlier = question.sent_at if question is not None else float("-inf")
            self._question = _Question(self._checks.transaction_id(), source, now, earlier)

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
        self, remote_ufrag: str, remote_password: str, local: Credentials, seed: bytes, tie_breaker: int
    ) -> None:
        """`seed`: random bytes from which the transaction ids come; this code has no dice of its own."""
        self.mapped: Address | None = None
        self.role_conflict = False
        self._key = remote_password.encode("ascii")
        role: dict[int, bytes] = {Attribute.ICE_CONTROLLING: struct.pack("!Q", tie_breaker)}
        self._checks = _Checks(f"{remote_ufrag}:{local.ufrag}", seed, role)
        self._own_username = f"{local.ufrag}:{remote_ufrag}".encode("ascii")
        self._own_key = local.password.encode("ascii")
        self._pending: dict[bytes, float] = {}

    def request(self, now: float, nominate: bool = True) -> bytes:
        """A connectivity or consent check (RFC 8445, section 7.2.4; RFC 7675, section 5.1)."""
        transaction_id = self._checks.transaction_id()
        self._pending[transaction_id] = now
        if len(self._pending) > self._PENDING:
            del self._pending[next(iter(self._pending))]
        more: dict[int, bytes] = {Attribute.USE_CANDIDATE: b""} if nominate else {}
        return self._checks.message(transaction_id, self._key, more)

    def handle_request(self, datagram: bytes, source: Address) -> bytes | None:
        """The answer to the server's own check, which proves that we receive here; None for anything else."""
        try:
            request = stun.parse(datagram)
        except StunError:
            return None
        if request.message_class is not Class.REQUEST or request.username != self._own_username:
            return None
        if not request.check_integrity(self._own_key):
            return None
        mapped: dict[int, bytes] = {
            Attribute.XOR_MAPPED_ADDRESS: stun.xor_address(source, request.transaction_id)
        }
        return stun.encode(
            Message(stun.BINDING, Class.SUCCESS, request.transaction_id, mapped), self._own_key
        )

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
