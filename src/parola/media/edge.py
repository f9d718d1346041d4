"""A room in a process that serves its listeners: frames of the owner's outputs in, one RTP stream to each listener out.

Invariants: a frame of an older epoch, from before the attachment, or at or behind a fence is never sent; an edge that
has lost touch with the owner sends nothing of its until it is attached again. Whoever talks hears the mix without
themselves: the frame says who talks, so for each tick a listener gets either `main` or their own mix-minus.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import structlog

from parola.bus.frame import Frame
from parola.domain.rooms import Event, Lifecycle, PersonUninvited, Room, VisitEnded
from parola.media.fanout import Sender, SenderFull
from parola.media.listener import Listener
from parola.media.outputs import MAIN, mix_minus
from parola.media.packet_time import Pace
from parola.media.seating import Seating
from parola.media.track import STALL_S
from parola.projection import Watched
from parola.rtp import rtcp

_log = structlog.get_logger(__name__)

TICK_S = 0.02
TOUCH_S = 3.0
"""An attachment that was not renewed for this long counts as lost: the owner may have stopped fencing this edge."""
REANCHOR_TICKS = 5


class EdgeRoom:
    """`monotonic` gives seconds, `unix_at_0` is what it was on the wall when that was 0. The listeners' packets leave
    by `senders`; `pace` says how long they are."""

    def __init__(
        self,
        watched: Watched,
        monotonic: Callable[[], float],
        senders: Sequence[Sender],
        pace: Pace,
        unix_at_0: float = 0.0,
    ) -> None:
        self.room_id = watched.room.id
        self.listeners: dict[str, Listener] = {}
        self.attached_epoch = 0
        self.late_frames = 0
        self._of_account: dict[str, set[Listener]] = {}
        self._watched = watched
        self._monotonic = monotonic
        self._unix_at_0 = unix_at_0
        self._seating = Seating(self.room_id, senders, pace)
        self._touched = float("-inf")
        self._first_tick = 0
        self._fenced = (0, -1)
        """The highest (epoch, tick) that was ever fenced here, also before this edge was attached to that owner."""
        self._offset: int | None = None
        self._stream_tick = 0
        self._heard_at = float("-inf")
        watched.on_change(self._changed)

    @property
    def room(self) -> Room:
        return self._watched.room

    @property
    def packet_ms(self) -> int:
        """Of the audience's packets."""
        return self._seating.frames * 20

    def unix(self, now: float) -> float:
        return now + self._unix_at_0

    def add(self, listener: Listener) -> None:
        self.listeners[listener.connection_id] = listener
        if listener.account_id is not None:
            self._of_account.setdefault(listener.account_id, set()).add(listener)

    def has_place_for(self, account_id: str | None) -> bool:
        """As far as the limit goes. Whoever is here already may connect anew; who has the floor, or leads the
        room, is no listener."""
        if account_id is not None and (account_id in self._of_account or self._is_needed(account_id)):
            return True
        needed = {self.room.host, *self.room.cohosts, *(speaker.account for speaker in self.room.speakers)}
        listening = len(self.listeners) - sum(len(self._of_account.get(one, ())) for one in needed)
        return self.room.listeners_at_most is None or listening < self.room.listeners_at_most

    def connected(self, listener: Listener, now: float) -> None:
        try:
            self._seating.open(listener)
        except SenderFull:
            listener.close("full")
            return
        on_stage = listener.account_id is not None and self.room.has_floor(listener.account_id)
        track = self._seating.seat(listener, on_stage, now)
        track.welcome(listener, self._quiet_tick(now))
        track.report_to(listener, self._clock_tick(now), rtcp.ntp(self.unix(now)), self.room_id)

    def reported(self, listener: Listener, now: float) -> None:
        """Its reports may ask for other packets."""
        self._seating.review(listener, now)

    def gone(self, listener: Listener) -> None:
        self.listeners.pop(listener.connection_id, None)
        if listener.account_id is not None:
            theirs = self._of_account.get(listener.account_id, set())
            theirs.discard(listener)
            if not theirs:
                self._of_account.pop(listener.account_id, None)
        self._seating.leave(listener)

    def outputs(self) -> frozenset[str]:
        """What this edge needs of the mixer: nothing without a listener, a mix-minus for each speaker who listens."""
        if not self.listeners:
            return frozenset()
        return frozenset({MAIN, *map(mix_minus, self._seating.on_stage)})

    def wants(self, output: str) -> bool:
        return bool(self.listeners) and (output == MAIN or output in self.outputs())

    def attach(self, epoch: int, first_tick: int, now: float) -> None:
        """The owner of `epoch` knows this edge now, and will fence it; frames from `first_tick` on may sound."""
        if epoch < self.attached_epoch:
            return
        if epoch > self.attached_epoch:
            self.attached_epoch, self._first_tick, self._offset = epoch, first_tick, None
            self._seating.drop()
        elif now - self._touched > TOUCH_S:
            self._first_tick = max(self._first_tick, first_tick)
            self._seating.drop()
        self._keep_to_fence()
        self._touched = now

    def detach(self) -> None:
        self._touched = float("-inf")
        self._seating.drop()

    async def fence(self, epoch: int, tick: int, seq: int) -> None:
        """After this nothing of `tick` or before is sent, and the room stands at `seq` or later here."""
        self._fenced = max(self._fenced, (epoch, tick))
        self._keep_to_fence()
        # What waits to be merged goes out as a shorter packet, and no copy of anything follows: whoever has lost the
        # original would hear what was to have left every edge.
        self._seating.close(self._monotonic())
        await self._seating.flush()
        await self._watched.catch_up(seq)

    def deliver(self, output: str, frame: Frame) -> None:
        """Sends one frame to those it is for, or keeps it for their next packet."""
        now = self._monotonic()
        if (
            frame.epoch != self.attached_epoch
            or frame.tick < self._first_tick
            or now - self._touched > TOUCH_S
        ):
            self.late_frames += 1
            return
        tick = self._place(frame.tick, now)
        talkers = frozenset(frame.talkers)
        if output == MAIN:
            self._heard_at = now
            for track in self._seating.hearing_main(talkers):
                track.deliver(tick, frame.payload, now)
            self._seating.move_between(now)
        else:
            for track in self._seating.hearing_minus(output, talkers):
                track.deliver(tick, frame.payload, now)

    def maintain(self, now: float) -> None:
        """About every 100 ms: ends a stalled sound, keeps the silent calm, sends the reports that are due."""
        speaking = now - self._heard_at < STALL_S
        tick, ntp = self._clock_tick(now), rtcp.ntp(self.unix(now))
        for track, on_stage in self._seating.tracks():
            if track.is_due(now, speaking and not on_stage):
                track.send_quiet(self._quiet_tick(now) if track.is_silent else track.last_tick + 1, now)
                self._stream_tick = max(self._stream_tick, track.last_tick)
            track.report(tick, ntp, self.room_id)
        if not speaking:
            self._seating.move_between(now)
        self._seating.review_due(now)

    def pace(self, load: float, now: float, crowd: int | None = None) -> None:
        """About once a second: how long this room's packets are from now on."""
        self._seating.pace(load, now, crowd)

    def close(self, reason: str) -> None:
        self._watched.remove_listener(self._changed)
        for listener in list(self.listeners.values()):
            listener.close(reason)

    def _keep_to_fence(self) -> None:
        epoch, tick = self._fenced
        if epoch == self.attached_epoch:
            self._first_tick = max(self._first_tick, tick + 1)

    def _clock_tick(self, now: float) -> int:
        return int(now / TICK_S)

    def _quiet_tick(self, now: float) -> int:
        """Two ticks behind the clock: a frame that is on its way must not come out older than a silent packet."""
        self._stream_tick = max(self._stream_tick, self._clock_tick(now) - 2)
        return self._stream_tick

    def _place(self, owner_tick: int, now: float) -> int:
        """The owner's tick on this edge's own time line, which no change of owner ever turns back.

        The two clocks are compared when a frame is the first of an owner or the first after a silence; between those
        every tick of the owner is one of ours, so that timestamps are exactly as even as the mixer.
        """
        clock = self._clock_tick(now)
        paused = now - self._heard_at > STALL_S
        if self._offset is None or (paused and abs(owner_tick + self._offset - clock) > REANCHOR_TICKS):
            self._offset = clock - owner_tick
        if paused and owner_tick + self._offset <= self._stream_tick:
            self._offset = self._stream_tick + 1 - owner_tick
        tick = owner_tick + self._offset
        self._stream_tick = max(self._stream_tick, tick)
        return tick

    def _changed(self, before: Room, events: tuple[Event, ...], after: Room) -> None:
        if after.state is Lifecycle.ENDED:
            for listener in list(self.listeners.values()):
                listener.close("room_ended")
            return
        uninvited = {e.account for e in events if isinstance(e, PersonUninvited)}
        visited = {e.account for e in events if isinstance(e, VisitEnded)}
        put_out = after.barred | visited | (set() if after.access.asks_nobody else uninvited)
        for account_id in put_out:
            for listener in self._theirs(account_id):
                listener.close("removed")
        if before.speakers != after.speakers:
            now = self._monotonic()
            has_floor = {speaker.account for speaker in after.speakers}
            for account_id in has_floor ^ {speaker.account for speaker in before.speakers}:
                for listener in self._theirs(account_id):
                    self._seating.reseat(listener, account_id in has_floor, now)

    def _is_needed(self, account_id: str) -> bool:
        return self.room.has_floor(account_id) or self.room.is_moderator(account_id)

    def _theirs(self, account_id: str) -> list[Listener]:
        return list(self._of_account.get(account_id, ()))
