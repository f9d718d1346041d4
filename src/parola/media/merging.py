"""Frames of 20 ms put together into longer packets (RFC 6716, section 3.2.5), and copies of earlier ones (RFC 2198).

Nothing is encoded again. Packets end where a window of the room's ticks ends, so that listeners can change between
windows of different lengths where two of them end together, and no frame comes twice or not at all. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

from parola.media.fanout.layout import LARGEST_PAYLOAD
from parola.rtp import opus, red

FRAME = 960
"""RTP timestamp units of one tick: 20 ms at 48 kHz."""
MOST_COPIES = 2
_HEADERS = 2 + 2 * 6
"""Bytes that merging adds at most: TOC, count, and two for each length."""


@dataclass(frozen=True, slots=True)
class PacketClass:
    """Listeners of the same class get the same payload, built once."""

    opus_pt: int
    red_pt: int | None
    copies: int


class Packet:
    """What one window holds: `frames` ticks from `tick` on, and the packets before as redundancy."""

    def __init__(
        self, tick: int, frames: int, opus_packet: bytes, earlier: tuple[tuple[int, bytes], ...]
    ) -> None:
        """`earlier`: (how many ticks ago it began, packet), oldest first."""
        self.tick = tick
        self.frames = frames
        self.opus = opus_packet
        self.is_silent = opus.is_dtx(opus_packet)
        self._earlier = earlier
        self._built: dict[PacketClass, bytes] = {}

    def payload(self, wanted: PacketClass) -> tuple[bytes, int]:
        """(payload, payload type) for a class of listeners."""
        is_full = len(self.opus) + red.PRIMARY_HEADER > LARGEST_PAYLOAD
        if wanted.red_pt is None or wanted.copies == 0 or self.is_silent or is_full:
            return self.opus, wanted.opus_pt
        if wanted not in self._built:
            self._built[wanted] = red.encode(wanted.opus_pt, self.opus, self._copies(wanted.copies))
        return self._built[wanted], wanted.red_pt

    def _copies(self, most: int) -> list[tuple[int, bytes]]:
        """The latest ones that fit, the oldest first."""
        left = LARGEST_PAYLOAD - len(self.opus) - red.PRIMARY_HEADER
        chosen: list[tuple[int, bytes]] = []
        for ago, packet in reversed(self._earlier[-most:]):
            left -= red.BLOCK_HEADER + len(packet)
            if left < 0 or ago * FRAME > red.LARGEST_OFFSET or len(packet) > red.LARGEST_BLOCK:
                break
            chosen.insert(0, (ago * FRAME, packet))
        return chosen


class Merger:
    """Feed it frames; it answers with the packets that are complete. `phase` 0…5 says where in time its windows end,
    so that the listeners of one room are served in turns instead of all at once."""

    def __init__(self, phase: int = 0) -> None:
        self.frames = 1
        """In a packet. A change counts from the next window on."""
        self._phase = phase
        self._begin = 0
        self._waiting: list[bytes] = []
        self._size = 0
        self._sent: deque[tuple[int, int, bytes]] = deque(maxlen=MOST_COPIES)
        """(first tick, frames, packet) of what may be repeated."""

    @property
    def is_between(self) -> bool:
        """Whether no frame waits: here listeners may come and go."""
        return not self._waiting

    @property
    def waiting_since(self) -> int | None:
        """The first tick of the packet in the making."""
        return self._begin if self._waiting else None

    def add(self, tick: int, frame: bytes) -> Iterator[Packet]:
        """Takes the frame of a later tick than the last."""
        silent = opus.is_dtx(frame)
        if self._waiting and (silent or not self._fits(tick, frame)):
            yield from self.close()
        if not self._waiting:
            self._begin = tick
        self._waiting.append(frame)
        self._size += len(frame)
        if silent or (tick + self._phase + 1) % self.frames == 0 or len(self._waiting) >= self.frames:
            yield from self.close()

    def close(self) -> Iterator[Packet]:
        """What waits, at once, as a shorter packet."""
        if not self._waiting:
            return
        packet, count = opus.merge(self._waiting), len(self._waiting)
        earlier = tuple(
            (self._begin - begin, data) for begin, n, data in self._sent if begin + n <= self._begin
        )
        self._sent.append((self._begin, count, packet))
        self._forget_waiting()
        yield Packet(self._begin, count, packet, self._follow(earlier))

    def forget(self) -> None:
        """No copy of what was sent follows any more."""
        self._sent.clear()

    def drop(self) -> None:
        """What waits is never sent, nor what was sent repeated."""
        self._forget_waiting()
        self.forget()

    def _follow(self, earlier: tuple[tuple[int, bytes], ...]) -> tuple[tuple[int, bytes], ...]:
        """Copies from before a pause would fill the place of nothing that was lost."""
        return tuple((ago, data) for ago, data in earlier if ago <= MOST_COPIES * max(self.frames, 1))

    def _forget_waiting(self) -> None:
        self._waiting, self._size = [], 0

    def _fits(self, tick: int, frame: bytes) -> bool:
        """Whether a frame can go into the packet that waits: the next tick, the same configuration, and room."""
        return (
            tick == self._begin + len(self._waiting)
            and frame[0] & 0xFC == self._waiting[0][0] & 0xFC
            and self._size + len(frame) + _HEADERS <= LARGEST_PAYLOAD
        )
