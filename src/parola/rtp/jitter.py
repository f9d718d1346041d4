"""The jitter buffer: packets go in as they come, sound comes out evenly, with as little delay as the network allows.

One quantity governs it: the delay of a packet, which is how much later it is played than the fastest of the latest
packets would have allowed (now − timestamp − least transit time). It does not depend on when that one packet came, and
it follows the drift of the sender's clock by itself. The delay is kept within a frame and a little above a target:
what the measured jitter asks for, and, where packets get lost, time for the next packet with its FEC for the lost one.

Invariant: what was played is never played again, and timestamps only go forward until the stream begins anew.
Sequence numbers merely tell a pause of the sender (the next packet follows the last one, but its timestamp has jumped:
discontinuous transmission) from packets that were lost on the way.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from dataclasses import dataclass

from parola.rtp import opus

RATE = 48_000
FRAME = 960
_FRAME_S = FRAME / RATE
_STEP = 120
"""2.5 ms: what a decoder conceals comes in multiples of it."""
_LONGEST_HOLD = 5
"""Frames that are concealed while nothing comes; after 100 ms the sender is taken to be silent."""
_LARGEST_GAP = 10 * FRAME
"""A larger hole is jumped over."""
_MOST_PACKETS = 100
_LONGEST = RATE
_STRANGE_S = 1.0
"""A packet whose transit time differs so much from the last one's belongs to another stream, or is a stray."""
_WINDOW = 100
_WINDOW_S = 5.0
_MARGIN_S = 0.005
_LOSSY_S = 10.0
_SLACK_S = 0.010
_HOPELESS_S = 0.2
"""Who is so much above the target is not brought back frame by frame, but at once."""
_SHRINK_QUIET_S = 0.3
_SHRINK_SOON_S = 1.0
_SHRINK_S = 3.0
"""How long the delay may be too large before a frame is left out: a quiet one, one of many, any."""
_QUIET_SIZE = 0.6


@dataclass(frozen=True, slots=True)
class Play:
    """Decode this."""

    payload: bytes
    samples: int


@dataclass(frozen=True, slots=True)
class Fec:
    """Missing; the packet after it, `payload`, may hold a coarse copy (RFC 6716, section 2.1.7)."""

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
class JitterStats:
    """Counts, except for `target_s` and `delay_s` (seconds; the latter of the packet played last)."""

    late: int = 0
    """Packets that came when their time was over, or a second time."""
    duplicate: int = 0
    lost: int = 0
    """Holes that were concealed."""
    held: int = 0
    """Frames concealed while nothing was there to play."""
    dropped: int = 0
    """Frames left out because too much waited."""
    stretched: int = 0
    """Frames put in because too little waited."""
    resets: int = 0
    target_s: float = 0.0
    delay_s: float = 0.0


@dataclass(slots=True)
class _Entry:
    payload: bytes
    samples: int
    sequence: int | None


class JitterBuffer:
    """Times are monotonic seconds. `pull` is to be called as often as 20 ms of sound are wanted."""

    def __init__(self, min_delay_ms: float = 20, max_delay_ms: float = 200) -> None:
        self.stats = JitterStats(target_s=min_delay_ms / 1000)
        self._min_delay = min_delay_ms / 1000
        self._max_delay = max_delay_ms / 1000
        self._entries: dict[int, _Entry] = {}
        """By unwrapped timestamp."""
        self._newest: int | None = None
        self._next: int | None = None
        """The timestamp that is played next; None before the first packet and in a pause."""
        self._played_to: int | None = None
        self._last_sequence: int | None = None
        self._last_samples = FRAME
        self._last_was_dtx = False
        self._concealed = 0
        self._held = 0
        self._transits: deque[tuple[float, float]] = deque()
        self._ordered: list[float] = []
        self._fastest = 0.0
        self._stray: float | None = None
        self._lossy_until = float("-inf")
        self._usual_size = 0.0
        self._excess_since: float | None = None

    def insert(self, timestamp: int, payload: bytes, arrival: float, sequence: int | None) -> None:
        """One Opus packet; `sequence` is None for a redundant copy of an earlier one. Raises OpusError."""
        samples = opus.duration(payload)
        at = self._unwrap(timestamp)
        if sequence is not None:
            if not self._belongs(at, arrival):
                return
            at = self._unwrap(timestamp)
            self._measure(at, samples, arrival)
        elif not self._transits:
            self._fastest = arrival - at / RATE
        is_over = self._played_to is not None and at + samples <= self._played_to
        # Copies may be of any time before; the newest packet need not be here any more.
        if is_over or (self._newest is not None and self._newest - at > _LONGEST):
            self.stats.late += sequence is not None
            return
        known = self._entries.get(at)
        if known is not None:
            self.stats.duplicate += sequence is not None and known.sequence is not None
            known.sequence = sequence if known.sequence is None else known.sequence
            return
        self._entries[at] = _Entry(payload, samples, sequence)
        self._newest = at if self._newest is None else max(at, self._newest)
        self._bound()

    def pull(self, now: float) -> Playout:
        """What to play next: at least 2.5 ms, at most one packet."""
        if self._next is None:
            return self._begin(now)
        for at in [at for at, entry in self._entries.items() if at + entry.samples <= self._next]:
            del self._entries[at]
        if not self._entries:
            return self._starve()
        self._catch_up(self._next, now)
        following = min(self._entries)
        if following > self._next:
            return self._fill(following, now)
        return self._play(following, now)

    def clear(self) -> None:
        """Forgets all sound, so that the next packet begins anew; keeps what was learnt of the network."""
        self._entries.clear()
        self._next = self._played_to = self._last_sequence = None
        self._last_was_dtx = False
        self._held = self._concealed = 0

    def _begin(self, now: float) -> Playout:
        """Waits until the first packet has its delay: those after it may be slower."""
        if not self._entries:
            return Idle(FRAME)
        first = min(self._entries)
        if self._delay(first, now) < self.stats.target_s - 1e-6:
            return Idle(FRAME)
        self._next = first
        self._last_sequence, self._last_was_dtx = None, False
        self._held = self._concealed = 0
        self._excess_since = None
        return self.pull(now)

    def _play(self, at: int, now: float) -> Playout:
        entry = self._entries[at]
        delay = self._delay(at, now)
        is_quiet = len(entry.payload) <= _QUIET_SIZE * self._usual_size
        if is_quiet and delay < self.stats.target_s - _SLACK_S:
            self.stats.stretched += 1
            return Lost(FRAME)
        if self._is_excessive(delay, now, is_quiet) and at + entry.samples in self._entries:
            self._pass(at)
            self.stats.dropped += 1
            at += entry.samples
            entry = self._entries[at]
            delay = self._delay(at, now)
        self._pass(at)
        self._usual_size += (len(entry.payload) - self._usual_size) / 50
        self.stats.delay_s = delay
        return Play(entry.payload, entry.samples)

    def _pass(self, at: int) -> None:
        """Takes a packet out; its end is where to go on."""
        entry = self._entries.pop(at)
        self._next = self._played_to = at + entry.samples
        if entry.sequence is not None:
            self._last_sequence = entry.sequence
        elif self._last_sequence is not None:
            self._last_sequence = (self._last_sequence + 1 + self._concealed // self._last_samples) & 0xFFFF
        self._last_samples = entry.samples
        self._last_was_dtx = opus.is_dtx(entry.payload)
        self._held = self._concealed = 0

    def _starve(self) -> Playout:
        """Nothing is there: the place is held, so that what is only late will still be played, with more delay."""
        self._held += 1
        if self._last_was_dtx or self._held > _LONGEST_HOLD:
            self._next, self._held = None, 0
            return Idle(FRAME)
        self.stats.held += 1
        return Lost(FRAME)

    def _fill(self, following: int, now: float) -> Playout:
        """A hole before the next packet."""
        assert self._next is not None
        entry = self._entries[following]
        gap = following - self._next
        if self._is_pause(entry, gap):
            self._next = None
            return self._begin(now)
        self._lossy_until = now + _LOSSY_S
        # What was concealed while nothing was there did fill this hole, unless more delay is wanted anyway.
        while (
            self._held
            and self._next < following
            and self._delay(self._next, now) - _FRAME_S >= self.stats.target_s
        ):
            self._conceal(FRAME)
            self._held -= 1
        self._held = 0
        if following <= self._next:
            return self._play(following, now)
        if self._delay(self._next, now) < self.stats.target_s - _SLACK_S:
            self.stats.stretched += 1  # what is missing may only be late: wait for it
            return Lost(FRAME)
        gap = following - self._next
        samples = min(-(-gap // _STEP) * _STEP, max(FRAME, entry.samples))
        self._conceal(samples)
        if following <= self._next and not opus.is_dtx(entry.payload):
            return Fec(entry.payload, samples)
        return Lost(samples)

    def _conceal(self, samples: int) -> None:
        assert self._next is not None
        self._next += samples
        self._played_to = self._next
        self._concealed += samples
        self.stats.lost += 1

    def _is_pause(self, entry: _Entry, gap: int) -> bool:
        """The sender was silent: every packet between is accounted for, or it said so, or the hole is too large."""
        if self._last_was_dtx or gap > _LARGEST_GAP:
            return True
        if self._last_sequence is None or entry.sequence is None:
            return False
        missing = (entry.sequence - self._last_sequence - 1) & 0xFFFF
        return self._concealed >= missing * self._last_samples

    def _is_excessive(self, delay: float, now: float, is_quiet: bool) -> bool:
        """Whether to leave a frame out: the delay has been too large for a while, less if this one is hardly heard."""
        if delay <= self.stats.target_s + _FRAME_S + _SLACK_S:
            self._excess_since = None
            return False
        if self._excess_since is None:
            self._excess_since = now
        patience = _SHRINK_SOON_S if delay > self.stats.target_s + 3 * _FRAME_S else _SHRINK_S
        if now - self._excess_since < (_SHRINK_QUIET_S if is_quiet else patience):
            return False
        self._excess_since = now
        return True

    def _catch_up(self, at: int, now: float) -> None:
        """After a stall of the network, or of whoever pulls."""
        if self._delay(max(at, min(self._entries)), now) <= self.stats.target_s + _HOPELESS_S:
            return
        fitting = [t for t in self._entries if self._delay(t, now) <= self.stats.target_s + _FRAME_S]
        go_on = min(fitting) if fitting else max(self._entries)
        for old in [t for t in self._entries if t < go_on]:
            del self._entries[old]
            self.stats.dropped += 1
        self._next = self._played_to = go_on
        self._last_sequence = None
        self._held = self._concealed = 0

    def _delay(self, at: int, now: float) -> float:
        return now - at / RATE - self._fastest

    def _measure(self, at: int, samples: int, arrival: float) -> None:
        """The target from the spread of transit times, but for the slowest in a hundred: an outlier or two are not
        worth a delay for all."""
        transits, ordered = self._transits, self._ordered
        while transits and (len(transits) == _WINDOW or arrival - transits[0][0] > _WINDOW_S):
            del ordered[bisect_left(ordered, transits.popleft()[1])]
        transits.append((arrival, arrival - at / RATE))
        insort(ordered, transits[-1][1])
        self._fastest = ordered[0]
        needed = ordered[int(0.98 * (len(ordered) - 1))] - ordered[0] + _MARGIN_S
        if arrival < self._lossy_until:
            needed += samples / RATE
        self.stats.target_s = min(self._max_delay, max(self._min_delay, needed))

    def _belongs(self, at: int, arrival: float) -> bool:
        """Two packets in a row that agree with each other, but not with the stream, begin a new one."""
        transit = arrival - at / RATE
        if not self._transits or abs(transit - self._transits[-1][1]) <= _STRANGE_S:
            self._stray = None
            return True
        if self._stray is None or abs(transit - self._stray) > _STRANGE_S:
            self._stray = transit
            self.stats.late += 1
            return False
        self.clear()
        self._transits.clear()
        self._ordered.clear()
        self._newest = self._stray = None
        self.stats.resets += 1
        return True

    def _bound(self) -> None:
        assert self._newest is not None
        while len(self._entries) > _MOST_PACKETS or self._newest - min(self._entries) > _LONGEST:
            del self._entries[min(self._entries)]
            self.stats.dropped += 1

    def _unwrap(self, timestamp: int) -> int:
        if self._newest is None:
            return timestamp
        return self._newest + ((timestamp - self._newest + (1 << 31)) % (1 << 32)) - (1 << 31)
