"""The jitter buffer: packets go in as they come, sound comes out evenly, with as little delay as the network allows.

It works on timestamps alone; sequence numbers only tell a pause of the sender (the next packet follows the last one,
but its timestamp has jumped: discontinuous transmission) from packets that were lost on the way. When it runs empty it
holds its place, so that what comes late is still played and the delay has grown by itself; when more waits than the
measured jitter asks for, a frame is left out, a small one if there is any.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from parola.rtp import opus

RATE = 48_000
FRAME = 960
_LONGEST_HOLD = 5
"""Frames that are concealed while nothing comes; after 100 ms the sender is taken to be silent."""
_LARGEST_GAP = 10
"""Lost frames in a row that are concealed one by one; a larger hole is jumped over."""
_RESET_JUMP = 5 * RATE
_MOST_PACKETS = 60
_WINDOW = 100
"""Packets over which jitter is measured: two seconds at 20 ms."""
_SHRINK_EVERY_S = 0.5
_SHRINK_AT_ANY_PRICE_S = 2.0


@dataclass(frozen=True, slots=True)
class Play:
    """Decode this."""

    payload: bytes
    samples: int


@dataclass(frozen=True, slots=True)
class Fec:
    """Missing; the packet after it may hold a coarse copy (RFC 6716, section 2.1.7)."""

    payload: bytes
    samples: int


@dataclass(frozen=True, slots=True)
class Lost:
    """Missing: conceal it."""

    samples: int


@dataclass(frozen=True, slots=True)
class Idle:
    """The sender is silent, or has not begun."""

    samples: int


Playout = Play | Fec | Lost | Idle


@dataclass(slots=True)
class JitterStatistics:
    """Counted in packets, except `delay_s`, the target delay of now."""

    late: int = 0
    duplicate: int = 0
    lost: int = 0
    dropped: int = 0
    delay_s: float = 0.0


@dataclass(slots=True)
class _Entry:
    payload: bytes
    samples: int
    sequence: int | None
    arrival: float


class JitterBuffer:
    """Times are monotonic seconds. `pull` is to be called as often as 20 ms of sound are wanted."""

    def __init__(self, min_delay_ms: float = 20, max_delay_ms: float = 200) -> None:
        self.statistics = JitterStatistics(delay_s=min_delay_ms / 1000)
        self._min_delay = min_delay_ms / 1000
        self._max_delay = max_delay_ms / 1000
        self._entries: dict[int, _Entry] = {}
        self._newest: int | None = None
        """The highest timestamp so far, unwrapped."""
        self._next: int | None = None
        """The timestamp that is played next; None before the first and after a pause."""
        self._played_to: int | None = None
        self._last_sequence: int | None = None
        self._held = 0
        self._gap = 0
        self._transits: deque[float] = deque(maxlen=_WINDOW)
        self._least_waiting = float("inf")
        self._least_since: float | None = None
        self._excess_since: float | None = None

    def insert(self, timestamp: int, payload: bytes, arrival: float, sequence: int | None) -> None:
        """One Opus packet; `sequence` is None for a redundant copy of an earlier one. Raises OpusError."""
        samples = opus.duration(payload)
        at = self._unwrap(timestamp)
        if self._newest is not None and abs(at - self._newest) > _RESET_JUMP:
            self._reset()
            at = timestamp
        if sequence is not None:
            self._measure(at, arrival)
        if self._played_to is not None and at < self._played_to:
            self.statistics.late += sequence is not None
            return
        if at in self._entries:
            known = self._entries[at]
            known.sequence = sequence if known.sequence is None else known.sequence
            self.statistics.duplicate += sequence is not None
            return
        self._entries[at] = _Entry(payload, samples, sequence, arrival)
        self._newest = at if self._newest is None else max(at, self._newest)
        if len(self._entries) > _MOST_PACKETS:
            self._skip_to(sorted(self._entries)[len(self._entries) // 2])

    def pull(self, now: float) -> Playout:
        """What to play next."""
        if self._next is None:
            return self._begin(now)
        entry = self._entries.pop(self._next, None)
        if entry is None:
            return self._missing(now)
        self._held = self._gap = 0
        self._next += entry.samples
        self._played_to = self._next
        self._last_sequence = entry.sequence if entry.sequence is not None else self._after_copy()
        self._shrink(now)
        return Play(entry.payload, entry.samples)

    def _begin(self, now: float) -> Playout:
        """Waits until the first packet is as old as the delay: those after it may be as late."""
        if not self._entries:
            return Idle(FRAME)
        first = min(self._entries)
        if now - self._entries[first].arrival < self.statistics.delay_s:
            return Idle(FRAME)
        self._next = first
        self._least_waiting, self._least_since, self._excess_since = float("inf"), None, None
        return self.pull(now)

    def _missing(self, now: float) -> Playout:
        assert self._next is not None
        if not self._entries:
            self._held += 1
            if self._held > _LONGEST_HOLD:
                self._next, self._held = None, 0
                return Idle(FRAME)
            return Lost(FRAME)
        following = min(self._entries)
        entry = self._entries[following]
        paused = self._last_sequence is not None and entry.sequence == (self._last_sequence + 1) & 0xFFFF
        if paused or following - self._next > _LARGEST_GAP * FRAME or self._gap >= _LARGEST_GAP:
            self._next, self._gap = None, 0
            return self._begin(now)
        samples = min(FRAME, following - self._next)
        self._gap += 1
        self.statistics.lost += 1
        self._next += samples
        self._played_to = self._next
        self._last_sequence = self._after_copy()
        if following == self._next:
            return Fec(entry.payload, samples)
        return Lost(samples)

    def _after_copy(self) -> int | None:
        """One packet on from the last whose number is known, as no more than one frame has passed."""
        return None if self._last_sequence is None else (self._last_sequence + 1) & 0xFFFF

    def _shrink(self, now: float) -> None:
        """Leaves a frame out where, for half a second, more has waited than the jitter asks for."""
        assert self._next is not None
        waiting = (self._newest + FRAME - self._next) / RATE if self._newest is not None else 0.0
        self._least_waiting = min(self._least_waiting, waiting)
        self._least_since = now if self._least_since is None else self._least_since
        if now - self._least_since < _SHRINK_EVERY_S:
            return
        excess = self._least_waiting > self.statistics.delay_s + FRAME / RATE
        self._excess_since = (self._excess_since or self._least_since) if excess else None
        self._least_waiting, self._least_since = waiting, now
        if self._excess_since is None:
            return
        entry = self._entries.get(self._next)
        small = entry is not None and len(entry.payload) <= self._typical_size() // 2
        if entry is not None and (small or now - self._excess_since > _SHRINK_AT_ANY_PRICE_S):
            del self._entries[self._next]
            self._last_sequence = entry.sequence if entry.sequence is not None else self._after_copy()
            self._next += entry.samples
            self._played_to = self._next
            self._excess_since = None
            self.statistics.dropped += 1

    def _typical_size(self) -> int:
        sizes = sorted(len(e.payload) for e in self._entries.values())
        return sizes[-1] if sizes else 0

    def _measure(self, at: int, arrival: float) -> None:
        """The spread of transit times over the last packets, most of it: a single outlier is not worth a delay."""
        self._transits.append(arrival - at / RATE)
        if len(self._transits) < 5:
            return
        transits = sorted(self._transits)
        spread = transits[int(0.97 * (len(transits) - 1))] - transits[0]
        self.statistics.delay_s = min(self._max_delay, max(self._min_delay, spread + 0.005))

    def _skip_to(self, at: int) -> None:
        dropped = [t for t in self._entries if t < at]
        for timestamp in dropped:
            del self._entries[timestamp]
        self.statistics.dropped += len(dropped)
        self._next = self._played_to = at
        self._last_sequence = None

    def _unwrap(self, timestamp: int) -> int:
        if self._newest is None:
            return timestamp
        return self._newest + ((timestamp - self._newest + (1 << 31)) % (1 << 32)) - (1 << 31)

    def _reset(self) -> None:
        self._entries.clear()
        self._transits.clear()
        self._newest = self._next = self._played_to = self._last_sequence = None
        self._held = self._gap = 0
