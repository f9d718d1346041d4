"""A media process: the rooms it owns, the rooms it serves, and their connections; orders come over the bus.

It plays two roles that know each other only through EdgeLink, so that it makes no difference whether a room's owner
and its edge share a process. It decides nothing about rights: it asks its projections of the rooms.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from weakref import WeakValueDictionary

import structlog

from parola.bus import Bus, BusUnavailable, Message, Subscription, subjects
from parola.bus.figures import common
from parola.bus.frame import Frame, FrameError
from parola.bus.messages import (
    Attached,
    AttachOrder,
    DetachOrder,
    Gone,
    SessionEnded,
    Strayed,
)
from parola.domain.errors import NotFound
from parola.media.connections import Connections
from parola.media.edge import EdgeRoom
from parola.media.fanout import Sender
from parola.media.fanout.layout import State
from parola.media.fanout.sender import total
from parola.media.figures import MediaFigures
from parola.media.garbage import COLLECTED_EVERY_S, Garbage
from parola.media.keeping import MAINTAINED_EVERY_S, Keeping
from parola.media.links import BusLink
from parola.media.load import HEARTBEAT_S, MEASURED_EVERY_S, LoadMeter
from parola.media.owner import OwnedRoom
from parola.media.packet_time import Pace
from parola.media.reports import Reports
from parola.media.speaker import Speaker
from parola.media.tenure import Tenure
from parola.media.ticker import Ticker
from parola.media.transport import Transport
from parola.projection import Projections
from parola.rtp.dtls import Certificate
from parola.rtp.hpke import PublicKey
from parola.rtp.stun import Address
from parola.store import Store

_log = structlog.get_logger(__name__)

_HANDSHAKES_EVERY_S = 0.05
_UPKEEP_EVERY_S = 0.1
_PEERS_EVERY_S = 1.0
_BEAT_EVERY_S = 1.0
_PRESENCE_EVERY_S = 0.25
_PRESENCE_HEADS_EVERY_S = 5.0
_SESSIONS_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class MediaIdentity:
    """Who this process is to others; `name` outlives it. `addresses` stand as candidates in every SDP answer."""

    process_id: str
    name: str
    machine: str
    certificate: Certificate
    addresses: tuple[Address, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """That rooms' last minutes are kept, sealed to `public`; so long after their end."""

    public: PublicKey
    after_s: float


class MediaProcess:
    """`run` works until it is cancelled, then says goodbye to everyone."""

    def __init__(
        self,
        identity: MediaIdentity,
        transport: Transport,
        store: Store,
        bus: Bus,
        projections: Projections,
        monotonic: Callable[[], float],
        senders: Sequence[Sender],
        pace: Pace,
        most_of_an_address: int | None = None,
        evidence: Evidence | None = None,
    ) -> None:
        self.identity = identity
        self.transport = transport
        self.projections = projections
        self.monotonic = monotonic
        self.senders = senders
        self.fences: Counter[str] = Counter()
        """What became of those that went to other processes."""
        self.edges: dict[str, EdgeRoom] = {}
        self.owned: dict[str, OwnedRoom] = {}
        self._reports = Reports(identity.process_id, bus, transport.dropped)
        self.connections = Connections(
            transport,
            monotonic,
            most_of_an_address,
            self._reports.presence_changed,
            self._reports.never_up,
            self._strayed,
        )
        self.tenure = Tenure(identity.process_id, self.owned, store, bus, projections, monotonic, self.disown)
        self.ticker = Ticker(monotonic, self.tenure.stood_still)
        self.meter = LoadMeter(
            monotonic,
            self.ticker.take_lateness,
            transport.dropped,
            lambda: transport.packets_out + total(senders, State.SENT),
            lambda: len(self.connections),
            senders,
        )
        self._pace = pace
        # Receivers read the time in a stream's reports as even: it does not follow a wall clock that is set.
        self._unix_at_0 = time.time() - monotonic()
        self.keeping: Keeping | None = None
        if evidence is not None:
            self.keeping = Keeping(evidence.public, monotonic, self._unix_at_0, evidence.after_s)
        self._store = store
        self._bus = bus
        self._figures = MediaFigures(self, (store.figures, *common(bus)))
        self._subscriptions: dict[tuple[str, str], Subscription] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        # One that nobody holds or waits for is nobody's; one that is waited for must not be replaced.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._reattaching: dict[str, Callable[..., None]] = {}

    async def run(self) -> None:
        await self._bus.subscribe(subjects.MEDIA_GONE, self._process_gone)
        await self._bus.subscribe(subjects.SESSION_ENDED, self._session_ended)
        orders = {
            "attach": self._attach_order,
            "detach": self._detach_order,
            "figures": self._figures_order,
            "presence": self._reports.presence_order,
        }
        for verb, handler in orders.items():
            await self._bus.subscribe(subjects.media(self.identity.process_id, verb), handler)
        self.transport.start()
        for sender in self.senders:
            sender.start()
        garbage = Garbage(self.ticker.is_awake)
        garbage.start()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._reports.run())
                group.create_task(self.tenure.run())
                group.create_task(self._every(_HANDSHAKES_EVERY_S, self.connections.maintain_handshakes))
                group.create_task(self._every(_UPKEEP_EVERY_S, self._maintain_rooms))
                group.create_task(self._every(_PEERS_EVERY_S, self.connections.maintain_peers))
                group.create_task(self._every(_PEERS_EVERY_S, self._maintain_owned))
                group.create_task(self._every(_PEERS_EVERY_S, self._attach_all))
                group.create_task(self._every(HEARTBEAT_S, self.meter.heartbeat))
                group.create_task(self._every(MEASURED_EVERY_S, self.meter.measure))
                group.create_task(self._every(COLLECTED_EVERY_S, garbage.collect))
                group.create_task(self._every(_BEAT_EVERY_S, self._beat))
                group.create_task(self._every(_PRESENCE_EVERY_S, self._reports.tell_presence))
                group.create_task(self._every(_PRESENCE_HEADS_EVERY_S, self._reports.tell_presence_heads))
                group.create_task(self._every(_SESSIONS_EVERY_S, self._check_sessions))
                if self.keeping is not None:
                    group.create_task(self.keeping.run())
                    group.create_task(self._every(MAINTAINED_EVERY_S, self.keeping.maintain))
        finally:
            self._say_goodbye()

    def lock(self, room_id: str) -> asyncio.Lock:
        return self._locks.setdefault(room_id, asyncio.Lock())

    async def edge(self, room_id: str) -> EdgeRoom:
        """This process's edge of a room, made when there is none; NotFound where there is no such room."""
        if room_id not in self.edges:
            watched = await self.projections.watch(room_id)
            edge = EdgeRoom(watched, self.monotonic, self.senders, self._pace, self._unix_at_0)
            self.edges[room_id] = edge

            def again(*_: object) -> None:
                self.soon(self.attach(edge))

            # Another owner is another tie; and who gets or loses the floor needs another set of outputs.
            watched.on_owner(again)
            watched.on_change(again)
            self._reattaching[room_id] = again
        return self.edges[room_id]

    async def own(self, room_id: str, epoch: int) -> OwnedRoom:
        """This process's ownership of a room; NotFound when SQL says that another process, or epoch, has it."""
        owned = self.owned.get(room_id)
        if owned is not None and owned.epoch == epoch and not owned.closed:
            return owned
        head = (await self._store.rooms.heads([room_id])).get(room_id)
        if head is None or head.owner != self.identity.process_id or head.epoch != epoch:
            raise NotFound()
        if owned is not None:
            await self.disown(owned, "ownership_renewed")
        watched = await self.projections.watch(room_id)
        kept = self.keeping.open(room_id) if self.keeping is not None else None
        owned = OwnedRoom(watched, epoch, self.ticker.wake, self._reports.levels, kept)
        owned.edges["bus"] = BusLink(room_id, self._bus, self._reports.send, self.fences)
        self.owned[room_id] = owned
        _log.info("room.owned", room=room_id, epoch=epoch)
        if room_id in self.edges:
            await self.attach(self.edges[room_id])
        return owned

    async def disown(self, owned: OwnedRoom, reason: str) -> None:
        """Ends an ownership: nothing of it sounds any more, its speakers' connections end."""
        if self.owned.get(owned.room_id) is owned:
            del self.owned[owned.room_id]
            owned.close(reason)
            await self.projections.unwatch(owned.room_id)
            _log.info("room.disowned", room=owned.room_id, epoch=owned.epoch, reason=reason)

    async def attach(self, edge: EdgeRoom) -> bool:
        """Ties an edge to the room's owner, or renews the tie; without an owner the edge just stays quiet. False where
        there is an owner who lives and cannot be reached from here."""
        if self.edges.get(edge.room_id) is not edge:
            return True  # it was dropped while this waited for its turn
        watched = self.projections.watched(edge.room_id)
        if watched is None or watched.owner is None or not edge.listeners:
            edge.detach()
            await self._subscribe_outputs(edge, frozenset())
            return True
        owned = self.owned.get(edge.room_id)
        if watched.owner == self.identity.process_id:
            await self._subscribe_outputs(edge, frozenset())
            if owned is not None and not owned.closed:
                owned.edges["here"] = edge
                edge.attach(owned.epoch, 0, float("inf"))
            return True
        outputs = edge.outputs()
        await self._subscribe_outputs(edge, outputs)
        order = AttachOrder(edge.room_id, self.identity.process_id, sorted(outputs))
        try:
            reply = await self._bus.request(subjects.media(watched.owner, "attach"), order.to_bytes(), 1.0)
        except BusUnavailable:
            return watched.owner not in self.projections.leases.alive()
        answer = Attached.from_bytes(reply)
        if answer.epoch:
            edge.attach(answer.epoch, answer.tick, self.monotonic())
        return True

    def _strayed(self, speaker: Speaker) -> None:
        room_id = speaker.room.room_id
        strayed = Strayed(room_id, speaker.connection_id, speaker.account_id)
        self._reports.send(subjects.room_passing(room_id), strayed.to_bytes())

    # --- messages from other processes

    async def _attach_order(self, message: Message) -> None:
        order = AttachOrder.from_bytes(message.data)
        owned = self.owned.get(order.room_id)
        if owned is None or owned.closed:
            await message.respond(Attached(0, 0).to_bytes())
            return
        link = owned.edges["bus"]
        assert isinstance(link, BusLink)
        link.attach(order.process_id, frozenset(order.outputs), self.monotonic())
        await message.respond(Attached(owned.epoch, owned.last_tick + 1 if owned.last_tick else 0).to_bytes())

    async def _detach_order(self, message: Message) -> None:
        order = DetachOrder.from_bytes(message.data)
        self._forget_edge(order.process_id, order.room_id)

    async def _figures_order(self, message: Message) -> None:
        await message.respond(self._figures.answer())

    async def _process_gone(self, message: Message) -> None:
        process_id = Gone.from_bytes(message.data).process_id
        self.projections.leases.forget(process_id)
        for room_id in list(self.owned):
            self._forget_edge(process_id, room_id)

    def _forget_edge(self, process_id: str, room_id: str) -> None:
        owned = self.owned.get(room_id)
        link = owned.edges.get("bus") if owned is not None else None
        if isinstance(link, BusLink):
            link.detach(process_id)

    async def _session_ended(self, message: Message) -> None:
        self.connections.end_sessions({SessionEnded.from_bytes(message.data).session_id})

    async def _frame(self, edge: EdgeRoom, output: str, message: Message) -> None:
        try:
            edge.deliver(output, Frame.from_bytes(message.data))
        except FrameError:
            edge.late_frames += 1

    async def _subscribe_outputs(self, edge: EdgeRoom, outputs: frozenset[str]) -> None:
        for key in [k for k in self._subscriptions if k[0] == edge.room_id and k[1] not in outputs]:
            await self._subscriptions.pop(key).unsubscribe()
        for output in outputs:
            if (edge.room_id, output) not in self._subscriptions:

                async def handle(message: Message, output: str = output) -> None:
                    await self._frame(edge, output, message)

                subject = subjects.room_out(edge.room_id, output)
                self._subscriptions[edge.room_id, output] = await self._bus.subscribe(subject, handle)

    # --- upkeep

    async def _every(self, seconds: float, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                _log.exception("upkeep.failed", work=work.__name__)
            await asyncio.sleep(seconds)

    async def _maintain_rooms(self) -> None:
        now = self.monotonic()
        for edge in list(self.edges.values()):
            edge.maintain(now)

    async def _maintain_owned(self) -> None:
        now = self.monotonic()
        unix = now + self._unix_at_0
        for owned in list(self.owned.values()):
            for speaker in list(owned.speakers.values()):
                speaker.maintain(now, unix)
            link = owned.edges.get("bus")
            if isinstance(link, BusLink):
                link.expire(now)

    async def _attach_all(self) -> None:
        for edge in list(self.edges.values()):
            edge.pace(self.meter.load.value, self.monotonic(), len(self.connections))
            await self.attach(edge)
            if not edge.listeners:
                await self._drop_edge(edge)
        for owned in list(self.owned.values()):
            await self._check_ownership(owned)

    async def _drop_edge(self, edge: EdgeRoom) -> None:
        async with self.lock(edge.room_id):
            if edge.listeners or self.edges.get(edge.room_id) is not edge:
                return
            del self.edges[edge.room_id]
            watched = self.projections.watched(edge.room_id)
            if watched is not None:
                watched.remove_listener(self._reattaching.pop(edge.room_id))
            edge.close("unused")
            owned = self.owned.get(edge.room_id)
            if owned is not None:
                owned.edges.pop("here", None)
            await self._subscribe_outputs(edge, frozenset())
            await self.projections.unwatch(edge.room_id)

    async def _check_ownership(self, owned: OwnedRoom) -> None:
        watched = self.projections.watched(owned.room_id)
        if watched is None or watched.epoch > owned.epoch:
            await self.disown(owned, "ownership_lost")
        elif owned.closed or (owned.room.state == "ended" and not owned.speakers):
            await self.disown(owned, "room_ended")

    async def _beat(self) -> None:
        await self._store.leases.beat(self.identity.process_id, self.identity.machine, self.meter.load.value)

    async def _check_sessions(self) -> None:
        """A lost message must not keep an ended session's ear or voice alive."""
        wanted = self.connections.sessions()
        if wanted:
            self.connections.end_sessions(wanted - await self._store.sessions.alive(wanted))

    def soon(self, work: Awaitable[object]) -> None:
        async def guarded() -> None:
            try:
                await work
            except Exception:
                _log.exception("work.failed")

        task = asyncio.get_running_loop().create_task(guarded())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _say_goodbye(self) -> None:
        self.ticker.stop()
        self.connections.close_all("server_stopped")
        for sender in self.senders:
            sender.stop()
        self.transport.stop()
