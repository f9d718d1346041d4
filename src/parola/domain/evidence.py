"""A room's last minutes, kept so that a report can be looked into: what is kept, in which pieces, and until when.

Invariant: nothing older than MINUTES is in a ring, and a ring is empty AFTER_END_S after its room's end. What is
sealed lasts DAYS at most. Times are seconds of one clock that only goes forward, given by the caller.

A segment holds up to SEGMENT_TICKS of the room's program: records of `u16 ticks since the first, u16 number of the set
of talkers, u16 bytes` and an Opus packet each; then JSON that says what they are, and its length as u16.
"""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

MINUTES = 5
AFTER_END_S = 600
DAYS = 30
TICK_MS = 20
SEGMENT_TICKS = 200
"""Four seconds: so much at most lies open in memory."""
SEGMENT_S = SEGMENT_TICKS * TICK_MS / 1000
MOST_SEGMENTS = 450
"""Half an hour: a room that is reported again and again is not recorded by that."""

_RECORD = struct.Struct("!HHH")
_LENGTH = struct.Struct("!H")
_PIECE = struct.Struct("!QI")
_LARGEST = 40_960
_MOST_WORDS = 12_288
"""For the JSON at the end. Ids have 22 characters: more talkers or speakers than fit begin a new segment."""


class EvidenceError(ValueError):
    """Bytes that are not what they should be."""


def context(room_id: str, number: int) -> bytes:
    """What a sealed segment is bound to: it opens as no other room's, and in no other place."""
    return f"parola evidence 1\n{room_id}\n{number}".encode()


@dataclass(frozen=True, slots=True)
class Heard:
    """20 ms of the program: `at_ms` since 1970, `talkers` by account id."""

    at_ms: int
    talkers: tuple[str, ...]
    packet: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """`floor` are those who had the floor at some time of it; `number` orders the segments of one process."""

    room_id: str
    number: int
    floor: tuple[str, ...]
    heard: tuple[Heard, ...]

    @classmethod
    def parse(cls, data: bytes) -> Segment:
        """Raises EvidenceError."""
        try:
            (length,) = _LENGTH.unpack_from(data, len(data) - _LENGTH.size)
            end = len(data) - _LENGTH.size - length
            said = json.loads(data[end : len(data) - _LENGTH.size])
            heard, at = [], 0
            while at < end:
                ticks, chosen, size = _RECORD.unpack_from(data, at)
                at += _RECORD.size + size
                packet = data[at - size : at]
                heard.append(Heard(said["at_ms"] + ticks * TICK_MS, tuple(said["sets"][chosen]), packet))
            if at != end or said["version"] != 1:
                raise EvidenceError("not a segment of this version")
            return cls(said["room"], said["number"], tuple(said["floor"]), tuple(heard))
        except (struct.error, ValueError, KeyError, IndexError, TypeError) as error:
            raise EvidenceError(str(error)) from error


class Growing:
    """The segment that a room's program goes into now. `number` and `at_ms`, the time of tick `first`, come from the
    caller, and so does `began`, in seconds."""

    def __init__(self, room_id: str, number: int, first: int, at_ms: int, began: float) -> None:
        self.room_id = room_id
        self.number = number
        self.began = began
        self._first = first
        self._at_ms = at_ms
        self._buffer = bytearray(_LARGEST)
        self._used = 0
        self._sets: dict[tuple[str, ...], int] = {}
        self._floor: dict[str, None] = {}
        self._words = 200 + len(json.dumps(room_id))

    def add(self, tick: int, talkers: tuple[str, ...], packet: bytes) -> bool:
        """False where it is full: the caller closes it and begins another."""
        ticks = tick - self._first
        end = self._used + _RECORD.size + len(packet)
        if not 0 <= ticks < SEGMENT_TICKS or end > _LARGEST - _MOST_WORDS - _LENGTH.size:
            return False
        chosen = self._sets.get(talkers)
        if chosen is None:
            if not self._takes(talkers):
                return False
            chosen = self._sets[talkers] = len(self._sets)
        _RECORD.pack_into(self._buffer, self._used, ticks, chosen, len(packet))
        self._buffer[self._used + _RECORD.size : end] = packet
        self._used = end
        return True

    def had_floor(self, accounts: Iterable[str]) -> None:
        """What no longer fits in is left out: who talked is there all the same."""
        for account in accounts:
            if account not in self._floor and self._words < _MOST_WORDS // 2 and self._takes((account,)):
                self._floor[account] = None

    def closed(self) -> memoryview:
        """All of it, in the one place in memory where it lies; `wipe` is to follow."""
        said = {
            "version": 1,
            "room": self.room_id,
            "number": self.number,
            "at_ms": self._at_ms,
            "floor": list(self._floor),
            "sets": [list(talkers) for talkers in self._sets],
        }
        words = json.dumps(said, separators=(",", ":")).encode("ascii")
        end = self._used + len(words)
        self._buffer[self._used : end] = words
        _LENGTH.pack_into(self._buffer, end, len(words))
        return memoryview(self._buffer)[: end + _LENGTH.size]

    def wipe(self) -> None:
        self._buffer[:] = bytes(len(self._buffer))

    def _takes(self, accounts: Iterable[str]) -> bool:
        more = 3 + sum(len(json.dumps(account)) + 1 for account in accounts)
        if self._words + more > _MOST_WORDS:
            return False
        self._words += more
        return True


@dataclass(frozen=True, slots=True)
class Sealed:
    """An encrypted segment; `began` when its first sound was made."""

    number: int
    began: float
    data: bytes


class Ring:
    """The sealed segments of one room, the oldest first."""

    def __init__(self) -> None:
        self.segments: deque[Sealed] = deque()
        self.size = 0
        """Bytes."""
        self.ended_at: float | None = None

    def add(self, sealed: Sealed) -> None:
        self.segments.append(sealed)
        self.size += len(sealed.data)

    def end(self, now: float) -> None:
        """The room is over: what is there stays for a while, and nothing is added to its age."""
        if self.ended_at is None:
            self.ended_at = now

    def prune(self, now: float, after_s: float) -> int:
        """How many segments were too old; `after_s` as AFTER_END_S, or less."""
        if self.ended_at is not None and now >= self.ended_at + after_s:
            return self._drop(len(self.segments))
        horizon = (now if self.ended_at is None else min(now, self.ended_at)) - MINUTES * 60
        dropped = 0
        while self.segments and self.segments[0].began < horizon:
            dropped += self._drop(1)
        return dropped

    def drop_oldest(self) -> int:
        """How many bytes that made free."""
        before = self.size
        self._drop(1)
        return before - self.size

    def after(self, number: int, until: int, most_bytes: int) -> list[Sealed]:
        """The next segments behind `number`, up to `until`: at least one where there is one, else no more bytes."""
        found: list[Sealed] = []
        size = 0
        for segment in self.segments:
            if number < segment.number <= until:
                size += len(segment.data)
                if found and size > most_bytes:
                    break
                found.append(segment)
        return found

    def _drop(self, count: int) -> int:
        dropped = 0
        while self.segments and dropped < count:
            self.size -= len(self.segments.popleft().data)
            dropped += 1
        return dropped


@dataclass(frozen=True, slots=True)
class Span:
    """Somebody talks, from and to, in milliseconds since the beginning of the evidence."""

    account: str
    from_ms: int
    to_ms: int


def packed(pieces: Iterable[tuple[int, bytes]]) -> bytes:
    """Sealed segments with their numbers, as they are stored."""
    return b"".join(_PIECE.pack(number, len(data)) + data for number, data in pieces)


def unpacked(data: bytes) -> list[tuple[int, bytes]]:
    """Raises EvidenceError."""
    found, at = [], 0
    while at < len(data):
        try:
            number, size = _PIECE.unpack_from(data, at)
        except struct.error as error:
            raise EvidenceError("it was cut off") from error
        at += _PIECE.size + size
        if at > len(data):
            raise EvidenceError("it was cut off")
        found.append((number, data[at - size : at]))
    return found


def joined(before: list[tuple[int, bytes]], found: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """What one report holds when more is sealed for it: never more than MOST_SEGMENTS, of which the first stay."""
    had = set(before)
    return (before + [piece for piece in found if piece not in had])[:MOST_SEGMENTS]


PAUSE_MS = 600
"""A shorter pause of one talker is none."""
HOLE_MS = 60_000
"""When nothing is heard for longer, that is not sat through: a new part begins, after CUT_MS of silence."""
CUT_MS = 1000


@dataclass(frozen=True, slots=True)
class Part:
    """Runs from `from_ms` on, in milliseconds since the beginning of the evidence; `at_ms` is when that was."""

    from_ms: int
    at_ms: int


class Program:
    """What several segments hold together, perhaps of several processes, and sealed at several times."""

    def __init__(self, segments: Iterable[Segment]) -> None:
        heard = {one.at_ms // TICK_MS: one for segment in segments for one in segment.heard}
        self.parts: list[Part] = []
        self._heard: dict[int, Heard] = {}
        place, before = 0, None
        for step in sorted(heard):
            pause = step - before if before is not None else 0
            cut = pause > HOLE_MS // TICK_MS
            place += 1 + CUT_MS // TICK_MS if cut else pause
            if cut or before is None:
                self.parts.append(Part(place * TICK_MS, step * TICK_MS))
            self._heard[place] = heard[step]
            before = step
        self._steps = place + 1 if self._heard else 0

    @property
    def length_ms(self) -> int:
        return self._steps * TICK_MS

    def packets(self, silence: bytes) -> list[bytes]:
        """One for each 20 ms, `silence` where nothing was heard."""
        steps = range(self._steps)
        return [self._heard[step].packet if step in self._heard else silence for step in steps]

    def spans(self) -> list[Span]:
        """By their beginning."""
        found: list[Span] = []
        running: dict[str, tuple[int, int]] = {}
        for step, heard in self._heard.items():
            at = step * TICK_MS
            for account in heard.talkers:
                begin, end = running.get(account, (at, at))
                if at - end > PAUSE_MS:
                    found.append(Span(account, begin, end))
                    begin = at
                running[account] = begin, at + TICK_MS
        found += [Span(account, *times) for account, times in running.items()]
        return sorted(found, key=lambda span: (span.from_ms, span.account))
