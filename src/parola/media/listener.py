"""A listener's connection (WHEP): one program stream out; what comes in is listened to only for its reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from parola.media.details import for_log, of_listener
from parola.media.stream import ProgramStream
from parola.rtp import rtcp

if TYPE_CHECKING:
    from parola.media.edge import EdgeRoom
    from parola.media.peer import Peer

_log = structlog.get_logger(__name__)


class Listener:
    """`peer` and `stream` are set once, right after all exist. A guest has no account."""

    peer: Peer
    stream: ProgramStream

    def __init__(
        self,
        room: EdgeRoom,
        account_id: str | None,
        session_id: str | None,
        connection_id: str,
        on_connected: Callable[[Listener], None],
        on_gone: Callable[[Listener], None],
    ) -> None:
        self.room = room
        self.account_id = account_id
        self.session_id = session_id
        self.connection_id = connection_id
        self.address = ""
        self.on_loss: Callable[[float], None] = lambda _: None
        self.unasked = 0
        self._on_connected = on_connected
        self._on_gone = on_gone

    def connected(self, now: float) -> None:
        self.room.connected(self, now)
        self._on_connected(self)

    def rtp(self, packet: bytes, now: float) -> None:
        # A listener has no voice: never forwarded, never recorded, only counted.
        self.unasked += 1
        self.peer.dropped["rtp_from_listener"] += 1

    def rtcp(self, packet: bytes, now: float) -> None:
        try:
            if self.stream.handle_reports(packet, now):
                self.on_loss(self.stream.loss_256 / 256)
        except rtcp.RtcpError:
            self.peer.dropped["rtcp_malformed"] += 1

    def details(self, now: float | None) -> dict[str, Any]:
        return of_listener(self.peer, self.stream, now)

    def close(self, reason: str) -> None:
        if self.peer.is_connected:
            self.stream.goodbye()
        self.peer.close(reason)

    def closed(self, reason: str) -> None:
        self.room.gone(self)
        _log.info(
            "listener.closed",
            room=self.room.room_id,
            account=self.account_id,
            reason=reason,
            **for_log(self.details(None)),
            unasked=self.unasked,
        )
        self._on_gone(self)
