"""Who is connected where, as the media processes tell it: passing knowledge, on which no right rests.

They tell each change once, with a number, and their numbers every five seconds; where one is missing, all of that room
is asked for again.
"""

from __future__ import annotations

import contextlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Container, Iterable

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import (
    Gone,
    MessageError,
    PresenceChanged,
    PresenceHeads,
    PresenceOrder,
    PresencePage,
)
from parola.domain.rooms import Room
from parola.services.presence import Lost, RoomPresence

SILENT_S = 20.0
"""Media processes say that they are there every five seconds."""

REMEMBERED_S = 30.0
"""Whoever follows the room anew within this time is told of the connections that were lost before."""
ALL_REMEMBERED_S = 10.0
"""Likewise where many are told no names: whoever comes later may well have connected anew already."""
_ASK_AGAIN_S = 1.0
_ROOMS_ASKED = 200
"""At once; the next numbers bring up the others."""

OnPresence = Callable[[str], None]
OnGone = Callable[[str, Lost], None]


class Audience:
    """`start` makes it listen. It calls back when a room's presence changes, or connections die with a process."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._pages_subject = subjects.presence_pages(secrets.token_urlsafe(8))
        self._heard_at: dict[str, float] = {}
        self._rooms: defaultdict[str, RoomPresence] = defaultdict(RoomPresence)
        self._pages: dict[tuple[str, str], list[PresencePage]] = {}
        self._missing: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._asked_at: dict[str, float] = {}
        self._lost: dict[str, list[Lost]] = {}
        self._on_change: list[OnPresence] = []
        self._on_gone: list[OnGone] = []
        self._on_process_gone: list[Callable[[str], None]] = []

    async def start(self) -> None:
        await self._bus.subscribe(subjects.PRESENCE, self._presence)
        await self._bus.subscribe(self._pages_subject, self._page)
        await self._bus.subscribe(subjects.MEDIA_GONE, self._gone)

    def on_change(self, callback: OnPresence) -> None:
        self._on_change.append(callback)

    def on_gone(self, callback: OnGone) -> None:
        self._on_gone.append(callback)

    def on_process_gone(self, callback: Callable[[str], None]) -> None:
        self._on_process_gone.append(callback)

    def count(self, room: Room) -> int:
        """Listening people without the floor: an account once, each guest's connection once."""
        here = self._rooms.get(room.id)
        return here.count(room) if here is not None else 0

    def some(self, room: Room, most: int) -> list[str]:
        """Accounts of the count, those first who came first."""
        here = self._rooms.get(room.id)
        return here.some(room, most) if here is not None else []

    def has(self, room_id: str, account_id: str | None) -> bool:
        """Whether somebody listens there; of guests nobody can say."""
        here = self._rooms.get(room_id)
        return here is not None and account_id is not None and here.has_listener(account_id)

    def connected_speakers(self, room_id: str) -> frozenset[str]:
        here = self._rooms.get(room_id)
        return here.connected_speakers if here is not None else frozenset()

    def is_here(self, room_id: str, account: str) -> bool:
        """Listening, or speaking."""
        here = self._rooms.get(room_id)
        return here is not None and here.is_here(account)

    def hears(self, process_ids: Iterable[str], within_s: float) -> bool:
        """Has each of them said lately who is connected, and is nothing missing of what they said?"""
        since = self._monotonic() - within_s
        return not any(self._missing.values()) and all(
            self._heard_at.get(process_id, float("-inf")) >= since for process_id in process_ids
        )

    def rooms(self) -> list[str]:
        """Where anybody is connected."""
        return list(self._rooms)

    def hearing(self, room_id: str) -> int:
        """Who hears without speaking: an account once, each guest's connection once."""
        here = self._rooms.get(room_id)
        return here.hearing if here is not None else 0

    def listens(self, room_id: str, connection_id: str, account_id: str | None) -> bool:
        """Whether this is a listener's connection to the room, and theirs."""
        here = self._rooms.get(room_id)
        return here is not None and here.listens(connection_id, account_id)

    def lost(self, room_id: str) -> list[Lost]:
        """Connections of a room that died with their processes not long ago."""
        now = self._monotonic()
        return [lost for lost in self._lost.get(room_id, ()) if _is_remembered(lost, now)]

    def forget_silent(self, alive: Container[str]) -> None:
        """Forgets processes that have said nothing for long and have no lease either: nobody told of their end. A
        database or a bus that is away makes only one of the two true."""
        now = self._monotonic()
        for process_id, heard_at in list(self._heard_at.items()):
            if now - heard_at > SILENT_S and process_id not in alive:
                self.forget(process_id)

    def forget(self, process_id: str) -> None:
        """A process is gone, with all its connections."""
        for books in (self._heard_at, self._asked_at, self._missing):
            books.pop(process_id, None)
        for callback in self._on_process_gone:
            callback(process_id)
        for room_id in [room_id for room_id, here in self._rooms.items() if process_id in here.through]:
            lost = Lost(self._monotonic(), self._rooms[room_id].forget(process_id))
            self._remember(room_id, lost)
            _tell(self._on_gone, room_id, lost)
            self._changed(room_id)

    def _remember(self, room_id: str, lost: Lost) -> None:
        for other, entries in list(self._lost.items()):
            self._lost[other] = [entry for entry in entries if _is_remembered(entry, lost.at)]
            if not self._lost[other]:
                del self._lost[other]
        self._lost.setdefault(room_id, []).append(lost)

    async def _presence(self, message: Message) -> None:
        with contextlib.suppress(MessageError):
            changed = PresenceChanged.from_bytes(message.data)
            self._heard_at[changed.process_id] = self._monotonic()
            await self._take(changed)
            return
        with contextlib.suppress(MessageError):
            heads = PresenceHeads.from_bytes(message.data)
            self._heard_at[heads.process_id] = self._monotonic()
            await self._compare(heads)

    async def _take(self, changed: PresenceChanged) -> None:
        here = self._rooms.get(changed.room_id)
        known = here.number(changed.process_id) if here is not None else 0
        if changed.number > known and changed.after == known:
            self._rooms[changed.room_id].change(changed)
            self._changed(changed.room_id)
        elif changed.number > known:
            self._missing[changed.process_id][changed.room_id] = None
            await self._ask(changed.process_id)

    async def _compare(self, heads: PresenceHeads) -> None:
        process_id = heads.process_id
        for room_id, here in list(self._rooms.items()):
            is_told = process_id in here.through and here.number(process_id) <= heads.number
            if is_told and room_id not in heads.rooms:
                here.forget(process_id)
                self._changed(room_id)
        for room_id, number in heads.rooms.items():
            known = self._rooms.get(room_id)
            if number > (known.number(process_id) if known is not None else 0):
                self._missing[process_id][room_id] = None
        if self._missing.get(process_id):
            await self._ask(process_id)

    async def _ask(self, process_id: str) -> None:
        """Not more than once a second: everything that is told meanwhile shows the same gap."""
        now = self._monotonic()
        if now - self._asked_at.get(process_id, float("-inf")) < _ASK_AGAIN_S:
            return
        self._asked_at[process_id] = now
        rooms = list(self._missing.pop(process_id, {}))[:_ROOMS_ASKED]
        order = PresenceOrder(rooms, self._pages_subject).to_bytes()
        with contextlib.suppress(BusUnavailable):
            await self._bus.publish(subjects.media(process_id, "presence"), order)

    async def _page(self, message: Message) -> None:
        try:
            page = PresencePage.from_bytes(message.data)
        except MessageError:
            return
        key = page.process_id, page.room_id
        pages = [*self._pages.pop(key, []), page] if page.page else [page]
        if [p.page for p in pages] != list(range(len(pages))) or len({p.number for p in pages}) > 1:
            return  # one of them was lost; the next numbers show it
        if not page.is_last:
            self._pages[key] = pages
            return
        here = self._rooms[page.room_id]
        if page.number >= here.number(page.process_id):
            listeners = [one for p in pages for one in p.listeners]
            here.replace(page.process_id, page.number, listeners, page.speakers)
        self._changed(page.room_id)

    def _changed(self, room_id: str) -> None:
        if not self._rooms[room_id].through:
            del self._rooms[room_id]
        _tell(self._on_change, room_id)

    async def _gone(self, message: Message) -> None:
        self.forget(Gone.from_bytes(message.data).process_id)


def _is_remembered(lost: Lost, now: float) -> bool:
    return now - lost.at <= (REMEMBERED_S if lost.is_small else ALL_REMEMBERED_S)


def _tell(callbacks: Iterable[Callable[..., None]], *arguments: object) -> None:
    for callback in callbacks:
        callback(*arguments)
