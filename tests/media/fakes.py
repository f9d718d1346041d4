"""Stand-ins for what the media engine leans on: a projection moved by hand, a peer that only writes down."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from parola.domain import rooms
from parola.domain.rooms import Access, Event, Room
from parola.media.fanout.layout import LARGEST_PAYLOAD, Members
from parola.rtp import rtcp
from parola.rtp.rtp import RtpPacket

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

    ssrc: int = 1

    class statistics:
        packets_in = bytes_in = bad_packets = 0

    @property
    def place(self) -> tuple[int, tuple[str, int]] | None:
        return (0, ("127.0.0.1", 9)) if self.is_connected else None

    def hand_over(self) -> FakePeer:
        """Whoever sends with these keys sends to this peer."""
        return self

    def send_rtcp(self, packet: bytes) -> None:
        self.reports.append(packet)

    def close(self, reason: str) -> None:
        if self.reason is None:
            self.reason, self.is_connected = reason, False
            if self.on_close is not None:
                self.on_close(reason)


@dataclass
class _Row:
    peer: FakePeer
    ssrc: int
    sequence: int
    stamp: int
    silent: bool = True
    last_tick: int = 0
    packets: int = 0
    octets: int = 0


class FakeSender:
    """Sends at once and in the clear, by the rules of `fanout.plain`."""

    def __init__(self) -> None:
        self.rows: dict[int, _Row] = {}
        self.flushes = 0

    def add(self, session: FakePeer, ssrc: int, first_sequence: int, first_timestamp: int) -> int:
        slot = max(self.rows, default=-1) + 1
        self.rows[slot] = _Row(session, ssrc, first_sequence, first_timestamp)
        return slot

    def move(self, slot: int, fd: int, address: tuple[str, int]) -> None: ...

    def remove(self, slot: int) -> None:
        del self.rows[slot]

    def send(
        self, members: Members, payload: bytes, payload_type: int, tick: int, frames: int, silent: bool
    ) -> None:
        assert len(payload) <= LARGEST_PAYLOAD
        for slot in map(int, members):
            row = self.rows[slot]
            if tick <= row.last_tick:
                continue
            stamp = (row.stamp + tick * 960) & 0xFFFFFFFF
            packet = RtpPacket(
                payload_type,
                row.silent and not silent,
                row.sequence & 0xFFFF,
                stamp,
                row.ssrc,
                payload=payload,
            )
            row.sequence += 1
            row.packets += 1
            row.octets += len(payload)
            row.silent, row.last_tick = silent, tick + frames - 1
            row.peer.packets.append(packet.to_bytes())

    def report(self, members: Members, tick: int, ntp: int, cname: str) -> None:
        for slot in map(int, members):
            row = self.rows[slot]
            stamp = (row.stamp + tick * 960) & 0xFFFFFFFF
            report = rtcp.SenderReport(row.ssrc, ntp, stamp, row.packets, row.octets)
            row.peer.reports.append(rtcp.encode(report, rtcp.Sdes(row.ssrc, cname)))

    def send_rtcp(self, slot: int, packet: bytes) -> None:
        self.rows[slot].peer.reports.append(packet)

    async def flush(self) -> None:
        self.flushes += 1

    def counts(self, slot: int) -> tuple[int, int]:
        return self.rows[slot].packets, self.rows[slot].octets
