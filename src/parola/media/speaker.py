"""A speaker's connection (WHIP): hands packets to the voice, with the floor's answer for each of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import structlog

from parola.media.details import for_log, of_speaker
from parola.media.voice import Voice
from parola.rtp import rtcp

if TYPE_CHECKING:
    from parola.media.owner import OwnedRoom
    from parola.media.peer import Peer

_log = structlog.get_logger(__name__)

_REPORT_EVERY_S = 2.0


class Speaker:
    """`peer` is set once, right after both exist; `on_gone` and `on_connected` keep the process's books."""

    peer: Peer

    def __init__(
        self,
        room: OwnedRoom,
        account_id: str,
        session_id: str | None,
        connection_id: str,
        voice: Voice,
        on_connected: Callable[[Speaker], None],
        on_gone: Callable[[Speaker, str], None],
    ) -> None:
        self.room = room
        self.account_id = account_id
        self.session_id = session_id
        self.connection_id = connection_id
        self.address = ""
        self.voice = voice
        self._on_connected = on_connected
        self._on_gone = on_gone
        self._report_due = 0.0
        self.strayed_at = float("-inf")

    def connected(self, now: float) -> None:
        self._report_due = now + _REPORT_EVERY_S
        self.voice.dropped = self.peer.dropped
        self._on_connected(self)

    def rtp(self, packet: bytes, now: float) -> None:
        if self.voice.handle(packet, self.room.may_be_heard(self.account_id), now):
            self.room.speech_arrived()

    def rtcp(self, packet: bytes, now: float) -> None:
        try:
            reports = rtcp.parse_compound(packet)
        except rtcp.RtcpError:
            self.peer.dropped["rtcp_malformed"] += 1
            return
        reception = self.voice.reception
        for report in reports:
            if (
                isinstance(report, rtcp.SenderReport)
                and reception is not None
                and report.ssrc == reception.ssrc
            ):
                reception.sender_report(report.ntp, now)

    def maintain(self, now: float, unix: float) -> None:
        """Tells the speaker's browser how its packets arrive (RFC 3550, section 6.4.2)."""
        if self.voice.reception is None or now < self._report_due or not self.peer.is_connected:
            return
        self._report_due = now + _REPORT_EVERY_S
        block = self.voice.reception.report(now)
        self.voice.loss_256 = block.fraction_lost
        self.peer.send_rtcp(
            rtcp.encode(
                rtcp.ReceiverReport(self.peer.ssrc, (block,)), rtcp.Sdes(self.peer.ssrc, self.room.room_id)
            )
        )

    def moved(self) -> None:
        """What is sent to a speaker looks up the address each time."""

    def details(self, now: float | None) -> dict[str, Any]:
        return of_speaker(self.peer, self.voice, now)

    def close(self, reason: str) -> None:
        self.peer.close(reason)

    def closed(self, reason: str) -> None:
        self.voice.cut()
        self.room.gone(self)
        _log.info(
            "speaker.closed",
            room=self.room.room_id,
            account=self.account_id,
            reason=reason,
            **for_log(self.details(None)),
            refused=self.voice.refused,
            malformed=self.voice.malformed,
            policed=self.voice.policed,
            bad=self.peer.statistics.bad_packets,
        )
        self._on_gone(self, reason)
