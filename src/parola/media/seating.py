"""Who sits where in a room: listeners in tracks, by what they are to hear and by how their network is.

Those on the *stage* hear each other: a track of their own each, 20 ms, with their own mix-minus while they talk. The
*audience* shares a few tracks whose packets grow with it, and end at different moments so that work is spread over
time. Whoever's reports show loss gets short packets with copies, and comes back to the audience's by a *ladder*: 20 ms
more at a time, since a jitter buffer bears and learns that much.

Invariant: a listener changes tracks only where both are between two packets, so that they get each frame once.
"""

from __future__ import annotations

import heapq
import itertools
import zlib
from collections.abc import Collection, Iterator, Sequence

from parola.media.fanout import Sender
from parola.media.listener import Listener
from parola.media.outputs import mix_minus
from parola.media.packet_time import CLIMB_EVERY_S, LONGEST, MEDIUM, Pace, PacketTime
from parola.media.track import Track

TRACK_IS_FULL = 64
"""Listeners that one track takes before another one is opened; when all are open, they share alike."""
LANE_IS_FULL = 512
"""Listeners that one sender takes before the next one helps with the same room."""
MOVED_AFTER_S = 1.0
"""Whoever waits so long for two windows that end together is moved at the cost of a shorter packet for others."""
BUSY = 0.75
"""From this load on 50 packets a second for each of those who lose some would be too many."""

_STAGE, _AUDIENCE = -1, 0
"""Places; the others are the ladder's rungs, by the frames in their packets."""


class _Lane:
    """The tracks of one sender."""

    def __init__(self, sender: Sender, number: int) -> None:
        self.sender = sender
        self.listeners = 0
        self.tracks: dict[int, list[Track]] = {}
        self._number = number

    def roomiest(self, place: int, frames: int, now: float) -> Track:
        tracks = self.tracks.setdefault(place, [])
        if not tracks or (len(tracks) < LONGEST and min(map(len, tracks)) >= TRACK_IS_FULL):
            tracks.append(Track(self.sender, (self._number + len(tracks)) % LONGEST, now))
            tracks[-1].merger.frames = frames
        return min(tracks, key=len)


class Seating:
    """Of one room in one process."""

    def __init__(self, room_id: str, senders: Sequence[Sender], pace: Pace) -> None:
        first = zlib.crc32(room_id.encode()) % len(senders)
        self._lanes = [_Lane(sender, i) for i, sender in enumerate([*senders[first:], *senders[:first]])]
        self._packet_time = PacketTime(pace)
        self._short_frames = 1
        self._stage: dict[Listener, Track] = {}
        self._place_of: dict[Listener, tuple[int, float]] = {}
        """Of those who are not in the audience: where they are, and since when."""
        self._moving: dict[Listener, tuple[int, float]] = {}
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
            listener.peer.hand_over(), numbers.ssrc, numbers.first_sequence, numbers.first_timestamp
        )
        listener.sender = lane.sender
        lane.sender.move(listener.slot, *place)
        lane.listeners += 1

    def seat(self, listener: Listener, on_stage: bool, now: float) -> Track:
        self._put(listener, _STAGE if on_stage else _AUDIENCE, now)
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
        if on_stage and listener not in self._stage:
            self._moving[listener] = (_STAGE, now)
        else:
            self._moving.pop(listener, None)
            if not on_stage and listener in self._stage:
                self._moving[listener] = (self._wanted(listener, now), now)
        self.move_between(now)

    def review(self, listener: Listener, now: float) -> None:
        """What is known of a listener's network has changed, or has grown old."""
        if listener.track is None:
            return
        listener.track.reclass(listener, listener.stream.packet_class(now))
        at = listener.stream.changes_at(now)
        here, since = self._place_of.get(listener, (_AUDIENCE, now))
        if here == _STAGE or self._moving.get(listener, (0, 0.0))[0] == _STAGE:
            pass
        elif (wanted := self._wanted(listener, now)) == here:
            self._moving.pop(listener, None)
        elif here > _AUDIENCE and not listener.stream.is_lossy(now) and now - since < CLIMB_EVERY_S:
            at = since + CLIMB_EVERY_S
        elif listener not in self._moving:
            self._moving[listener] = (wanted, now)
        if at is not None:
            heapq.heappush(self._reviews, (at, next(self._numbers), listener))

    def review_due(self, now: float) -> None:
        """Whoever's time has come."""
        while self._reviews and self._reviews[0][0] <= now:
            self.review(heapq.heappop(self._reviews)[2], now)

    def move_between(self, now: float) -> None:
        """To be called when every track has had the same frames."""
        for listener, (place, since) in list(self._moving.items()):
            here = listener.track
            assert here is not None
            lane = self._lane(listener)
            there = None if place == _STAGE else lane.roomiest(place, self._frames_of(place), now)
            if now - since > MOVED_AFTER_S:
                for track in filter(None, (here, there)):
                    track.close(now)
            if here.merger.is_between and (there is None or there.merger.is_between):
                del self._moving[listener]
                self._take_out(listener)
                self._put(listener, place, now, there)

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

    def pace(self, load: float, now: float, crowd: int | None = None) -> None:
        """How long packets are from now on, at the `load`, of 0 to 1, of a process with a `crowd` of listeners."""
        audience = sum(lane.listeners for lane in self._lanes) - len(self._stage)
        frames = self._packet_time.decide(audience, load, now, crowd)
        self._short_frames = min(frames, MEDIUM if load >= BUSY else 1)
        for lane in self._lanes:
            for track in lane.tracks.get(_AUDIENCE, ()):
                track.merger.frames = frames

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

    def _wanted(self, listener: Listener, now: float) -> int:
        """A place, for whoever has not the floor."""
        here, _ = self._place_of.get(listener, (_AUDIENCE, now))
        if listener.stream.is_lossy(now):
            return self._short_frames if self._short_frames < self.frames else _AUDIENCE
        if here == _AUDIENCE:
            return _AUDIENCE
        up = max(here, 1) + 1
        return _AUDIENCE if up >= self.frames else up

    def _frames_of(self, place: int) -> int:
        return self.frames if place == _AUDIENCE else place

    def _put(self, listener: Listener, place: int, now: float, track: Track | None = None) -> None:
        assert listener.sender is not None
        if place == _STAGE:
            track = self._stage[listener] = Track(listener.sender, 0, now)
        elif track is None:
            track = self._lane(listener).roomiest(place, self._frames_of(place), now)
        if place != _AUDIENCE:
            self._place_of[listener] = (place, now)
        track.add(listener, listener.stream.packet_class(now))
        self.review(listener, now)

    def _take_out(self, listener: Listener) -> None:
        assert listener.track is not None
        listener.track.remove(listener)
        self._stage.pop(listener, None)
        self._place_of.pop(listener, None)

    def _lane(self, listener: Listener) -> _Lane:
        return next(lane for lane in self._lanes if lane.sender is listener.sender)
