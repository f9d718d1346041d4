"""The books of a media process: every connection it has, whose it is, and from where."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable

import structlog

from parola.domain.errors import TooMany
from parola.media.figures import ConnectionFigures
from parola.media.listener import Listener
from parola.media.peer import Peer
from parola.media.speaker import Speaker
from parola.media.transport import Transport
from parola.rtp.stun import Address

_log = structlog.get_logger(__name__)

Connection = Listener | Speaker

STRAYS_EVERY_S = 1.0
PEERS_AT_ONCE = 200
PATIENCE_S = 5.0
"""Who waited so long for a connection and left did not leave because they wished to."""
_NEVER_UP = frozenset({"handshake_timeout", "dtls_failed", "full"})
"""Ends of connections that nobody wished for; `full` comes at the end of the handshake."""


class Connections:
    """`most_of_an_address` bounds what one address may have open here; None for no bound. `on_change` gets whoever
    came up (True) or is gone (False), `on_never_up` a listener who was answered and in vain, `on_stray` a speaker whose
    packets come from an address that is not proved."""

    def __init__(
        self,
        transport: Transport,
        monotonic: Callable[[], float],
        most_of_an_address: int | None,
        on_change: Callable[[Connection, bool], None],
        on_never_up: Callable[[Listener], None] = lambda listener: None,
        on_stray: Callable[[Speaker], None] = lambda speaker: None,
    ) -> None:
        self.figures = ConnectionFigures()
        self._transport = transport
        self._monotonic = monotonic
        self._most_of_an_address = most_of_an_address
        self._on_change = on_change
        self._on_never_up = on_never_up
        self._on_stray = on_stray
        self._by_ssrc: dict[int, Speaker] = {}
        """Looked up for strays, which may come by the thousand; as of the last second."""
        transport.on_stray = self._stray
        self._by_id: dict[str, Connection] = {}
        self._speakers: dict[str, Speaker] = {}
        self._handshaking: set[Peer] = set()
        self._addresses: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._by_id)

    @property
    def handshaking(self) -> int:
        return len(self._handshaking)

    def find(self, connection_id: str) -> Connection | None:
        return self._by_id.get(connection_id)

    def admit(self, address: str) -> None:
        """Raises TooMany when an address has as many connections here as one may have."""
        if self._most_of_an_address is not None and self._addresses[address] >= self._most_of_an_address:
            raise TooMany("too_many_connections", "Too many open connections from this address.", 10)

    def make_peer(self, make: Callable[[Callable[[bytes, Address], None]], Peer]) -> Peer:
        """Builds a peer around a sender of its own and lets datagrams reach it."""
        box: list[Peer] = []
        peer = make(self._transport.sender(lambda: box[0].socket_index))
        box.append(peer)
        self._transport.add(peer)
        self._handshaking.add(peer)
        return peer

    def add(self, connection: Connection, address: str) -> None:
        connection.address = address
        self._addresses[address] += 1
        self._by_id[connection.connection_id] = connection
        if isinstance(connection, Listener):
            connection.on_loss = self.figures.loss.observe
        else:
            self._speakers[connection.connection_id] = connection

    def connected(self, connection: Connection) -> None:
        self._handshaking.discard(connection.peer)
        self.figures.handshakes.labels("ok").inc()
        self.figures.handshake_seconds.observe(self._monotonic() - connection.peer.created)
        self._on_change(connection, True)
        _log.info(
            "connection.up",
            kind=type(connection).__name__.lower(),
            room=connection.room.room_id,
            account=connection.account_id,
            connection=connection.connection_id[-6:],
        )

    def gone(self, connection: Connection, reason: str) -> None:
        if connection.peer in self._handshaking:
            self._handshaking.discard(connection.peer)
            self.figures.handshakes.labels("failed").inc()
            has_waited = self._monotonic() - connection.peer.created > PATIENCE_S
            is_failed = reason in _NEVER_UP or (reason == "left" and has_waited)
            if is_failed and isinstance(connection, Listener):
                self._on_never_up(connection)
        if isinstance(connection, Speaker):
            self.figures.jitter_buffers.update(connection.voice.jitter_counts())
        self._transport.remove(connection.peer)
        self._speakers.pop(connection.connection_id, None)
        if self._by_id.pop(connection.connection_id, None) is not None:
            self._addresses[connection.address] -= 1
            if not self._addresses[connection.address]:
                del self._addresses[connection.address]
        self._on_change(connection, False)

    def sessions(self) -> set[str]:
        return {c.session_id for c in self._by_id.values() if c.session_id is not None}

    def end_sessions(self, session_ids: set[str]) -> None:
        for connection in list(self._by_id.values()):
            if connection.session_id in session_ids:
                connection.close("signed_out")

    def close_all(self, reason: str) -> None:
        for connection in list(self._by_id.values()):
            connection.close(reason)

    async def maintain_handshakes(self) -> None:
        now = self._monotonic()
        for peer in list(self._handshaking):
            peer.maintain(now)

    async def maintain_peers(self) -> None:
        """Each of them once; with other work in between, since ten thousand at a time would keep a tick waiting."""
        peers = self._transport.peers
        for begin in range(0, len(peers), PEERS_AT_ONCE):
            now = self._monotonic()
            for peer in peers[begin : begin + PEERS_AT_ONCE]:
                peer.maintain(now)
            await asyncio.sleep(0.001)
        voices = ((s, s.voice.reception) for s in self._speakers.values())
        self._by_ssrc = {reception.ssrc: s for s, reception in voices if reception is not None}

    def _stray(self, datagram: bytes, now: float) -> None:
        speaker = self._by_ssrc.get(int.from_bytes(datagram[8:12]))  # RFC 3550, section 5.1
        if (
            speaker is not None
            and now - speaker.strayed_at >= STRAYS_EVERY_S
            and speaker.peer.has_strayed(datagram, now)
        ):
            speaker.strayed_at = now
            self._on_stray(speaker)
