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

    def decide(self, listeners: int, load: float, now: float) -> int:
        """To be asked about once a second."""
        if self.pace.fixed is not None:
            return self.pace.fixed
        wanted = max(self._by_audience(listeners), self._by_load(load))
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

    def _by_load(self, load: float) -> int:
        """The shortest packets that the process could bear. Load is taken to be packets, and nothing else: otherwise
        what long packets have made bearable would call for short ones again."""
        for frames, most in _BY_LOAD:
            if load * self.frames / frames < (most if frames >= self.frames else most * _DOWN):
                return frames
        return LONGEST
