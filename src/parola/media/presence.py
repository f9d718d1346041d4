"""Who is connected here, as it is told to the web processes: each change once, and all of it only to who asks.

Invariant: what was told with a room's number is exactly what its pages say for that number. Numbers grow over the
process's whole life, so that none is ever taken for an older one.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

from parola.bus.messages import PresenceChanged, PresenceHeads, PresencePage, Present

PAGE = 2000
"""Connections in one message: some hundred KB, and some milliseconds to write."""


class PresenceBook:
    """Connections are named without the process's id; `came` and `went` may be called in any order and number."""

    def __init__(self, process_id: str) -> None:
        self._process_id = process_id
        self._number = 0
        self._rooms: dict[str, _Told] = {}
        self._changes: dict[str, dict[str, tuple[Present, bool] | None]] = {}

    def came(self, room_id: str, connection_id: str, account_id: str | None, speaks: bool) -> None:
        name = self._name(connection_id)
        self._changes.setdefault(room_id, {})[name] = ((name, account_id), speaks)

    def went(self, room_id: str, connection_id: str) -> None:
        self._changes.setdefault(room_id, {})[self._name(connection_id)] = None

    def changes(self) -> Iterator[PresenceChanged]:
        """What came about since the last time, one message for each room; a room whose pages are being told waits."""
        for room_id in [room_id for room_id in self._changes if not self._is_paged(room_id)]:
            told = self._rooms.get(room_id) or _Told()
            changes = self._changes.pop(room_id)
            came = [c for c in changes.values() if c is not None and not told.has(c[0][0], c[1])]
            left = [name for name, c in changes.items() if c is None and told.has(name)]
            if not came and not left:
                continue
            self._number += 1
            listeners, speakers = [p for p, speaks in came if not speaks], [p for p, speaks in came if speaks]
            yield PresenceChanged(
                self._process_id, room_id, told.number, self._number, listeners, speakers, left
            )
            told.change(self._number, listeners, speakers, left)
            if told.listeners or told.speakers:
                self._rooms[room_id] = told
            else:
                self._rooms.pop(room_id, None)

    def heads(self) -> PresenceHeads:
        numbers = {room_id: told.number for room_id, told in self._rooms.items()}
        return PresenceHeads(self._process_id, self._number, numbers)

    def pages(self, room_id: str) -> Generator[PresencePage]:
        """All of a room; until the last page is taken, or the iterator closed, nothing changes."""
        told = self._rooms.get(room_id)
        if told is None:
            yield PresencePage(self._process_id, room_id, self._number, 0, True, [], [])
            return
        told.paged += 1
        try:
            listeners, speakers = list(told.listeners.items()), list(told.speakers.items())
            for page, at in enumerate(range(0, max(1, len(listeners)), PAGE)):
                is_last = at + PAGE >= len(listeners)
                yield PresencePage(
                    self._process_id,
                    room_id,
                    told.number,
                    page,
                    is_last,
                    listeners[at : at + PAGE],
                    speakers if is_last else [],
                )
        finally:
            told.paged -= 1

    def _is_paged(self, room_id: str) -> bool:
        told = self._rooms.get(room_id)
        return told is not None and told.paged > 0

    def _name(self, connection_id: str) -> str:
        return connection_id.removeprefix(f"{self._process_id}.")


class _Told:
    """What others know of one room."""

    __slots__ = ("listeners", "number", "paged", "speakers")

    def __init__(self) -> None:
        self.number = 0
        self.listeners: dict[str, str | None] = {}
        self.speakers: dict[str, str | None] = {}
        self.paged = 0

    def has(self, name: str, speaks: bool | None = None) -> bool:
        if speaks is None:
            return name in self.listeners or name in self.speakers
        return name in (self.speakers if speaks else self.listeners)

    def change(self, number: int, listeners: list[Present], speakers: list[Present], left: list[str]) -> None:
        self.number = number
        self.listeners.update(listeners)
        self.speakers.update(speakers)
        for name in left:
            self.listeners.pop(name, None)
            self.speakers.pop(name, None)
