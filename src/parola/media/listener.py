"""A listener's connection (WHEP): one program stream out; what comes in is listened to only for its reports."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from parola.media.details import for_log, of_listener
from parola.media.merging import PacketClass
from parola.media.stream import ProgramStream
from parola.rtp import rtcp

if TYPE_CHECKING:
    from parola.media.edge import EdgeRoom
    from parola.media.fanout import Sender
    from parola.media.peer import Peer
    from parola.media.track import Track

_log = structlog.get_logger(__name__)


class Listener:
    """`peer` and `stream` are set once, right after all exist. A guest has no account."""

    peer: Peer
    stream: ProgramStream

    __slots__ = (
        "_on_connected", "_on_gone", "account_id", "address", "connection_id", "on_loss", "packet_class", "peer",
        "room", "sender", "session_id", "slot", "stream", "track", "unasked",
    )  # fmt: skip

    def __init__(
        self,
        room: EdgeRoom,
        account_id: str | None,
        session_id: str | None,
        connection_id: str,
        on_connected: Callable[[Listener], None],
        on_gone: Callable[[Listener, str], None],
    ) -> None:
        self.room = room
        self.account_id = account_id
        self.session_id = session_id
        self.connection_id = connection_id
        self.address = ""
        self.on_loss: Callable[[float], None] = lambda _: None
        self.unasked = 0
        self.sender: Sender | None = None
        """Who sends to this listener, from the handshake on, and which `slot` of it is theirs."""
        self.slot = -1
        self.track: Track | None = None
        self.packet_class: PacketClass | None = None
        self._on_connected = on_connected
        self._on_gone = on_gone

    @property
    def counts(self) -> tuple[int, int]:
        """(packets, bytes) that went out."""
        return self.sender.counts(self.slot) if self.sender is not None else (0, 0)

    def connected(self, now: float) -> None:
        self.room.connected(self, now)
        if self.sender is not None:
            self._on_connected(self)

    def moved(self) -> None:
        place = self.peer.place
        if self.sender is not None and place is not None:
            self.sender.move(self.slot, *place)

    def rtp(self, packet: bytes, now: float) -> None:
        # A listener has no voice: never forwarded, never recorded, only counted.
        self.unasked += 1
        self.peer.dropped["rtp_from_listener"] += 1

    def rtcp(self, packet: bytes, now: float) -> None:
        try:
            if self.stream.handle_reports(packet, now, self.room.unix(now)):
                self.on_loss(self.stream.loss_256 / 256)
                if (
                    self.stream.loss_256
                ):  # whose packets could be others otherwise is asked when their time has come
                    self.room.reported(self, now)
        except rtcp.RtcpError:
            self.peer.dropped["rtcp_malformed"] += 1

    def details(self, now: float | None) -> dict[str, Any]:
        return of_listener(self, now)

    def close(self, reason: str) -> None:
        if self.sender is not None:
            self.sender.send_rtcp(self.slot, rtcp.goodbye(self.stream.numbers.ssrc, self.room.room_id))
        self.peer.close(reason)

    def closed(self, reason: str) -> None:
        details = self.details(None)
        self.room.gone(self)
        if self.sender is not None:
            self.sender.remove(self.slot)
            self.sender = None
        _log.info(
            "listener.closed",
            room=self.room.room_id,
            account=self.account_id,
            reason=reason,
            **for_log(details),
            unasked=self.unasked,
        )
        self._on_gone(self, reason)
