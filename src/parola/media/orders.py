"""What web processes ask of a media process: open a listener's or a speaker's connection, close one, own, settle.

Every order is answered, with `Refused` where it cannot be carried out; the last word on a right is spoken here, by this
process's own projection of the room, whatever the asking process believed.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Awaitable, Callable

import structlog

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import (
    Closed,
    CloseOrder,
    Connected,
    Details,
    DetailsOrder,
    EvidenceOrder,
    EvidencePart,
    Fence,
    FencePassed,
    Owned,
    OwnOrder,
    Refused,
    Settled,
    SettleOrder,
    WhepOrder,
    WhipOrder,
)
from parola.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refusal, Unavailable
from parola.domain.rooms import Lifecycle
from parola.media.edge import EdgeRoom
from parola.media.listener import Listener
from parola.media.load import Newcomer
from parola.media.peer import Peer
from parola.media.process import MediaProcess
from parola.media.speaker import Speaker
from parola.media.stream import ProgramStream, StreamNumbers
from parola.media.voice import Voice
from parola.rtp import sdp
from parola.rtp.dtls import Dtls
from parola.rtp.ice import Credentials, IceLite

_log = structlog.get_logger(__name__)

AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"


class OrderDesk:
    """Answers the orders to one media process."""

    def __init__(self, process: MediaProcess, bus: Bus) -> None:
        self._process = process
        self._bus = bus
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        verbs: dict[str, Callable[[bytes], Awaitable[bytes]]] = {
            "whep": self._whep,
            "whip": self._whip,
            "close": self._close,
            "details": self._details,
            "own": self._own,
            "settle": self._settle,
            "fence": self._fence,
            "evidence": self._evidence,
        }
        for verb, work in verbs.items():
            await self._bus.subscribe(
                subjects.media(self._process.identity.process_id, verb), self._answering(work)
            )

    def _answering(self, work: Callable[[bytes], Awaitable[bytes]]) -> Callable[[Message], Awaitable[None]]:
        async def handle(message: Message) -> None:
            self._process.soon(answer(message))

        async def answer(message: Message) -> None:
            try:
                reply = await work(message.data)
            except Refusal as refusal:
                reply = Refused(refusal.status, refusal.code, refusal.detail).to_bytes()
            except BusUnavailable:
                reply = Refused(
                    503, "not_confirmed", "Not every listener's server has confirmed the cut."
                ).to_bytes()
            except Exception:
                _log.exception("order.failed", subject=message.subject)
                reply = Refused(503, "media_failed", "The media process could not carry this out.").to_bytes()
            await message.respond(reply)

        return handle

    async def _whep(self, data: bytes) -> bytes:
        order = WhepOrder.from_bytes(data)
        process = self._process
        process.connections.admit(order.address)
        process.meter.admit(self._newcomer(order.room_id, order.account_id))
        await self._take_turn()
        offer = _parse(order.offer, "recvonly")
        async with process.lock(order.room_id):
            edge = await process.edge(order.room_id)
            await process.projections.catch_up(order.room_id, order.seq)
            if edge.room.state is not Lifecycle.LIVE:
                raise Conflict("not_live", "This room is not live.")
            _check_may_hear(edge, order.account_id)
            listener = Listener(
                edge,
                order.account_id,
                order.session_id,
                self._connection_id(),
                process.connections.connected,
                process.connections.gone,
            )
            listener.peer, answer = self._connect(offer, listener, stream_id=order.room_id)
            dice = secrets.randbits(14), secrets.randbits(32)
            numbers = StreamNumbers(offer.opus_pt, offer.red_pt, listener.peer.ssrc, *dice)
            listener.stream = ProgramStream(numbers, process.monotonic())
            edge.add(listener)
        process.connections.add(listener, order.address)
        if not await process.attach(edge):
            listener.close("owner_unreachable")
            raise Unavailable("owner_unreachable", "The server that mixes this room cannot be reached.", 2)
        return Connected(listener.connection_id, answer).to_bytes()

    async def _whip(self, data: bytes) -> bytes:
        order = WhipOrder.from_bytes(data)
        await self._take_turn()
        offer = _parse(order.offer, "sendonly")
        process = self._process
        process.connections.admit(order.address)
        async with process.lock(order.room_id):
            owned = await process.own(order.room_id, order.epoch)
            await process.projections.catch_up(order.room_id, order.seq)
            if owned.room.state is not Lifecycle.LIVE:
                raise Conflict("not_live", "This room is not live.")
            if not owned.room.has_floor(order.account_id):
                raise Forbidden("floor_required", "You do not have the floor in this room.")
            process.meter.admit(self._newcomer(order.room_id, order.account_id))
            voice = Voice(order.account_id, offer.opus_pt, offer.red_pt, offer.extensions.get(AUDIO_LEVEL))
            speaker = Speaker(
                owned,
                order.account_id,
                order.session_id,
                self._connection_id(),
                voice,
                process.connections.connected,
                process.connections.gone,
            )
            speaker.peer, answer = self._connect(offer, speaker, stream_id=None)
            owned.add(speaker)
        process.connections.add(speaker, order.address)
        return Connected(speaker.connection_id, answer).to_bytes()

    async def _close(self, data: bytes) -> bytes:
        self._theirs(CloseOrder.from_bytes(data)).close("left")
        return Closed().to_bytes()

    async def _details(self, data: bytes) -> bytes:
        connection = self._theirs(DetailsOrder.from_bytes(data))
        return Details(connection.details(self._process.monotonic())).to_bytes()

    def _theirs(self, order: CloseOrder) -> Listener | Speaker:
        """Others' connections are as good as none. Raises NotFound."""
        connection = self._process.connections.find(order.connection_id)
        if connection is None or connection.room.room_id != order.room_id:
            raise NotFound()
        if connection.account_id != order.account_id:
            raise NotFound()
        return connection

    async def _own(self, data: bytes) -> bytes:
        order = OwnOrder.from_bytes(data)
        async with self._process.lock(order.room_id):
            await self._process.own(order.room_id, order.epoch)
        return Owned().to_bytes()

    async def _settle(self, data: bytes) -> bytes:
        order = SettleOrder.from_bytes(data)
        owned = self._process.owned.get(order.room_id)
        if owned is not None:
            await owned.settle(order.seq)
        return Settled().to_bytes()

    async def _fence(self, data: bytes) -> bytes:
        order = Fence.from_bytes(data)
        edge = self._process.edges.get(order.room_id)
        if edge is not None:
            await edge.fence(order.epoch, order.tick, order.seq)
        return FencePassed(self._process.identity.process_id).to_bytes()

    async def _evidence(self, data: bytes) -> bytes:
        order = EvidenceOrder.from_bytes(data)
        if self._process.keeping is None:
            return EvidencePart([], 0).to_bytes()
        found, until = self._process.keeping.part(order.room_id, order.after, order.until)
        pieces = [(one.number, base64.b64encode(one.data).decode("ascii")) for one in found]
        return EvidencePart(pieces, until).to_bytes()

    async def _take_turn(self) -> None:
        """One to each turn of the loop: a crowd's orders come all at once, and ticks have to get in between."""
        async with self._turn:
            await asyncio.sleep(0)

    def _newcomer(self, room_id: str, account_id: str | None) -> Newcomer:
        watched = self._process.projections.watched(room_id)
        if watched is None or account_id is None or not watched.room.has_floor(account_id):
            return Newcomer.LISTENER
        owned = self._process.owned.get(room_id)
        is_here = owned is not None and account_id in owned.speakers
        return Newcomer.RETURNING if is_here or account_id == watched.room.host else Newcomer.SPEAKER

    def _connection_id(self) -> str:
        return f"{self._process.identity.process_id}.{secrets.token_urlsafe(16)}"

    def _connect(
        self, offer: sdp.Offer, connection: Listener | Speaker, stream_id: str | None
    ) -> tuple[Peer, str]:
        process = self._process
        client = Credentials(offer.ufrag, offer.password)
        ice = IceLite(secrets.token_hex(8), secrets.token_hex(16), client, secrets.token_bytes(16))
        dtls = Dtls(process.identity.certificate, "server", offer.fingerprint)
        ssrc = secrets.randbits(31) | 1
        peer = process.connections.make_peer(
            lambda send: Peer(
                connection.connection_id, ice, dtls, connection, send, ssrc, process.monotonic()
            )
        )
        answer = sdp.answer(
            offer,
            session_id=secrets.randbits(62),
            ufrag=ice.ufrag,
            password=ice.password,
            fingerprint=process.identity.certificate.fingerprint,
            addresses=list(process.identity.addresses),
            ssrc=ssrc if stream_id is not None else None,
            cname=connection.room.room_id,
            stream_id=stream_id or "",
        )
        return peer, answer


def _check_may_hear(edge: EdgeRoom, account_id: str | None) -> None:
    """The web process's word on places may be some moments old; here nobody comes in between."""
    room = edge.room
    if account_id is not None and account_id in room.barred:
        if account_id in room.shut_out:
            raise NotFound()
        raise Forbidden("removed", "You were removed from this room.")
    if room.listeners_at_most is not None and not edge.has_place_for(account_id):
        raise Conflict("room_full", "This room takes no more listeners.")


def _parse(text: str, direction: str) -> sdp.Offer:
    try:
        return sdp.parse_offer(text, "recvonly" if direction == "recvonly" else "sendonly")
    except sdp.SdpError as error:
        raise Invalid("bad_sdp", str(error)) from error
