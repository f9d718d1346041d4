"""One WebRTC connection seen from our side: ICE-lite, then DTLS as server, then SRTP.

Invariant: nothing reaches the handler before the client's certificate has matched the fingerprint of its offer, and
nothing is sent except to an address that has proved, by an authenticated STUN request, that it wants to receive; once
connected, media moves to another one only when the client has shown that it receives there (ADR 7).
A peer knows nothing of rooms; what its packets mean is its handler's business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from parola.media.allowance import Allowance
from parola.rtp.dtls import Dtls
from parola.rtp.dtls_settled import Settled
from parola.rtp.ice import IceLite
from parola.rtp.srtp import Outbound, Srtp, SrtpError
from parola.rtp.srtp_keys import SessionKeys
from parola.rtp.stun import Address

HANDSHAKE_LIMIT_S = 10.0
"""A peer that is not connected this long after its offer is given up."""
MAINTAINED_EVERY_S = 1.5
"""At the latest. Consent that would run out before the next time counts as expired now: nothing is sent without it."""
SILENT_AT_HOME_S = 0.1
RTCP_PER_SECOND = 20
"""Compound packets that are read; honest peers send one in a second or more, and one may hold sixty reports."""


class PeerHandler(Protocol):
    """What a room does with a connection."""

    def connected(self, now: float) -> None: ...

    def rtp(self, packet: bytes, now: float) -> None: ...

    def rtcp(self, packet: bytes, now: float) -> None: ...

    def moved(self) -> None:
        """The client receives at another address now: `Peer.place` says where."""
        ...

    def closed(self, reason: str) -> None: ...


@dataclass(slots=True)
class PeerStatistics:
    """Counters of one connection, for logs and for the process's figures."""

    packets_in: int = 0
    bytes_in: int = 0
    bad_packets: int = 0
    early_packets: int = 0


class _Nobody:
    """Whom a closed peer serves: it must not hold on to those who hold on to it, or only a collector would free them
    (see `garbage`)."""

    def connected(self, now: float) -> None: ...

    def rtp(self, packet: bytes, now: float) -> None: ...

    def rtcp(self, packet: bytes, now: float) -> None: ...

    def moved(self) -> None: ...

    def closed(self, reason: str) -> None: ...


_NOBODY = _Nobody()


def _discard(datagram: bytes, address: Address) -> None: ...


class Peer:
    """`send` moves one datagram to an address; `ssrc` is ours; `now` is monotonic seconds throughout."""

    def __init__(
        self,
        connection_id: str,
        ice: IceLite,
        dtls: Dtls,
        handler: PeerHandler,
        send: Callable[[bytes, Address], None],
        ssrc: int,
        now: float,
    ) -> None:
        self.connection_id = connection_id
        self.ice = ice
        self.handler = handler
        self.statistics = PeerStatistics()
        # The process's books, once a transport has this peer.
        self.dropped: Counter[str] = Counter()
        self.ended: Counter[str] = Counter()
        self.sockets: Sequence[int] = ()
        """The transport's descriptors."""
        self.socket_index: int | None = None
        self.ssrc = ssrc
        self.closed = False
        self._dtls: Dtls | Settled = dtls
        self._send = send
        self._srtp: Srtp | None = None
        self.created = now
        self.connected_at: float | None = None
        self._dtls_due: float | None = None
        self._rtp_at = now
        self._rtcp_allowance = Allowance(RTCP_PER_SECOND)

    @property
    def is_connected(self) -> bool:
        return self._srtp is not None and not self.closed

    @property
    def family(self) -> str | None:
        """ipv4 or ipv6; None while there is no proven address."""
        remote = self.ice.remote
        return None if remote is None else "ipv6" if ":" in remote[0] else "ipv4"

    def handle_stun(self, datagram: bytes, source: Address, now: float) -> bool:
        """Answers a binding request; False when it was dropped (not ours, not authentic, malformed)."""
        response = self.ice.handle(datagram, source, now)
        if response is None:
            return False
        self._send(response, source)
        if check := self.ice.check(now):
            self._send(*check)
        return True

    def handle_consent(self, datagram: bytes, source: Address, now: float) -> bool:
        """Answers a consent check like the last one; False where it is another, or none, and `handle_stun` decides."""
        response = self.ice.handle_usual(datagram, source, now)
        if response is not None:
            self._send(response, source)
        return response is not None

    def handle_stun_response(self, datagram: bytes, source: Address, now: float) -> bool:
        """Whether it shows that the client receives at `source`, where media goes from now on. The caller says
        `moved` when it knows the socket, too."""
        return self.ice.handle_response(datagram, source, now)

    @property
    def place(self) -> tuple[int, Address] | None:
        """The socket and the address by which the client is reached; None where it is not (any more)."""
        remote = self.ice.remote
        if remote is None or not self.is_connected:
            return None
        return self.sockets[self.socket_index or 0], remote

    def hand_over(self) -> SessionKeys | Outbound:
        """The keys of what we send, once the handshake is complete. From then on this peer sends no media by itself.
        Raises SrtpError the second time."""
        assert self._srtp is not None
        return self._srtp.hand_over()

    def handle_dtls(self, datagram: bytes, now: float) -> None:
        if not self._dtls.handle(datagram):
            self.dropped["dtls_refused"] += 1
        self._after_dtls(now)

    def handle_rtp(self, datagram: bytes, now: float) -> None:
        if self._srtp is None:
            self.statistics.early_packets += 1
            self.dropped["rtp_early"] += 1
            return
        try:
            packet = self._srtp.unprotect(datagram)
        except SrtpError:
            self.statistics.bad_packets += 1
            self.dropped["srtp_refused"] += 1
            return
        self.statistics.packets_in += 1
        self.statistics.bytes_in += len(datagram)
        self._rtp_at = now
        self.handler.rtp(packet, now)

    def has_strayed(self, datagram: bytes, now: float) -> bool:
        """Whether RTP from an address that nobody has proved is new and this peer's own, while its known address is
        silent. That packet is used up by it and never played, and the way back stays what it is (RFC 8445 moves it by
        a check alone): it is worth a word to the client, who may not know that its address has changed."""
        if self._srtp is None or self.closed or now - self._rtp_at < SILENT_AT_HOME_S:
            return False
        if self.ice.asking is not None:
            return False  # it knows, and is about to prove the new address
        try:
            self._srtp.unprotect(datagram)
        except SrtpError:
            return False
        return True

    def handle_rtcp(self, datagram: bytes, now: float) -> None:
        if self._srtp is None:
            self.statistics.early_packets += 1
            self.dropped["rtcp_early"] += 1
            return
        try:
            packet = self._srtp.unprotect_rtcp(datagram)
        except SrtpError:
            self.statistics.bad_packets += 1
            self.dropped["srtcp_refused"] += 1
            return
        # Counted behind the tag: who forges this peer's address must not use up its allowance.
        if self._rtcp_allowance.take(now):
            self.handler.rtcp(packet, now)
        else:
            self.dropped["rtcp_policed"] += 1

    def send_rtcp(self, packet: bytes) -> None:
        remote = self.ice.remote
        if self._srtp is None or remote is None or self.closed:
            return
        self._send(self._srtp.protect_rtcp(packet), remote)

    def maintain(self, now: float) -> None:
        """DTLS retransmission, the handshake's time limit, and consent (RFC 7675). Call it about every 50 ms until the
        peer is connected, then about once a second."""
        if self.closed:
            return
        if self._srtp is None:
            if self._dtls_due is not None and now >= self._dtls_due and isinstance(self._dtls, Dtls):
                self._dtls.handle_timeout()
                self._after_dtls(now)
            if not self.closed and self._srtp is None and now - self.created > HANDSHAKE_LIMIT_S:
                self.close("handshake_timeout")
        elif self.ice.consent_expired(now + MAINTAINED_EVERY_S):
            self._end("consent_expired")

    def close(self, reason: str) -> None:
        """Says goodbye where that is possible, then forgets the keys. A second call does nothing."""
        if self.closed:
            return
        if self.ice.remote is not None:
            self._dtls.close()
            self._flush()
        self._end(reason)

    def _end(self, reason: str) -> None:
        self.closed = True
        self._srtp = None
        self.ended[reason] += 1
        handler, self.handler, self._send = self.handler, _NOBODY, _discard
        handler.closed(reason)

    def _after_dtls(self, now: float) -> None:
        self._flush()
        timeout = self._dtls.timeout()
        self._dtls_due = None if timeout is None else now + timeout
        state = self._dtls.state
        if state == "connected" and self._srtp is None:
            assert isinstance(self._dtls, Dtls)
            assert self._dtls.keys is not None
            keys = self._dtls.keys
            self._srtp = Srtp(keys, self.ssrc)
            self.connected_at = now
            # At once: OpenSSL's connection is 88 KB, and a crowd's, kept for seconds, would leave the heap in pieces.
            self._dtls = self._dtls.settled() or self._dtls
            self.ice.settle()
            self.handler.connected(now)
        elif state == "failed":
            self.close("dtls_failed")
        elif state == "closed":
            self.close("closed_by_client")

    def _flush(self) -> None:
        remote = self.ice.remote
        while (datagram := self._dtls.poll()) is not None:
            if remote is not None:
                self._send(datagram, remote)
