"""What a media process keeps of the rooms it mixes, so that a report can be looked into: their last minutes, sealed.

Invariant: a tick only copies one packet into a buffer. It is sealed later, one segment to a turn of the loop, and
nobody opens it here from then on: this process has no private key. A fault in all this is counted, and no sound waits
for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from parola.domain.evidence import SEGMENT_S, TICK_MS, Growing, Ring, Sealed, context
from parola.domain.rooms import Room
from parola.rtp.hpke import PublicKey

_log = structlog.get_logger(__name__)

MOST_BYTES = 512 << 20
"""Of all rooms of a process; 5 minutes of one are 1.5 MB. Beyond it the oldest goes first."""
PART_BYTES = 128 << 10
"""Of one answer: far less than the bus carries, and little to do at once."""
MAINTAINED_EVERY_S = 0.5
_ROOMS_A_TURN = 100


class Keeping:
    """`unix_at_0` is the wall clock at second 0 of `monotonic`; `after_s` how long a room's ring outlives it."""

    def __init__(
        self,
        public: PublicKey,
        monotonic: Callable[[], float],
        unix_at_0: float,
        after_s: float,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        self.size = 0
        """Bytes in all rings."""
        self.failed = 0
        self.dropped = 0
        """Segments that went before their time, for want of memory."""
        self._public = public
        self._monotonic = monotonic
        self._at_0_ms = round(unix_at_0 * 1000)
        self._after_s = after_s
        self._most_bytes = most_bytes
        self._rings: dict[str, Ring] = {}
        self._growing: dict[str, Growing] = {}
        self._closed: deque[Growing] = deque()
        self._wake = asyncio.Event()
        self._number = 0

    @property
    def rooms(self) -> int:
        return len(self._rings.keys() | self._growing.keys())

    def open(self, room_id: str) -> Kept:
        """For the owner of a room. One that comes back to this process goes on where it was."""
        return Kept(self, room_id)

    async def run(self) -> None:
        """Seals what is closed, until it is cancelled."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._closed:
                    self._seal(self._closed.popleft())
                    await asyncio.sleep(0)
        finally:
            self.forget_all()

    def add(self, room: Room, tick: int, now: float, talkers: tuple[str, ...], packet: bytes) -> None:
        growing = self._growing.get(room.id)
        if growing is None or not growing.add(tick, talkers, packet):
            self._close(room.id)
            self._number += 1
            at_ms = self._at_0_ms + tick * TICK_MS
            growing = self._growing[room.id] = Growing(room.id, self._number, tick, at_ms, now)
            growing.add(tick, talkers, packet)
            growing.had_floor(speaker.account for speaker in room.speakers)

    def floor_changed(self, room: Room) -> None:
        growing = self._growing.get(room.id)
        if growing is not None:
            growing.had_floor(speaker.account for speaker in room.speakers)

    def end(self, room_id: str) -> None:
        self._close(room_id)
        if room_id in self._rings or any(growing.room_id == room_id for growing in self._closed):
            self._rings.setdefault(room_id, Ring()).end(self._monotonic())

    def part(self, room_id: str, after: int, until: int | None) -> tuple[list[Sealed], int]:
        """The next segments of a room behind number `after`, and the number to ask up to: what is there as of the first
        question, which has no `until`."""
        if until is None:
            self._close(room_id)
            mine = [growing for growing in self._closed if growing.room_id == room_id]
            for growing in mine:
                self._closed.remove(growing)
                self._seal(growing)
        ring = self._rings.get(room_id)
        if ring is None:
            return [], 0
        self._prune(room_id, ring)
        last = ring.segments[-1].number if ring.segments and until is None else until or 0
        return ring.after(after, last, PART_BYTES), last

    async def maintain(self) -> None:
        """Closes what is old enough, and forgets what is too old."""
        now = self._monotonic()
        for room_id in [id for id, growing in self._growing.items() if now - growing.began >= SEGMENT_S]:
            self._close(room_id)
        for count, (room_id, ring) in enumerate(list(self._rings.items()), 1):
            if self._rings.get(room_id) is ring:
                self._prune(room_id, ring)
            if count % _ROOMS_A_TURN == 0:
                await asyncio.sleep(0)

    def forget_all(self) -> None:
        for growing in (*self._growing.values(), *self._closed):
            growing.wipe()
        self._growing.clear()
        self._closed.clear()
        self._rings.clear()
        self.size = 0

    def _close(self, room_id: str) -> None:
        growing = self._growing.pop(room_id, None)
        if growing is not None:
            self._closed.append(growing)
            self._wake.set()

    def _seal(self, growing: Growing) -> None:
        try:
            data = self._public.seal(growing.closed(), context(growing.room_id, growing.number))
            self._store(growing, data)
        except Exception:
            self.failed += 1
            _log.exception("evidence.not_sealed", room=growing.room_id)
        finally:
            growing.wipe()

    def _store(self, growing: Growing, data: bytes) -> None:
        ring = self._rings.setdefault(growing.room_id, Ring())
        ring.add(Sealed(growing.number, growing.began, data))
        self.size += len(data)
        while self.size > self._most_bytes:
            self._make_room()

    def _prune(self, room_id: str, ring: Ring) -> None:
        before = ring.size
        ring.prune(self._monotonic(), self._after_s)
        self.size -= before - ring.size
        if not ring.segments and not any(growing.room_id == room_id for growing in self._closed):
            del self._rings[room_id]

    def _make_room(self) -> None:
        held = [ring for ring in self._rings.values() if ring.segments]
        oldest = min(held, key=lambda ring: ring.segments[0].began)
        if not self.dropped:
            _log.warning("evidence.memory_full", bytes=self.size)
        self.size -= oldest.drop_oldest()
        self.dropped += 1


class Kept:
    """One room, as its owner tells of it. Nothing here raises."""

    def __init__(self, keeping: Keeping, room_id: str) -> None:
        self._keeping = keeping
        self._room_id = room_id
        self._has_failed = False

    def heard(self, room: Room, tick: int, now: float, talkers: tuple[str, ...], packet: bytes) -> None:
        """One tick of the program."""
        try:
            self._keeping.add(room, tick, now, talkers, packet)
        except Exception:
            self._failed()

    def floor_changed(self, room: Room) -> None:
        try:
            self._keeping.floor_changed(room)
        except Exception:
            self._failed()

    def ended(self) -> None:
        try:
            self._keeping.end(self._room_id)
        except Exception:
            self._failed()

    def _failed(self) -> None:
        self._keeping.failed += 1
        if not self._has_failed:  # else it would be said fifty times a second
            self._has_failed = True
            _log.exception("evidence.not_kept", room=self._room_id)
