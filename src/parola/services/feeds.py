"""What happens in rooms, told to everyone who has one open in this process.

Whoever joins is brought up to date first, from memory where that will do: a crowd that comes at once asks SQL once.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator
from weakref import WeakValueDictionary

from parola.bus import Bus, Message, subjects
from parola.bus.messages import AccountDeleted
from parola.domain.errors import Refusal
from parola.domain.rooms import Lifecycle, Room, Ties, check_entry
from parola.projection import Projections
from parola.services.audience import Audience
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.feed import MOST_REPLAYED, Feed, reconnect_text
from parola.services.pace import back_within_ms
from parola.services.pieces import pieces
from parola.services.presence import Lost
from parola.services.readers import Outlet, Reader
from parola.services.streams import Streams
from parola.services.views import Views
from parola.store import Store

_FORGET_EVERY_S = 5.0


class Feeds:
    """All open streams of rooms in a web process. `run` keeps them open, as all of `streams`."""

    def __init__(
        self,
        store: Store,
        bus: Bus,
        projections: Projections,
        audience: Audience,
        views: Views,
        streams: Streams,
        now: Clock,
    ) -> None:
        self._store = store
        self._bus = bus
        self._projections = projections
        self._views = views
        self._audience = audience
        self._now = now
        self._feeds: dict[str, Feed] = {}
        self._rooms: dict[Reader, str] = {}
        self.streams = streams
        self._opening: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closing: set[asyncio.Task[None]] = set()
        audience.on_change(self._presence_changed)
        audience.on_gone(self._connections_gone)

    @property
    def open_streams(self) -> int:
        return len(self._rooms)

    def awaited(self) -> set[tuple[str, str]]:
        """Rooms, with readers of theirs whose going would have to be noticed: who lead them or may come to, and whose
        hand is up."""
        found = set()
        for room_id, feed in self._feeds.items():
            room = feed.watched.room
            awaited = {room.host, room.successor, room.acting, *(hand.account for hand in room.hands)}
            found |= {
                (room_id, r.account_id) for r in feed.readers if r.account_id in awaited and r.account_id
            }
        return found

    def raised(self) -> dict[str, frozenset[str]]:
        """Whose hands are up, in each live room that anybody reads here."""
        return {
            room_id: frozenset(hand.account for hand in feed.watched.room.hands)
            for room_id, feed in self._feeds.items()
            if feed.watched.room.hands and feed.watched.room.state is Lifecycle.LIVE
        }

    async def run(self) -> None:
        await self._bus.subscribe(subjects.ACCOUNT_DELETED, self._account_deleted)
        await asyncio.gather(self.streams.run(), self._forget_silent())

    def close(self) -> None:
        self.streams.close()

    async def follow(self, caller: Caller, room: Room, last_seq: int | None, outlet: Outlet) -> None:
        """A reader's stream goes to `outlet` until the room, their right or the other side ends it: what they missed,
        or a snapshot, then whatever comes. `room` is what the gate let them into. Returns when it has begun; raises
        StoreUnavailable, and the outlet is closed."""
        reader = Reader(caller, outlet, self._ended)
        try:
            feed = await self._join(room.id, reader)
            await self._begin(feed, reader, caller, room.seq, last_seq)
        except BaseException:
            reader.end()
            raise

    async def read(self, caller: Caller, room: Room, last_seq: int | None) -> AsyncGenerator[bytes]:
        """The same, for whoever takes one piece after the other."""
        begin = functools.partial(self.follow, caller, room, last_seq)
        async with contextlib.aclosing(pieces(begin, lambda: self._closing)) as told:
            async for piece in told:
                yield piece

    async def _join(self, room_id: str, reader: Reader) -> Feed:
        async with self._opening.setdefault(room_id, asyncio.Lock()):
            feed = self._feeds.get(room_id)
            if feed is None:
                feed = self._feeds[room_id] = await self._open(room_id)
            # Also one that has left meanwhile: it is the one whose leaving closes what was opened for it.
            feed.readers.add(reader)
            self._rooms[reader] = room_id
            self.streams.add(reader)
        if reader.over:
            self._ended(reader)
        return feed

    async def _begin(
        self, feed: Feed, reader: Reader, caller: Caller, seen: int, last_seq: int | None
    ) -> None:
        # The gate has read SQL; the message of what it saw there may still be on its way, or be lost.
        await feed.watched.catch_up(seen)
        now = feed.watched.room
        if last_seq is not None and now.seq - MOST_REPLAYED <= last_seq <= now.seq:
            texts = await feed.since(last_seq, now.seq) if _still_enters(now, caller) else []
        else:
            texts = None
        if texts is None:
            now, text = await feed.snapshot(caller)
            texts = [text]
        if not _still_enters(now, caller):
            reader.end()
            return
        # Their own stream may have died with the machine, and the word with it.
        for lost in self._audience.lost(now.id):
            if named := lost.named_to(caller.account_id):
                texts.append(reconnect_text(named, back_within_ms(len(lost))))
        reader.begin(now.seq, texts)
        if now.state is Lifecycle.ENDED:
            reader.end()

    async def _open(self, room_id: str) -> Feed:
        """All of it or, where the reader leaves meanwhile, nothing."""
        watched = await self._projections.watch(room_id)
        feed = Feed(
            watched, self._store, self._bus, self._views, self._audience, self._now, lambda: len(self._rooms)
        )
        try:
            await feed.start()
        except BaseException:
            await feed.stop()
            await self._projections.unwatch(room_id)
            raise
        return feed

    def _ended(self, reader: Reader) -> None:
        """Its books are closed at once, and the feed where it was the last."""
        room_id = self._rooms.pop(reader, None)
        if room_id is None:
            return
        self.streams.remove(reader)
        feed = self._feeds[room_id]
        feed.readers.discard(reader)
        if not feed.readers:
            task = asyncio.create_task(self._close(room_id, feed))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def _close(self, room_id: str, feed: Feed) -> None:
        async with self._opening.setdefault(room_id, asyncio.Lock()):
            if not feed.readers and self._feeds.get(room_id) is feed:
                del self._feeds[room_id]
                await feed.stop()
                await self._projections.unwatch(room_id)

    async def _forget_silent(self) -> None:
        while True:
            await asyncio.sleep(_FORGET_EVERY_S)
            self._audience.forget_silent(self._projections.leases.alive())

    async def _account_deleted(self, message: Message) -> None:
        self._views.forget(AccountDeleted.from_bytes(message.data).account_id)
        for feed in self._feeds.values():
            feed.forget()

    def _presence_changed(self, room_id: str) -> None:
        if room_id in self._feeds:
            self._feeds[room_id].presence_changed()

    def _connections_gone(self, room_id: str, lost: Lost) -> None:
        if room_id in self._feeds and len(lost):
            self._feeds[room_id].connections_gone(lost)


def _still_enters(room: Room, caller: Caller) -> bool:
    """Whom the gate let in may have been removed before the stream began: that event is in `room` and will not be told
    again; a block leaves a mark in `room`, too. Following was the gate's to ask; it counts until the next entry."""
    try:
        check_entry(room, caller.account_id, Ties(follows=True, followed=True))
    except Refusal:
        return False
    return True
