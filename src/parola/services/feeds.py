"""What happens in a room, told to everyone who has it open in this process: written down once, sent to all.

Lasting events come from the room's projection and never get lost on the way; passing ones are collected and sent now
and then, the more rarely the more streams there are. A reader who does not read is let go.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

import orjson
import structlog

from parola.bus import Bus, BusUnavailable, Message, Subscription, subjects
from parola.bus.messages import Levels, MessageError, SessionEnded, Strayed
from parola.domain.errors import Refusal
from parola.domain.rooms import (
    Access,
    Event,
    Lifecycle,
    PersonRemoved,
    PersonUninvited,
    Room,
    RoomEnded,
    check_entry,
    type_name,
)
from parola.projection import Projections, Watched
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.views import Views
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

_QUEUE = 256
_MOST_UNREAD_BYTES = 256 << 10
"""What waits for one reader, beside what the transport holds for it."""
_MOST_REPLAYED = 500
_PASSING_EVERY_S = 0.2
_STREAMS_PER_STEP = 500
_SESSIONS_EVERY_S = 5.0
_RECONNECT_WITHIN_MS = 500
_SPREAD = 10
"""So many different delays: a crowd that comes back at the same instant is a new fault."""


@dataclass(frozen=True, slots=True)
class Told:
    """One event as it goes over the wire. `seq` is None for passing ones; `ends` names who reads no further after it,
    None for nobody, the empty set for everyone."""

    text: bytes
    seq: int | None = None
    ends: frozenset[str] | None = None


class Reader:
    """One open stream."""

    def __init__(self, caller: Caller) -> None:
        self.account_id = caller.account_id
        self.session_id = caller.session_id
        self.over = False
        self._queue: asyncio.Queue[Told | None] = asyncio.Queue()
        self._unread = 0

    def tell(self, told: Told) -> None:
        if self.over:
            return
        if self._queue.qsize() >= _QUEUE or self._unread + len(told.text) > _MOST_UNREAD_BYTES:
            self.end()
            return
        self._unread += len(told.text)
        self._queue.put_nowait(told)

    def end(self) -> None:
        """No more for this one; what is queued is thrown away."""
        self.over = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._unread = 0
        self._queue.put_nowait(None)

    async def next(self) -> Told | None:
        """None at the end."""
        told = await self._queue.get()
        self._unread -= len(told.text) if told is not None else 0
        return told


class Feeds:
    """All open streams of a web process. `run` keeps watch over their sessions."""

    def __init__(
        self, store: Store, bus: Bus, projections: Projections, audience: Audience, views: Views
    ) -> None:
        self._store = store
        self._bus = bus
        self._projections = projections
        self._views = views
        self._audience = audience
        self._feeds: dict[str, _Feed] = {}
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        audience.on_change(self._presence_changed)
        audience.on_gone(self._connections_gone)

    @property
    def open_streams(self) -> int:
        return sum(len(feed.readers) for feed in self._feeds.values())

    async def run(self) -> None:
        await self._bus.subscribe(subjects.SESSION_ENDED, self._session_ended)
        while True:
            await asyncio.sleep(_SESSIONS_EVERY_S)
            try:
                await self._check_sessions()
                self._audience.forget_silent(self._projections.leases.alive())
            except StoreUnavailable:
                _log.warning("feeds.store_away")

    def close(self) -> None:
        for feed in self._feeds.values():
            for reader in list(feed.readers):
                reader.end()

    async def read(self, caller: Caller, room: Room, last_seq: int | None) -> AsyncIterator[bytes]:
        """The stream of one reader: what they missed, or a snapshot, then whatever comes. `room` is what the gate let
        them into."""
        async with self._joined(caller, room.id) as (feed, reader):
            # The gate has read SQL; the message of what it saw there may still be on its way, or be lost.
            await feed.watched.catch_up(room.seq)
            now = feed.watched.room
            if not _still_enters(now, caller):
                return
            at = now.seq
            if last_seq is not None and at - _MOST_REPLAYED <= last_seq <= at:
                async for text in self._missed(room.id, last_seq, at):
                    yield text
            else:
                yield _text("snapshot", await self._views.room(now, caller), at)
            if now.state is Lifecycle.ENDED:
                return
            # Their own stream may have died with the machine, and the word with it.
            if lost := self._audience.lost(room.id):
                yield _reconnect(lost)
            while not reader.over:
                told = await reader.next()
                if told is None:
                    return
                if told.seq is not None:
                    if told.seq <= at:
                        continue
                    at = told.seq
                yield told.text
                if told.ends is not None and (not told.ends or reader.account_id in told.ends):
                    return

    @contextlib.asynccontextmanager
    async def _joined(self, caller: Caller, room_id: str) -> AsyncIterator[tuple[_Feed, Reader]]:
        reader = Reader(caller)
        async with self._opening.setdefault(room_id, asyncio.Lock()):
            feed = self._feeds.get(room_id)
            if feed is None:
                feed = self._feeds[room_id] = await self._open(room_id)
            feed.readers.add(reader)
        try:
            yield feed, reader
        finally:
            feed.readers.discard(reader)
            async with self._opening.setdefault(room_id, asyncio.Lock()):
                if not feed.readers and self._feeds.get(room_id) is feed:
                    del self._feeds[room_id]
                    await feed.stop()
                    await self._projections.unwatch(room_id)

    async def _open(self, room_id: str) -> _Feed:
        """All of it or, where the reader leaves meanwhile, nothing."""
        feed = _Feed(await self._projections.watch(room_id), self._bus, self._views, self._audience)
        try:
            await feed.start()
        except BaseException:
            await feed.stop()
            await self._projections.unwatch(room_id)
            raise
        return feed

    async def _missed(self, room_id: str, after: int, until: int) -> AsyncIterator[bytes]:
        events = [e for e in await self._store.rooms.events_after(room_id, after) if e.seq <= until]
        for event, data in zip(events, await self._views.events(events), strict=True):
            yield _text(type_name(event), data, event.seq)

    def _presence_changed(self, room_id: str) -> None:
        if room_id in self._feeds:
            self._feeds[room_id].presence_changed()

    def _connections_gone(self, room_id: str, connections: list[str]) -> None:
        if room_id in self._feeds and connections:
            self._feeds[room_id].tell_spread([Told(_reconnect(connections)) for _ in range(_SPREAD)])

    async def _session_ended(self, message: Message) -> None:
        self._end_sessions({SessionEnded.from_bytes(message.data).session_id})

    async def _check_sessions(self) -> None:
        """A lost message must not keep a stream of an ended session open."""
        readers = [reader for feed in self._feeds.values() for reader in feed.readers]
        ids = {reader.session_id for reader in readers if reader.session_id is not None}
        if ids:
            self._end_sessions(ids - await self._store.sessions.alive(ids))

    def _end_sessions(self, ids: set[str]) -> None:
        for feed in list(self._feeds.values()):
            for reader in list(feed.readers):
                if reader.session_id in ids:
                    reader.end()


class _Feed:
    """One room's events, serialised once for all its readers."""

    def __init__(self, watched: Watched, bus: Bus, views: Views, audience: Audience) -> None:
        self.watched = watched
        self.readers: set[Reader] = set()
        self._bus = bus
        self._views = views
        self._audience = audience
        self._batches: asyncio.Queue[tuple[Room, tuple[Event, ...]] | None] = asyncio.Queue()
        self._levels: dict[str, float] = {}
        self._told_count: int | None = None
        self._told_connected = audience.connected_speakers(watched.room.id)
        self._passing = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._subscription: Subscription | None = None
        watched.on_change(self._changed)

    async def start(self) -> None:
        with contextlib.suppress(BusUnavailable):
            self._subscription = await self._bus.subscribe(
                subjects.room_passing(self.watched.room.id), self._passing_message
            )
        self._tasks = [asyncio.create_task(self._tell_lasting()), asyncio.create_task(self._tell_passing())]

    async def stop(self) -> None:
        self.watched.remove_listener(self._changed)
        # By a word and not by cancelling: a query that is cut off costs its connection.
        self._stopped.set()
        self._passing.set()
        self._batches.put_nowait(None)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    def tell(self, told: Told) -> None:
        for reader in list(self.readers):
            reader.tell(told)

    def tell_spread(self, variants: list[Told]) -> None:
        """The same to all, each reader one of the variants."""
        for i, reader in enumerate(list(self.readers)):
            reader.tell(variants[i % len(variants)])

    def presence_changed(self) -> None:
        self._passing.set()

    def _changed(self, before: Room, events: tuple[Event, ...], after: Room) -> None:
        self._batches.put_nowait((after, events))

    async def _passing_message(self, message: Message) -> None:
        with contextlib.suppress(MessageError):
            self._levels.update(Levels.from_bytes(message.data).levels)
            self._passing.set()
        with contextlib.suppress(MessageError):
            self._tell_stray(Strayed.from_bytes(message.data))

    def _tell_stray(self, strayed: Strayed) -> None:
        """It concerns one person's page, and that at once."""
        told = Told(_reconnect([strayed.connection_id], within_ms=1))
        for reader in list(self.readers):
            if reader.account_id == strayed.account_id:
                reader.tell(told)

    async def _tell_lasting(self) -> None:
        while (batch := await self._batches.get()) is not None:
            room, events = batch
            try:
                rendered = await self._rendered(events)
            except Exception:
                # Nobody may be left with a gap: they come back, and get from SQL what they missed.
                _log.exception("feed.failed", room=room.id)
                for reader in list(self.readers):
                    reader.end()
                continue
            for event, data in zip(events, rendered, strict=True):
                self.tell(Told(_text(type_name(event), data, event.seq), event.seq, _ends(room, event)))
            self._passing.set()

    async def _rendered(self, events: tuple[Event, ...]) -> list[dict[str, Any]]:
        """Names are in the database that the events are in: while it is away they come late, and are not lost."""
        while True:
            try:
                return await self._views.events(events)
            except StoreUnavailable:
                if self._stopped.is_set():
                    raise
                await asyncio.sleep(0.5)

    async def _tell_passing(self) -> None:
        while True:
            await self._passing.wait()
            if self._stopped.is_set():
                return
            self._passing.clear()
            try:
                await self._tell_what_passed()
            except Exception as error:
                # Passing things may be dropped.
                _log.warning("feed.passing_dropped", room=self.watched.room.id, reason=str(error)[:200])
            pause = _PASSING_EVERY_S * (1 + len(self.readers) // _STREAMS_PER_STEP)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), pause)

    async def _tell_what_passed(self) -> None:
        room = self.watched.room
        count = self._audience.count(room)
        if count != self._told_count:
            self._told_count = count
            self.tell(Told(_text("audience", {"count": count}, None)))
        connected = self._audience.connected_speakers(room.id)
        changed = connected ^ self._told_connected
        levels, self._levels = self._levels, {}
        handles = await self._views.handles({*changed, *levels}) if changed or levels else {}
        for account_id in changed:
            if account_id in handles:
                presence = {"handle": handles[account_id], "connected": account_id in connected}
                self.tell(Told(_text("presence", presence, None)))
        self._told_connected = connected
        if levels:
            shown = {handles[a]: round(level, 2) for a, level in levels.items() if a in handles}
            self.tell(Told(_text("levels", shown, None)))


def _still_enters(room: Room, caller: Caller) -> bool:
    """Whom the gate let in may have been removed before the stream began: that event is in `room` and will not be told
    again. Following was the gate's to ask; it counts until the next entry."""
    try:
        check_entry(room, caller.account_id, follows_host=True)
    except Refusal:
        return False
    return True


def _ends(room: Room, event: Event) -> frozenset[str] | None:
    if isinstance(event, RoomEnded):
        return frozenset()
    if isinstance(event, PersonRemoved):
        return frozenset({event.account})
    if isinstance(event, PersonUninvited) and room.access is not Access.OPEN:
        return frozenset({event.account})
    return None


def _reconnect(connections: list[str], within_ms: int = _RECONNECT_WITHIN_MS) -> bytes:
    after_ms = random.randrange(within_ms)
    return _text("reconnect", {"connections": connections, "after_ms": after_ms}, None)


def _text(kind: str, data: Any, seq: int | None) -> bytes:
    head = f"event: {kind}\n" if seq is None else f"id: {seq}\nevent: {kind}\n"
    return head.encode() + b"data: " + orjson.dumps(data) + b"\n\n"
