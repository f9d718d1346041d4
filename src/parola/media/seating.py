"""Who sits where in a room: listeners in tracks, by what they are to hear and by how their network is.

Those on the *stage* hear each other: a track of their own each, 20 ms, with their own mix-minus while they talk. The
*audience* shares a few tracks whose packets grow with it, and end at different moments so that work is spread over
time. Whoever's reports show loss sits with the *careful*: short packets with copies.

Invariant: a listener changes tracks only where both are between two packets, so that they get each frame once.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Collection, Iterator, Sequence
from enum import Enum

from parola.media.fanout import Sender
from parola.media.listener import Listener
from parola.media.outputs import mix_minus
from parola.media.packet_time import LONGEST, PacketTime
from parola.media.track import Track

TRACK_IS_FULL = 64
"""Listeners that one track takes before another one is opened; when all are open, they share alike."""
LANE_IS_FULL = 512
"""Listeners that one sender takes before the next one helps with the same room."""
MOVED_AFTER_S = 1.0
"""Whoever waits so long for two windows that end together is moved at the cost of a shorter packet for others."""
BUSY = 0.75
_CAREFUL_WHEN_BUSY = 3


class Tier(Enum):
    STAGE = "stage"
    AUDIENCE = "audience"
    CAREFUL = "careful"


class _Lane:
    """The tracks of one sender."""

    def __init__(self, sender: Sender, number: int) -> None:
        self.sender = sender
        self.listeners = 0
        self.tracks: dict[Tier, list[Track]] = {Tier.AUDIENCE: [], Tier.CAREFUL: []}
        self._number = number

    def roomiest(self, tier: Tier, frames: int, now: float) -> Track:
        tracks = self.tracks[tier]
        if not tracks or (len(tracks) < LONGEST and min(map(len, tracks)) >= TRACK_IS_FULL):
            tracks.append(Track(self.sender, (self._number + len(tracks)) % LONGEST, now))
            tracks[-1].merger.frames = frames
        return min(tracks, key=len)


class Seating:
    """Of one room in one process."""

    def __init__(self, room_id: str, senders: Sequence[Sender], fixed_frames: int | None) -> None:
        first = zlib.crc32(room_id.encode()) % len(senders)
        self._lanes = [_Lane(sender, i) for i, sender in enumerate([*senders[first:], *senders[:first]])]
        self._packet_time = PacketTime(fixed_frames)
        self._careful_frames = 1
        self._stage: dict[Listener, Track] = {}
        self._moving: dict[Listener, tuple[Tier, float]] = {}
        """Where to, and since when."""
        self._reviews: list[tuple[float, int, Listener]] = []
        self._numbers = itertools.count()

    @property
    def frames(self) -> int:
        """In the audience's packets."""
        return self._packet_time.frames

    @property
    def on_stage(self) -> set[str]:
        """Accounts that listen from there."""
        return {str(listener.account_id) for listener in self._stage}

    def open(self, listener: Listener) -> None:
        """A slot for who is to be seated. Raises SenderFull."""
        place = listener.peer.place
        assert place is not None
        lane = next((x for x in self._lanes if x.listeners < LANE_IS_FULL), None)
        lane = lane or min(self._lanes, key=lambda x: x.listeners)
        numbers = listener.stream.numbers
        listener.slot = lane.sender.add(
            listener.peer.outbound, numbers.ssrc, numbers.first_sequence, numbers.first_timestamp
        )
        listener.sender = lane.sender
        lane.sender.move(listener.slot, *place)
        lane.listeners += 1

    def seat(self, listener: Listener, on_stage: bool, now: float) -> Track:
        self._put(listener, Tier.STAGE if on_stage else Tier.AUDIENCE, now)
        assert listener.track is not None
        return listener.track

    def leave(self, listener: Listener) -> None:
        self._moving.pop(listener, None)
        if listener.track is not None:
            self._take_out(listener)
            self._lane(listener).listeners -= 1

    def reseat(self, listener: Listener, on_stage: bool, now: float) -> None:
        """Who has got the floor, or has it no more."""
        if listener.track is None:
            return
        if on_stage != (listener in self._stage):
            self._moving[listener] = (Tier.STAGE if on_stage else self._wanted(listener, now), now)
            self.move_between(now)
        elif listener in self._moving:
            del self._moving[listener]

    def review(self, listener: Listener, now: float) -> None:
        """What is known of a listener's network has changed, or has grown old."""
        track = listener.track
        if track is None:
            return
        track.reclass(listener, listener.stream.packet_class(now))
        if (at := listener.stream.changes_at(now)) is not None:
            heapq.heappush(self._reviews, (at, next(self._numbers), listener))
        if listener not in self._stage and listener not in self._moving:
            wanted = self._wanted(listener, now)
            if track not in self._lane(listener).tracks[wanted]:
                self._moving[listener] = (wanted, now)

    def review_due(self, now: float) -> None:
        while self._reviews and self._reviews[0][0] <= now:
            self.review(heapq.heappop(self._reviews)[2], now)

    def move_between(self, now: float) -> None:
        """To be called when every track has had the same frames."""
        for listener, (tier, since) in list(self._moving.items()):
            here = listener.track
            assert here is not None
            lane = self._lane(listener)
            there = None if tier is Tier.STAGE else lane.roomiest(tier, self._frames_of(tier), now)
            if now - since > MOVED_AFTER_S:
                for track in filter(None, (here, there)):
                    track.close(now)
            if here.merger.is_between and (there is None or there.merger.is_between):
                del self._moving[listener]
                self._take_out(listener)
                self._put(listener, tier, now, there)

    def tracks(self) -> Iterator[tuple[Track, bool]]:
        """Each of them, and whether it is on stage."""
        for lane in self._lanes:
            for tracks in lane.tracks.values():
                for track in tracks:
                    yield track, False
        for track in list(self._stage.values()):
            yield track, True

    def hearing_main(self, talkers: Collection[str]) -> Iterator[Track]:
        """Who hears everybody: all but the talkers."""
        for lane in self._lanes:
            for tracks in lane.tracks.values():
                yield from tracks
        for listener, track in self._stage.items():
            if listener.account_id not in talkers:
                yield track

    def hearing_minus(self, output: str, talkers: Collection[str]) -> Iterator[Track]:
        for listener, track in self._stage.items():
            account_id = str(listener.account_id)
            if account_id in talkers and mix_minus(account_id) == output:
                yield track

    def pace(self, load: float, now: float) -> None:
        """How long packets are from now on, at a process's `load` of 0 to 1."""
        audience = sum(lane.listeners for lane in self._lanes) - len(self._stage)
        frames = self._packet_time.decide(audience, load, now)
        self._careful_frames = min(frames, _CAREFUL_WHEN_BUSY if load >= BUSY else 1)
        for lane in self._lanes:
            for tier, tracks in lane.tracks.items():
                for track in tracks:
                    track.merger.frames = self._frames_of(tier)

    def close(self, now: float) -> None:
        """What waits goes out; nothing is repeated."""
        for track, _ in self.tracks():
            track.close(now)

    def drop(self) -> None:
        """What waits is never sent, nothing is repeated."""
        for track, _ in self.tracks():
            track.merger.drop()

    async def flush(self) -> None:
        """Returns when the kernel has everything."""
        for lane in self._lanes:
            if lane.listeners:
                await lane.sender.flush()

    def _wanted(self, listener: Listener, now: float) -> Tier:
        return Tier.CAREFUL if listener.stream.is_lossy(now) else Tier.AUDIENCE

    def _frames_of(self, tier: Tier) -> int:
        return self._careful_frames if tier is Tier.CAREFUL else self.frames

    def _put(self, listener: Listener, tier: Tier, now: float, track: Track | None = None) -> None:
        assert listener.sender is not None
        if tier is Tier.STAGE:
            track = self._stage[listener] = Track(listener.sender, 0, now)
        elif track is None:
            track = self._lane(listener).roomiest(tier, self._frames_of(tier), now)
        track.add(listener, listener.stream.packet_class(now))
        self.review(listener, now)

    def _take_out(self, listener: Listener) -> None:
        assert listener.track is not None
        listener.track.remove(listener)
        self._stage.pop(listener, None)

    def _lane(self, listener: Listener) -> _Lane:
        return next(lane for lane in self._lanes if lane.sender is listener.sender)
