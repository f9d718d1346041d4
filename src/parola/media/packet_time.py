"""How long packets are: 20 ms where people talk to each other, up to 120 ms where many only listen.

A packet costs the same whatever it holds, so that a listener of 120 ms packets costs a sixth. What it takes is delay,
100 ms at most, and only from those who are not on stage. Pure: time comes as an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

TICK_MS = 20
LONGEST = 6
"""Frames of 20 ms in a packet: as many as Opus allows (RFC 6716, section 3.2.5)."""
CLIMB_EVERY_S = 3.0
"""A packet that is 20 ms longer arrives 20 ms later once. A jitter buffer has that much in hand, and learns within
seconds to expect it; 100 ms at once would be a hole."""

MEDIUM = 3
_BY_LOAD = ((1, 0.55), (MEDIUM, 0.75))
"""Frames, and the load of the process up to which they are taken: packets grow well before anybody is refused."""
_LOAD_OF_A_LISTENER = 50 * 6e-6
"""Of 50 packets a second, about 6 µs each (ADR 8)."""
_WORTH_IT = 0.05
"""What the longest packets have to take off the load."""
_DOWN = 0.8
"""A step is taken back when less than this part of what it began at is left."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What an operator decides: from how many listeners of a room on, in one process, packets hold 60 and 120 ms; or
    the number of frames for all rooms."""

    medium_from: int = 300
    long_from: int = 1500
    fixed: int | None = None


@dataclass(slots=True)
class PacketTime:
    """Of one room's audience in one process."""

    pace: Pace = Pace()
    frames: int = 1
    _climbed_at: float = float("-inf")

    def __post_init__(self) -> None:
        self.frames = self.pace.fixed or self.frames

    def decide(self, listeners: int, load: float, now: float, crowd: int | None = None) -> int:
        """To be asked about once a second. `crowd`: listeners of the whole process, in whatever rooms; None: so
        many that the load is theirs alone."""
        if self.pace.fixed is not None:
            return self.pace.fixed
        wanted = max(self._by_audience(listeners), self._by_load(load, crowd))
        if wanted < self.frames:
            self.frames = wanted  # what comes earlier than expected leaves no hole
        elif wanted > self.frames and now - self._climbed_at >= CLIMB_EVERY_S:
            self.frames += 1
            self._climbed_at = now
        return self.frames

    def _by_audience(self, listeners: int) -> int:
        for frames, begin in ((LONGEST, self.pace.long_from), (MEDIUM, self.pace.medium_from)):
            if listeners >= (begin if frames > self.frames else begin * _DOWN):
                return frames
        return 1

    def _by_load(self, load: float, crowd: int | None) -> int:
        """The shortest packets that the process could bear. What long packets have made bearable must not call for
        short ones again; and where the load is not of packets, longer ones would help nobody."""
        short = load * self.frames if crowd is None else min(load * self.frames, crowd * _LOAD_OF_A_LISTENER)
        if short * (1 - 1 / LONGEST) < _WORTH_IT:
            return 1
        others = load - short / self.frames
        for frames, most in _BY_LOAD:
            if others + short / frames < (most if frames >= self.frames else most * _DOWN):
                return frames
        return LONGEST
