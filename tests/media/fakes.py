"""Stand-ins for what the media engine leans on: a projection moved by hand, a peer that only writes down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from parola.domain import rooms
from parola.domain.rooms import Access, Event, Room

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)

Listener = Callable[[Room, tuple[Event, ...], Room], None]


def live_room(*speakers: str, host: str = "host") -> Room:
    """A live room whose host has given the floor to `speakers`."""
    events = rooms.create("room", host, "A room", Access.OPEN, True, None, NOW)
    room = rooms.fold(None, events)
    for speaker in speakers:
        room = step(room, rooms.RaiseHand(speaker))
        room = step(room, rooms.Grant(host, speaker))
    return room


def step(room: Room, command: rooms.Command) -> Room:
    return rooms.fold(room, rooms.decide(room, command, NOW))


class FakeWatched:
    """A room's projection: `decide` carries out a command at once, as if its events had just arrived."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.owner: str | None = None
        self.epoch = 0
        self._listeners: list[Listener] = []

    def on_change(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def remove_listener(self, listener: Listener) -> None:
        self._listeners.remove(listener)

    async def catch_up(self, seq: int) -> None:
        assert self.room.seq >= seq, "a test has to decide before it settles"

    def decide(self, command: rooms.Command) -> int:
        """Carries out a command; the seq to settle."""
        before = self.room
        events = rooms.decide(before, command, NOW)
        self.room = rooms.fold(before, events)
        for listener in list(self._listeners):
            listener(before, events, self.room)
        return self.room.seq


@dataclass(eq=False)
class FakePeer:
    """A connected transport that keeps what it is given."""

    is_connected: bool = True
    packets: list[bytes] = field(default_factory=list)
    reports: list[bytes] = field(default_factory=list)
    reason: str | None = None
    on_close: Callable[[str], None] | None = None
    connected_at: float | None = 0.0
    family: str | None = "ipv4"
    dropped: Counter[str] = field(default_factory=Counter)

    class statistics:
        packets_in = packets_out = bytes_in = bytes_out = bad_packets = 0

    def send_rtp(self, packet: bytes) -> None:
        self.packets.append(packet)

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)

    def close(self, reason: str) -> None:
        if self.reason is None:
            self.reason, self.is_connected = reason, False
            if self.on_close is not None:
                self.on_close(reason)
