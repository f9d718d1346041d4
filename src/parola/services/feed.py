"""One room's events, written down once for everybody who has it open in this process.

Lasting events come from the room's projection and never get lost on the way; passing ones are collected and sent now
and then. Thousands are told in slices, so that the process answers others in between.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

import orjson
import structlog

from parola.bus import Bus, BusUnavailable, Message, Subscription, subjects
from parola.bus.messages import Levels, MessageError, Strayed
from parola.domain.people import is_deleted
from parola.domain.rooms import (
    Event,
    Lifecycle,
    PersonRemoved,
    PersonShutOut,
    PersonUninvited,
    Room,
    RoomEnded,
    Speaker,
    VisitEnded,
    type_name,
)
from parola.domain.rooms.events import PersonEvent
from parola.projection import Watched
from parola.services.audience import Audience
from parola.services.bell import Bell
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.pace import back_within_ms, passing_every_s
from parola.services.presence import Lost
from parola.services.readers import Reader, Told, event_text
from parola.services.remembered import Remembered
from parola.services.views import Views, on_stage, you
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

STREAMS_PER_SLICE = 200
"""Some milliseconds' worth of writing."""
MOST_REPLAYED = 500
_SHOWN_S = 1.0
"""Names in a snapshot are no older than this."""
_SPREAD = 50
"""So many different delays."""


class Feed:
    """`start` begins it, `stop` ends it. `streams` says how many there are in the whole process."""

    def __init__(
        self,
        watched: Watched,
        store: Store,
        bus: Bus,
        views: Views,
        audience: Audience,
        now: Clock,
        streams: Callable[[], int],
    ) -> None:
        self.watched = watched
        self.readers: set[Reader] = set()
        self._store = store
        self._bus = bus
        self._views = views
        self._audience = audience
        self._streams = streams
        self._bell = Bell(now, self._rang)
        self._warned: list[tuple[Speaker, int]] = []
        self._remembered = Remembered()
        self._shown: tuple[Room, int, frozenset[str], float, bytes] | None = None
        self._showing = asyncio.Lock()
        self._blockers: frozenset[str] | None = frozenset()
        """Who has blocked somebody on stage; None for too many."""
        self._batches: asyncio.Queue[tuple[Room, tuple[Event, ...]] | None] = asyncio.Queue()
        self._levels: dict[str, float] = {}
        self._told_count: int | None = None
        self._told_connected = audience.connected_speakers(watched.room.id)
        self._passing = asyncio.Event()
        self._stopped = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._subscription: Subscription | None = None
        watched.on_change(self._changed)
        self._bell.follow(watched.room)

    async def start(self) -> None:
        with contextlib.suppress(BusUnavailable):
            self._subscription = await self._bus.subscribe(
                subjects.room_passing(self.watched.room.id), self._passing_message
            )
        self._tasks = {asyncio.create_task(self._tell_lasting()), asyncio.create_task(self._tell_passing())}

    async def stop(self) -> None:
        self.watched.remove_listener(self._changed)
        self._bell.stop()
        # By a word and not by cancelling: a query that is cut off costs its connection.
        self._stopped.set()
        self._passing.set()
        self._batches.put_nowait(None)
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._subscription is not None:
            await self._subscription.unsubscribe()

    async def snapshot(self, caller: Caller) -> tuple[Room, bytes]:
        """Of which room, and the event. All but `you` is the same for everybody, and written down once. Raises
        StoreUnavailable."""
        async with self._showing:
            room, base = await self._base()
        mine = (
            base[:-1]
            + b',"you":'
            + orjson.dumps(you(room, caller, await self._is_warned(room, caller)))
            + b"}"
        )
        return room, event_text("snapshot", mine, room.seq)

    async def since(self, after: int, until: int) -> list[bytes] | None:
        """The lasting events `after` + 1 to `until`; None where they would not lead from what a reader has to what is
        shown now, since somebody in them goes by another handle. Raises StoreUnavailable."""
        now = asyncio.get_running_loop().time()
        texts = self._remembered.between(after, until, now)
        if texts is None:
            room = self.watched.room
            events = [e for e in await self._store.rooms.events_after(room.id, after) if e.seq <= until]
            rendered = await self._views.events(events)
            is_over = room.state is Lifecycle.ENDED
            if _name_deleted(rendered) or (is_over and await self._views.names_deleted(room)):
                return None
            told = self._written(room, events, rendered)
            if until == self.watched.room.seq:
                self._remembered.replace(told, now)
            texts = [one.text for one in told]
        return texts

    async def tell(self, told: Sequence[Told], first: Collection[str] = ()) -> None:
        """`first` are accounts that it concerns more than others."""
        readers = list(self.readers)
        if first:
            readers.sort(key=lambda reader: reader.account_id not in first)
        for at in range(0, len(readers), STREAMS_PER_SLICE):
            if at:
                await asyncio.sleep(0)
            for reader in readers[at : at + STREAMS_PER_SLICE]:
                for one in told:
                    reader.tell(one)

    def presence_changed(self) -> None:
        self._passing.set()

    def connections_gone(self, lost: Lost) -> None:
        task = asyncio.create_task(self._tell_lost(lost))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell_lost(self, lost: Lost) -> None:
        """Each reader one of several delays; of many connections, members are told of their own, and guests that it is
        all: thousands of names in each of thousands of streams would be a fault of its own."""
        within_ms = back_within_ms(len(lost))
        if lost.is_small:
            texts = [reconnect_text(list(lost.connections), within_ms) for _ in range(_SPREAD)]
        else:
            texts = [reconnect_text("all", within_ms) for _ in range(_SPREAD)]
        for i, reader in enumerate(list(self.readers)):
            if i % STREAMS_PER_SLICE == 0:
                await asyncio.sleep(0)
            named = lost.named_to(reader.account_id)
            if lost.is_small or named == "all":
                reader.tell(Told(texts[i % _SPREAD]))
            elif named:
                reader.tell(Told(reconnect_text(named, within_ms)))

    def forget(self) -> None:
        """Whatever has names in it that were said before now."""
        self._remembered = Remembered()
        self._shown = None

    def _end_all(self) -> None:
        for reader in list(self.readers):
            reader.end()

    def _changed(self, before: Room, events: tuple[Event, ...], after: Room) -> None:
        self._batches.put_nowait((after, events))
        self._bell.follow(after)

    def _rang(self, speaker: Speaker, left_s: int) -> None:
        self._warned.append((speaker, left_s))
        self._passing.set()

    async def _base(self) -> tuple[Room, bytes]:
        room, now = self.watched.room, asyncio.get_running_loop().time()
        count, connected = self._audience.count(room), self._audience.connected_speakers(room.id)
        if self._shown is None or self._shown[:3] != (room, count, connected) or now >= self._shown[3]:
            base = orjson.dumps(await self._views.shared(room))
            self._blockers = await self._store.relations.blockers_of(on_stage(room))
            self._shown = (room, count, connected, now + _SHOWN_S, base)
        return room, self._shown[4]

    async def _is_warned(self, room: Room, caller: Caller) -> bool:
        """Whoever has blocked somebody on stage; as old as the names are, and read for all of a crowd at once."""
        viewer, stage = caller.account_id, on_stage(room)
        if viewer is None or not stage:
            return False
        if self._blockers is not None and viewer not in self._blockers:
            return False
        return bool(await self._store.relations.blocked_among(viewer, stage))

    async def _passing_message(self, message: Message) -> None:
        with contextlib.suppress(MessageError):
            self._levels.update(Levels.from_bytes(message.data).levels)
            self._passing.set()
        with contextlib.suppress(MessageError):
            self._tell_stray(Strayed.from_bytes(message.data))

    def _tell_stray(self, strayed: Strayed) -> None:
        """It concerns one person's page, and that at once."""
        told = Told(reconnect_text([strayed.connection_id], within_ms=1))
        for reader in list(self.readers):
            if reader.account_id == strayed.account_id:
                reader.tell(told)

    async def _tell_lasting(self) -> None:
        while (batch := await self._batches.get()) is not None:
            room, events = batch
            try:
                rendered = await self._rendered(events)
                told = self._written(room, events, rendered)
            except Exception:
                # Nobody may be left with a gap: they come back, and get from SQL what they missed.
                _log.exception("feed.failed", room=room.id)
                self._end_all()
                continue
            if _name_deleted(rendered):
                # Told late, of somebody whom the readers know by a name that is no more: they come back for a snapshot.
                self.forget()
                self._end_all()
                continue
            now = asyncio.get_running_loop().time()
            for one in told:
                self._remembered.add(one, now)
            concerned = {event.account for event in events if isinstance(event, PersonEvent)}
            await self.tell(told, {room.host, *concerned})
            self._passing.set()

    def _written(self, room: Room, events: Iterable[Event], rendered: Iterable[dict[str, Any]]) -> list[Told]:
        return [
            Told(event_text(type_name(event), data, event.seq), event.seq, _ends(room, event))
            for event, data in zip(events, rendered, strict=True)
        ]

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
            pause = passing_every_s(len(self.readers), self._streams())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stopped.wait()

    async def _tell_what_passed(self) -> None:
        """All of it to each reader at once: a call of the kernel costs more than the bytes."""
        room, told = self.watched.room, list[Told]()
        count = self._audience.count(room)
        if count != self._told_count:
            self._told_count = count
            told.append(Told(event_text("audience", {"count": count})))
        connected = self._audience.connected_speakers(room.id)
        changed = connected ^ self._told_connected
        levels, self._levels = self._levels, {}
        warned, self._warned = self._warned, []
        wanted = {*changed, *levels, *(speaker.account for speaker, _ in warned)}
        handles = await self._views.handles(wanted) if wanted else {}
        for speaker, left_s in warned:
            if speaker.account in handles:
                turn = {"handle": handles[speaker.account], "left_s": left_s}
                told.append(Told(event_text("turn", turn)))
        for account_id in changed:
            if account_id in handles:
                presence = {"handle": handles[account_id], "connected": account_id in connected}
                told.append(Told(event_text("presence", presence)))
        self._told_connected = connected
        if levels:
            shown = {handles[a]: round(level, 2) for a, level in levels.items() if a in handles}
            told.append(Told(event_text("levels", shown), may_be_dropped=True))
        await self.tell(told)


def _name_deleted(rendered: Iterable[dict[str, Any]]) -> bool:
    return any(is_deleted(data.get("handle", "")) for data in rendered)


def _ends(room: Room, event: Event) -> frozenset[str] | None:
    if isinstance(event, RoomEnded):
        return frozenset()
    if isinstance(event, PersonRemoved | PersonShutOut | VisitEnded):
        return frozenset({event.account})
    if isinstance(event, PersonUninvited) and not room.access.asks_nobody:
        return frozenset({event.account})
    return None


def reconnect_text(connections: list[str] | str, within_ms: int) -> bytes:
    after_ms = random.randrange(within_ms)
    return event_text("reconnect", {"connections": connections, "after_ms": after_ms})
