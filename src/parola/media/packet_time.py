"""How long packets are: 20 ms where people talk to each other, up to 120 ms where many only listen.

A packet costs the same whatever it holds, so that a listener of 120 ms packets costs a sixth. What it takes is delay,
100 ms at most, and only from those who are not on stage. Pure: time comes as an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

TICK_MS = 20
LONGEST = 6
"""Frames of 20 ms in a packet: as many as Opus allows (RFC 6716, section 3.2.5)."""
CLIMB_EVERY_S = 3.0
"""A packet that is 20 ms longer arrives 20 ms later once. A jitter buffer has that much in hand, and learns within
seconds to expect it; 100 ms at once would be a hole."""

_BY_AUDIENCE = ((0, 1), (300, 3), (1500, 6))
"""From so many listeners of a room in this process on, so many frames."""
_BY_LOAD = ((0.0, 1), (0.55, 3), (0.75, 6))
"""The same for the load of the process: it lengthens packets well before it refuses anybody."""
_DOWN = 0.8
"""A step is taken back when less than this part of what it began at is left."""


@dataclass(slots=True)
class PacketTime:
    """Of one room's audience in one process. `fixed` is for who wants to decide it: frames, or None."""

    fixed: int | None = None
    frames: int = 1
    _climbed_at: float = float("-inf")

    def __post_init__(self) -> None:
        if self.fixed is not None:
            self.frames = self.fixed

    def decide(self, listeners: int, load: float, now: float) -> int:
        """To be asked about once a second."""
        if self.fixed is not None:
            return self.fixed
        wanted = max(
            _step(_BY_AUDIENCE, listeners, self.frames),
            _step(_BY_LOAD, load, self.frames),
        )
        if wanted < self.frames:
            self.frames = wanted  # what comes earlier than expected leaves no hole
        elif wanted > self.frames and now - self._climbed_at >= CLIMB_EVERY_S:
            self.frames += 1
            self._climbed_at = now
        return self.frames


def _step(steps: Sequence[tuple[float, int]], value: float, current: int) -> int:
    """The frames of the highest step that is reached; one that was reached before is kept until well below it."""
    return max(frames for begin, frames in steps if value >= (begin if frames > current else begin * _DOWN))
