"""ICE as far as a server on a public address needs it: an ICE-lite agent (RFC 8445, section 2.5), and for peers of
tests and measurements the controlling client.

Invariant: the remote address is only ever one from which a request came that was authentic for this very session; and
an attacker who copies such a request to another address gains nothing that the next consent check does not undo.
"""

from __future__ import annotations

import struct

from parola.rtp import stun
from parola.rtp.stun import Address, Message, MessageClass

CONSENT_S = 30.0
"""RFC 7675, section 5.1: nothing is sent to who has not asked for it within the last 30 seconds."""
_KNOWN = frozenset(
    {stun.USERNAME, stun.PRIORITY, stun.USE_CANDIDATE, stun.ICE_CONTROLLING, stun.ICE_CONTROLLED, 0x0000, 0xC057}
)


class IceLite:
    """The controlled side. `now` is monotonic seconds."""

    def __init__(self, ufrag: str, password: str) -> None:
        self.ufrag = ufrag
        self.password = password
        self.remote: Address | None = None
        self.last_consent: float | None = None

    def handle(self, datagram: bytes, source: Address, now: float) -> bytes | None:
        """The answer for `source`, or None: what is not authentic is not answered, not even with an error."""
        try:
            message = stun.parse(datagram)
        except stun.StunError:
            return None
        if message.method != stun.BINDING or message.message_class is not MessageClass.REQUEST:
            return None
        username = message.attribute(stun.USERNAME)
        if username is None or not username.startswith(self.ufrag.encode() + b":"):
            return None
        if not message.check_integrity(self.password.encode()):
            return None
        if any(kind < 0x8000 and kind not in _KNOWN for kind, _ in message.attributes):
            # RFC 8489, section 6.3.1. The attributes are named by number only, at most four: never echoed.
            return self._refusal(message)
        if message.attribute(stun.ICE_CONTROLLED) is not None:
            return None  # RFC 8445, section 6.1.1: the full agent controls; two lite agents are not for us
        self._move(message, source, now)
        mapped = (stun.XOR_MAPPED_ADDRESS, stun.xor_address(source, message.transaction_id))
        answer = Message(stun.BINDING, MessageClass.RESPONSE, message.transaction_id, (mapped,))
        return answer.to_bytes(self.password.encode())

    def consent_expired(self, now: float) -> bool:
        return self.last_consent is not None and now - self.last_consent > CONSENT_S

    def _move(self, message: Message, source: Address, now: float) -> None:
        """The first authentic request shows a working path, so media need not wait for the nomination; later only a
        nomination (USE-CANDIDATE, RFC 8445, section 7.3.1.5) moves it."""
        nominated = message.attribute(stun.USE_CANDIDATE) is not None
        if self.remote is None or nominated:
            self.remote = source
        if self.remote == source:
            self.last_consent = now

    def _refusal(self, message: Message) -> bytes:
        unknown = [kind for kind, _ in message.attributes if kind < 0x8000 and kind not in _KNOWN][:4]
        attributes = (
            (stun.ERROR_CODE, struct.pack("!HBB", 0, 4, 20)),
            (stun.UNKNOWN_ATTRIBUTES, struct.pack(f"!{len(unknown)}H", *unknown)),
        )
        answer = Message(stun.BINDING, MessageClass.ERROR, message.transaction_id, attributes)
        return answer.to_bytes(self.password.encode())


class IceClient:
    """The controlling side, with one candidate pair: nominates with every request (as consent checks may)."""

    def __init__(self, remote_ufrag: str, remote_password: str, local_ufrag: str, seed: bytes, tie_breaker: int) -> None:
        """`seed`: 12 random bytes, from which the transaction ids are counted upward."""
        self.agreed = False
        self._username = f"{remote_ufrag}:{local_ufrag}".encode()
        self._password = remote_password.encode()
        self._next = int.from_bytes(seed[:12])
        self._tie_breaker = tie_breaker
        self._open: dict[bytes, float] = {}

    def request(self, now: float) -> bytes:
        self._next = (self._next + 1) % (1 << 96)
        transaction_id = self._next.to_bytes(12)
        self._open[transaction_id] = now
        if len(self._open) > 50:
            del self._open[next(iter(self._open))]
        attributes = (
            (stun.USERNAME, self._username),
            (stun.ICE_CONTROLLING, struct.pack("!Q", self._tie_breaker)),
            (stun.PRIORITY, struct.pack("!I", 0x6E7F1EFF)),
            (stun.USE_CANDIDATE, b""),
        )
        return Message(stun.BINDING, MessageClass.REQUEST, transaction_id, attributes).to_bytes(self._password)

    def handle_response(self, datagram: bytes) -> bool:
        """True for the authentic answer to an open request."""
        try:
            message = stun.parse(datagram)
        except stun.StunError:
            return False
        if message.message_class is not MessageClass.RESPONSE or not message.check_integrity(self._password):
            return False
        if self._open.pop(message.transaction_id, None) is None:
            return False
        self.agreed = True
        return True
