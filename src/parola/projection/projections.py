"""All rooms that this process has open, and which media processes are alive.

Invariant: a room's projection only moves forward, by events in the order of their seq. A message that leaves a gap is
not folded but taken as a hint to read SQL; what no message said is found by comparing seq with SQL every two seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from weakref import WeakValueDictionary

import structlog

from parola.bus import Bus, BusUnavailable, Message, Subscription, subjects
from parola.bus.messages import FiguresOrder, MessageError, OwnerChanged, RoomEvents
from parola.domain.errors import NotFound
from parola.domain.rooms import Event, Room, decode_event
from parola.projection.leases import LOOK_EVERY_S, Leases
from parola.projection.watched import Watched
from parola.store import Head, Store, StoreUnavailable

_log = structlog.get_logger(__name__)

COMPARE_EVERY_S = 1.5
"""What no message said is known everywhere within two seconds, the time to read it included."""
FRESH_S = 2.0
_ANSWER_TIMEOUT_S = 0.5


class Projections:
    """`run` keeps them true; without it they move only by messages and `compare`. `with_blocks`: who is barred from
    the rooms of each host is known too."""

    def __init__(
        self, store: Store, bus: Bus, monotonic: Callable[[], float], with_blocks: bool = False
    ) -> None:
        self._store = store
        self._bus = bus
        self._monotonic = monotonic
        self._with_blocks = with_blocks
        self.leases = Leases(store, monotonic, self._answers)
        self._rooms: dict[str, Watched] = {}
        self._subscriptions: dict[str, list[Subscription]] = {}
        # One that nobody holds or waits for is nobody's; one that is waited for must not be replaced.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        bus.on_reconnect(self.compare)

    async def watch(self, room_id: str) -> Watched:
        """Opens a room, or opens it once more; each call wants its `unwatch`. Raises NotFound, StoreUnavailable."""
        async with self._lock(room_id):
            watched = self._rooms.get(room_id)
            if watched is None:
                watched = await self._open(room_id)
            watched.watchers += 1
            return watched

    async def unwatch(self, room_id: str) -> None:
        async with self._lock(room_id):
            watched = self._rooms.get(room_id)
            if watched is None:
                return
            watched.watchers -= 1
            if watched.watchers == 0:
                del self._rooms[room_id]
                for subscription in self._subscriptions.pop(room_id, []):
                    await subscription.unsubscribe()

    def watched(self, room_id: str) -> Watched | None:
        return self._rooms.get(room_id)

    def fresh(self, room_id: str) -> Room | None:
        """An open room as SQL had it less than two seconds ago, and as messages have told since; else None."""
        watched = self._rooms.get(room_id)
        if watched is None or not self._bus.connected or self._monotonic() - watched.compared_at > FRESH_S:
            return None
        return watched.room

    def decided(self, room_id: str, events: tuple[Event, ...]) -> None:
        """This process has just appended these events: here they hold from now on, whatever becomes of the message."""
        watched = self._rooms.get(room_id)
        if watched is not None and events and events[0].seq == watched.room.seq + 1:
            watched.apply(events)

    async def catch_up(self, room_id: str, seq: int) -> None:
        """Returns when this process has folded event `seq` of an open room."""
        watched = self._rooms.get(room_id)
        while watched is not None and watched.room.seq < seq:
            before = watched.room.seq
            await self._read(watched)
            if watched.room.seq == before:
                return  # SQL has no such event: whoever asked was told of one that never was

    async def run(self) -> None:
        """Compares until it is cancelled. A database that is away is noted, and changes nothing."""
        await asyncio.gather(
            self._every(COMPARE_EVERY_S, self.compare), self._every(LOOK_EVERY_S, self.leases.look)
        )

    async def compare(self) -> None:
        """One query for all open rooms, and one for blocks. Raises StoreUnavailable."""
        asked_at = self._monotonic()
        heads = await self._store.rooms.heads(self._rooms)
        for room_id, head in heads.items():
            watched = self._rooms.get(room_id)
            if watched is not None:
                await self._meet(watched, head)
                if watched.room.seq >= head.seq:
                    watched.compared_at = asked_at
        await self._read_blocks(self._rooms.values())

    async def _open(self, room_id: str) -> Watched:
        """Listens first, reads then and compares at last, so that nothing falls between."""
        subscriptions: list[Subscription] = []
        try:
            for subject, handler in (
                (subjects.room_events(room_id), self._events),
                (subjects.room_owner(room_id), self._owner),
            ):
                subscriptions.append(await self._bus.subscribe(subject, handler))
        except BusUnavailable:
            _log.warning("projection.bus_away", room=room_id)
        try:
            room = await self._store.rooms.load(room_id)
            if room is None:
                raise NotFound()
            watched = self._rooms[room_id] = Watched(room, self.catch_up)
            asked_at = self._monotonic()
            await self._meet(watched, (await self._store.rooms.heads([room_id]))[room_id])
            watched.compared_at = asked_at
            await self._read_blocks([watched])
        except BaseException:
            self._rooms.pop(room_id, None)
            for subscription in subscriptions:
                await subscription.unsubscribe()
            raise
        self._subscriptions[room_id] = subscriptions
        return watched

    async def _answers(self, process_id: str) -> bool:
        try:
            order = FiguresOrder().to_bytes()
            await self._bus.request(subjects.media(process_id, "figures"), order, _ANSWER_TIMEOUT_S)
        except BusUnavailable:
            return False
        return True

    async def _events(self, message: Message) -> None:
        try:
            body = RoomEvents.from_bytes(message.data)
        except MessageError:
            return
        watched = self._rooms.get(body.room_id)
        if watched is None:
            return
        events = tuple(e for e in map(decode_event, body.events) if e.seq > watched.room.seq)
        if not events:
            return
        if events[0].seq == watched.room.seq + 1:
            watched.apply(events)
        else:
            await self._read(watched)

    async def _owner(self, message: Message) -> None:
        body = OwnerChanged.from_bytes(message.data)
        watched = self._rooms.get(body.room_id)
        if watched is not None:
            watched.set_owner(body.process_id, body.epoch)

    async def _meet(self, watched: Watched, head: Head) -> None:
        if head.seq > watched.room.seq:
            await self._read(watched)
        watched.set_owner(head.owner, head.epoch)

    async def _read(self, watched: Watched) -> None:
        events = await self._store.rooms.events_after(watched.room.id, watched.room.seq)
        # Messages may have come while SQL was read.
        fresh = tuple(e for e in events if e.seq > watched.room.seq)
        if fresh:
            watched.apply(fresh)

    async def _read_blocks(self, some: Iterable[Watched]) -> None:
        """One query for all. A room that was not live when it was made may have missed a block since."""
        if not self._with_blocks:
            return
        asked = [(watched, watched.room.state) for watched in some]
        barred = await self._store.relations.barred(watched.room.host for watched, _ in asked)
        for watched, state in asked:
            watched.barred = barred[watched.room.host] if watched.room.state is state else None

    def _lock(self, room_id: str) -> asyncio.Lock:
        return self._locks.setdefault(room_id, asyncio.Lock())

    async def _every(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            try:
                result = work()
                assert asyncio.iscoroutine(result)
                await result
            except StoreUnavailable as error:
                _log.warning("projection.store_away", reason=str(error)[:200])
            except Exception:
                _log.exception("projection.failed")
            await asyncio.sleep(seconds)
