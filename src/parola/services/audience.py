"""Who is connected where, as the media processes tell it: passing knowledge, on which no right rests."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from parola.bus import Bus, Message, subjects
from parola.bus.messages import Gone, MessageError, Presence
from parola.domain.rooms import Room

SILENT_S = 20.0
"""Media processes say who is connected at least every five seconds."""

REMEMBERED_S = 30.0
"""Whoever follows the room anew within this time is told of the connections that were lost before."""

OnPresence = Callable[[str], None]
OnGone = Callable[[str, list[str]], None]


class Audience:
    """`start` makes it listen. It calls back when a room's presence changes, or connections die with a process."""

    def __init__(self, bus: Bus, monotonic: Callable[[], float]) -> None:
        self._bus = bus
        self._monotonic = monotonic
        self._heard_at: dict[str, float] = {}
        self._rooms: dict[str, dict[str, Presence]] = {}
        self._lost: dict[str, list[tuple[float, str]]] = {}
        self._on_change: list[OnPresence] = []
        self._on_gone: list[OnGone] = []
        self._on_process_gone: list[Callable[[str], None]] = []

    async def start(self) -> None:
        await self._bus.subscribe(subjects.PRESENCE, self._presence)
        await self._bus.subscribe(subjects.MEDIA_GONE, self._gone)

    def on_change(self, callback: OnPresence) -> None:
        self._on_change.append(callback)

    def on_gone(self, callback: OnGone) -> None:
        self._on_gone.append(callback)

    def on_process_gone(self, callback: Callable[[str], None]) -> None:
        self._on_process_gone.append(callback)

    def count(self, room: Room) -> int:
        """Listening people without the floor: an account once, each guest's connection once."""
        accounts: set[str] = set()
        guests = 0
        for presence in self._rooms.get(room.id, {}).values():
            for listener in presence.listeners:
                if listener.account_id is None:
                    guests += 1
                else:
                    accounts.add(listener.account_id)
        return guests + len(accounts - {s.account for s in room.speakers})

    def connected_speakers(self, room_id: str) -> frozenset[str]:
        here = self._rooms.get(room_id, {}).values()
        return frozenset(speaker.account_id for presence in here for speaker in presence.speakers)

    def lost(self, room_id: str) -> list[str]:
        """Connections of a room that died with their process not long ago."""
        since = self._monotonic() - REMEMBERED_S
        return [connection_id for at, connection_id in self._lost.get(room_id, ()) if at >= since]

    def forget_silent(self, alive: Container[str]) -> None:
        """Forgets processes that have said nothing for long and have no lease either: nobody told of their end. A
        database or a bus that is away makes only one of the two true."""
        now = self._monotonic()
        for process_id, heard_at in list(self._heard_at.items()):
            if now - heard_at > SILENT_S and process_id not in alive:
                self.forget(process_id)

    def forget(self, process_id: str) -> None:
        """A process is gone, with all its connections."""
        self._heard_at.pop(process_id, None)
        for callback in self._on_process_gone:
            callback(process_id)
        for room_id, processes in list(self._rooms.items()):
            presence = processes.pop(process_id, None)
            if presence is None:
                continue
            if not processes:
                del self._rooms[room_id]
            lost = [x.connection_id for x in presence.listeners] + [
                x.connection_id for x in presence.speakers
            ]
            self._remember(room_id, lost)
            _tell(self._on_gone, room_id, lost)
            _tell(self._on_change, room_id)

    def _remember(self, room_id: str, lost: Iterable[str]) -> None:
        now = self._monotonic()
        for other, entries in list(self._lost.items()):
            self._lost[other] = [entry for entry in entries if now - entry[0] <= REMEMBERED_S]
            if not self._lost[other]:
                del self._lost[other]
        self._lost.setdefault(room_id, []).extend((now, connection_id) for connection_id in lost)

    async def _presence(self, message: Message) -> None:
        try:
            presence = Presence.from_bytes(message.data)
        except MessageError:
            return
        self._heard_at[presence.process_id] = self._monotonic()
        processes = self._rooms.setdefault(presence.room_id, {})
        if processes.get(presence.process_id) == presence:
            return
        processes[presence.process_id] = presence
        if not presence.listeners and not presence.speakers:
            del processes[presence.process_id]
        if not processes:
            del self._rooms[presence.room_id]
        _tell(self._on_change, presence.room_id)

    async def _gone(self, message: Message) -> None:
        self.forget(Gone.from_bytes(message.data).process_id)


def _tell(callbacks: Iterable[Callable[..., None]], *arguments: object) -> None:
    for callback in callbacks:
        callback(*arguments)
