"""A room in a process that serves its listeners: frames of the owner's outputs in, one RTP stream to each listener out.

Invariants: a frame of an older epoch, from before the attachment, or at or behind a fence is never sent; an edge that
has lost touch with the owner sends nothing of its until it is attached again. Whoever talks hears the mix without
themselves: the frame says who talks, so for each tick a listener gets either `main` or their own mix-minus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from parola.bus.frame import Frame
from parola.domain.rooms import Access, Event, Lifecycle, PersonUninvited, Room
from parola.media.listener import Listener
from parola.media.outputs import MAIN, mix_minus
from parola.media.stream import MOST_COPIES, Payloads, ProgramStream
from parola.projection import Watched
from parola.rtp import opus

_log = structlog.get_logger(__name__)

TICK_S = 0.02
STALL_S = 0.1
"""A talking owner sends a frame every 20 ms; after five missing ones the edge ends the sound itself, gently."""
KEEP_ALIVE_S = 0.4
"""As often as an Opus encoder in DTX refreshes its comfort noise (RFC 7587, section 3.1.3)."""
_SOON_S = (0.1, 0.2)
"""The first packets after a sound come sooner: one of them lost, and the end of speech would look like a dead path."""
TOUCH_S = 3.0
"""An attachment that was not renewed for this long counts as lost: the owner may have stopped fencing this edge."""
REANCHOR_TICKS = 5
_QUIET = opus.dtx(31 << 3)


class EdgeRoom:
    """`monotonic` gives seconds. It sends on the loop's thread, at once when a frame arrives."""

    def __init__(self, watched: Watched, monotonic: Callable[[], float]) -> None:
        self.room_id = watched.room.id
        self.listeners: dict[str, Listener] = {}
        self.attached_epoch = 0
        self.late_frames = 0
        self._watched = watched
        self._monotonic = monotonic
        self._touched = float("-inf")
        self._first_tick = 0
        self._fenced = (0, -1)
        """The highest (epoch, tick) that was ever fenced here, also before this edge was attached to that owner."""
        self._offset: int | None = None
        self._stream_tick = 0
        self._earlier: dict[str, tuple[tuple[int, bytes], ...]] = {}
        """Of each output the latest frames that may be repeated, oldest first: their ticks on this edge, and Opus."""
        self._heard_at = float("-inf")
        watched.on_change(self._changed)

    @property
    def room(self) -> Room:
        return self._watched.room

    def add(self, listener: Listener) -> None:
        self.listeners[listener.connection_id] = listener

    def connected(self, listener: Listener, now: float) -> None:
        """A first packet at once: the browser's pipeline stands before the first word."""
        self._send_quiet([listener], now)

    def gone(self, listener: Listener) -> None:
        self.listeners.pop(listener.connection_id, None)

    def outputs(self) -> frozenset[str]:
        """What this edge needs of the mixer: nothing without a listener, a mix-minus for each speaker who listens."""
        if not self.listeners:
            return frozenset()
        accounts = {listener.account_id for listener in self.listeners.values()}
        own = {mix_minus(s.account) for s in self.room.speakers if s.account in accounts}
        return frozenset({MAIN, *own})

    def wants(self, output: str) -> bool:
        return output in self.outputs()

    def attach(self, epoch: int, first_tick: int, now: float) -> None:
        """The owner of `epoch` knows this edge now, and will fence it; frames from `first_tick` on may sound."""
        if epoch < self.attached_epoch:
            return
        if epoch > self.attached_epoch:
            self.attached_epoch, self._first_tick, self._offset = epoch, first_tick, None
            self._earlier.clear()
        elif now - self._touched > TOUCH_S:
            self._first_tick = max(self._first_tick, first_tick)
            self._earlier.clear()
        self._keep_to_fence()
        self._touched = now

    def detach(self) -> None:
        self._touched = float("-inf")

    async def fence(self, epoch: int, tick: int, seq: int) -> None:
        """After this nothing of `tick` or before is sent, and the room stands at `seq` or later here."""
        self._fenced = max(self._fenced, (epoch, tick))
        self._keep_to_fence()
        # It holds for copies, too: whoever has lost the original would hear what was to have left every edge.
        self._earlier.clear()
        await self._watched.catch_up(seq)

    def deliver(self, output: str, frame: Frame) -> None:
        """Sends one frame to those it is for."""
        now = self._monotonic()
        if (
            frame.epoch != self.attached_epoch
            or frame.tick < self._first_tick
            or now - self._touched > TOUCH_S
        ):
            self.late_frames += 1
            return
        tick = self._place(frame.tick, now)
        silent = opus.is_dtx(frame.payload)
        payloads = Payloads(frame.payload, self._repeatable(output, tick, frame.payload))
        talkers = frozenset(frame.talkers)
        if output == MAIN:
            self._heard_at = now
        for listener in self._audience(output, talkers):
            stream = listener.stream
            payload, payload_type = payloads.of(stream.packet_class(now))
            stream.send(tick, payload, payload_type, silent, now)

    def maintain(self, now: float, unix: float) -> None:
        """About every 100 ms: ends a stalled sound, keeps the silent calm, sends the reports that are due."""
        speaking = now - self._heard_at < STALL_S
        waiting = [
            listener
            for listener in self.listeners.values()
            if listener.peer.is_connected
            and (not speaking or listener.account_id is not None)
            and listener.stream.quiet_for(now) > _patience(listener.stream)
        ]
        self._send_quiet(waiting, now)
        tick = self._clock_tick(now)
        for listener in self.listeners.values():
            if listener.peer.is_connected:
                listener.stream.report(tick, now, unix)

    def close(self, reason: str) -> None:
        self._watched.remove_listener(self._changed)
        for listener in list(self.listeners.values()):
            listener.close(reason)

    def _repeatable(self, output: str, tick: int, payload: bytes) -> tuple[tuple[int, bytes], ...]:
        """The frames just before this one, with how many ticks ago they were; then this one is among them."""
        kept = tuple((at, data) for at, data in self._earlier.get(output, ()) if 0 < tick - at <= MOST_COPIES)
        self._earlier[output] = (*kept, (tick, payload))
        return tuple((tick - at, data) for at, data in kept)

    def _keep_to_fence(self) -> None:
        epoch, tick = self._fenced
        if epoch == self.attached_epoch:
            self._first_tick = max(self._first_tick, tick + 1)

    def _audience(self, output: str, talkers: frozenset[str]) -> Iterable[Listener]:
        if output == MAIN:
            return [x for x in self.listeners.values() if x.account_id not in talkers and x.peer.is_connected]
        return [
            x
            for x in self.listeners.values()
            if x.account_id in talkers and mix_minus(str(x.account_id)) == output and x.peer.is_connected
        ]

    def _clock_tick(self, now: float) -> int:
        return int(now / TICK_S)

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

    def _send_quiet(self, listeners: list[Listener], now: float) -> None:
        if not listeners:
            return
        # Two ticks behind the clock: a frame that is on its way must not come out older than this packet.
        self._stream_tick = max(self._stream_tick, self._clock_tick(now) - 2)
        for listener in listeners:
            stream = listener.stream
            tick = max(
                self._stream_tick if stream.is_silent else (stream.last_tick or 0) + 1,
                (stream.last_tick or 0) + 1,
            )
            stream.send(tick, _QUIET, stream.numbers.opus_pt, True, now)

    def _changed(self, before: Room, events: tuple[Event, ...], after: Room) -> None:
        if after.state is Lifecycle.ENDED:
            for listener in list(self.listeners.values()):
                listener.close("room_ended")
            return
        uninvited = {e.account for e in events if isinstance(e, PersonUninvited)}
        put_out = uninvited if after.access is not Access.OPEN else set()
        for listener in list(self.listeners.values()):
            if listener.account_id in after.removed or listener.account_id in put_out:
                listener.close("removed")


def _patience(stream: ProgramStream) -> float:
    """How long nothing is sent before a silent packet is due."""
    if not stream.is_silent:
        return STALL_S
    return _SOON_S[stream.silent_packets - 1] if 0 < stream.silent_packets <= len(_SOON_S) else KEEP_ALIVE_S
