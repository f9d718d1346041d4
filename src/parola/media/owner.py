"""A room in the process that owns it: the speakers' voices, the mix, and the proof of silence.

Invariant: a voice sounds only while this process's own projection of the room says that it may be heard; the check is
made for every packet and again at every tick. `settle` answers after the last packet with a cut voice has left every
edge: the cut takes effect in the tick after it, and a fence behind that tick makes each edge refuse anything older.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol

from parola.bus.frame import Frame
from parola.domain.rooms import Event, Lifecycle, Room
from parola.media.keeping import Kept
from parola.media.mixer import Mixer
from parola.media.outputs import MAIN, Output, mix_minus
from parola.media.speaker import Speaker
from parola.media.ticker import STALL_S
from parola.media.voice import Pcm
from parola.projection import Watched

TICK_S = 0.02
OWN_VOICE_TICKS = 15
"""After the last sound of a talker their own listening stays on the mix-minus for 300 ms: a breath is no change."""
LEVELS_EVERY_TICKS = 10


class EdgeLink(Protocol):
    """An edge as its owner sees it: in this process, or on the other side of the bus."""

    def wants(self, output: str) -> bool: ...

    def deliver(self, output: str, frame: Frame) -> None: ...

    async def fence(self, epoch: int, tick: int, seq: int) -> None:
        """Returns once this edge has folded `seq` and will send nothing of `tick` or before; raises BusUnavailable."""
        ...


class OwnedRoom:
    """`wake` asks the process's ticker for ticks; they go on until `tick` returns False. `kept` is told what the room
    hears, where that is kept for a while."""

    def __init__(
        self,
        watched: Watched,
        epoch: int,
        wake: Callable[[OwnedRoom], None],
        on_levels: Callable[[str, dict[str, float]], None],
        kept: Kept | None = None,
    ) -> None:
        self.room_id = watched.room.id
        self.epoch = epoch
        self.edges: dict[str, EdgeLink] = {}
        self.speakers: dict[str, Speaker] = {}
        self.last_tick = 0
        self.closed = False
        self.suspended = False
        """This process stood still and does not know yet whether the room is still its own: nobody may be heard."""
        self._watched = watched
        self._wake = wake
        self._on_levels = on_levels
        self._kept = kept
        self._mixer = Mixer()
        self._outputs: dict[str, Output] = {}
        self._talks: dict[str, int] = {}
        """When each talker was last heard, in ticks."""
        self._ticking = False
        self._after_tick: list[asyncio.Future[None]] = []
        self._shown: dict[str, float] = {}
        watched.on_change(self._changed)

    @property
    def room(self) -> Room:
        return self._watched.room

    @property
    def is_unused(self) -> bool:
        return not self.speakers and not self.edges

    def may_be_heard(self, account_id: str) -> bool:
        return not self.closed and not self.suspended and self.room.may_be_heard(account_id)

    def add(self, speaker: Speaker) -> None:
        """A newer connection of a speaker replaces the older."""
        earlier = self.speakers.get(speaker.account_id)
        self.speakers[speaker.account_id] = speaker
        if earlier is not None:
            earlier.close("replaced")

    def gone(self, speaker: Speaker) -> None:
        if self.speakers.get(speaker.account_id) is speaker:
            del self.speakers[speaker.account_id]
            self._mixer.cut(speaker.account_id)

    def speech_arrived(self) -> None:
        if not self._ticking and not self.closed:
            self._ticking = True
            self._wake(self)

    def tick(self, tick: int, now: float) -> bool:
        """One 20 ms step; False when the room has fallen silent and needs no more ticks."""
        self.last_tick = tick
        began = time.monotonic()
        frames: dict[str, Pcm] = {}
        levels: dict[str, float] = {}
        for account_id, speaker in self.speakers.items():
            voice = speaker.voice
            if not voice.wants_ticks:
                continue
            if not self.may_be_heard(account_id):
                voice.cut()
                continue
            pcm = voice.pull(now)
            if pcm is not None:
                frames[account_id], levels[account_id] = pcm, voice.decibels
        self._mix(tick, now, frames, levels, began)
        self._show_levels(tick)
        for waiting in self._after_tick:
            if not waiting.done():
                waiting.set_result(None)
        self._after_tick.clear()
        self._ticking = not self.closed and (
            bool(frames) or any(not o.is_idle for o in self._outputs.values()) or self._someone_waits()
        )
        return self._ticking

    async def settle(self, seq: int) -> None:
        """Returns when everything that event `seq` silences has left every edge. Raises what an edge's fence raises."""
        await self._watched.catch_up(seq)
        if self._ticking:
            done = asyncio.get_running_loop().create_future()
            self._after_tick.append(done)
            await done
        fences = [edge.fence(self.epoch, self.last_tick, seq) for edge in list(self.edges.values())]
        await asyncio.gather(*fences)

    def renew(self, epoch: int) -> None:
        """The same ownership under a new epoch, certain again: whoever has the floor may be heard."""
        self.epoch = epoch
        self.suspended = False

    def close(self, reason: str) -> None:
        """Ends this ownership: all speakers' connections end, nothing is mixed any more."""
        if self.closed:
            return
        self.closed = True
        self._watched.remove_listener(self._changed)
        for speaker in list(self.speakers.values()):
            speaker.close(reason)
        for waiting in self._after_tick:
            if not waiting.done():
                waiting.set_result(None)
        self._after_tick.clear()

    def _changed(self, before: Room, events: tuple[Event, ...], after: Room) -> None:
        for account_id, speaker in list(self.speakers.items()):
            if not after.may_be_heard(account_id):
                speaker.voice.cut()
                self._mixer.cut(account_id)
            if after.state is not Lifecycle.LIVE:
                speaker.close("room_ended")
            elif not after.has_floor(account_id):
                speaker.close("floor_revoked")
        if self._kept is not None:
            if after.state is not Lifecycle.LIVE:
                self._kept.ended()
            elif after.speakers != before.speakers:
                self._kept.floor_changed(after)

    def _mix(
        self, tick: int, now: float, frames: dict[str, Pcm], levels: dict[str, float], began: float
    ) -> None:
        minus = {mix_minus(a): frozenset({a}) for a in {*self._talks, *frames} if self._wants(mix_minus(a))}
        mixed = self._mixer.tick(frames, levels, {MAIN: frozenset(), **minus})
        for account_id in mixed[MAIN].talkers:
            self._talks[account_id] = tick
        self._talks = {a: last for a, last in self._talks.items() if tick - last <= OWN_VOICE_TICKS}
        wanted = [*minus, MAIN] if self._wants(MAIN) else [*minus]
        self._outputs = {name: self._outputs.get(name) or Output() for name in wanted}
        talkers, origin_ns = tuple(self._talks), time.time_ns()
        for name, output in self._outputs.items():
            packet = output.encode(mixed[name], sounding=bool(mixed[name].talkers))
            if time.monotonic() - began > STALL_S:
                return  # stood still within this tick, and the room may be another's by now: it is not sent
            if packet is not None:
                self._send(name, Frame(self.epoch, tick, talkers, origin_ns, packet))
                if name == MAIN and self._kept is not None:
                    self._kept.heard(self.room, tick, now, mixed[MAIN].talkers, packet)

    def _send(self, output: str, frame: Frame) -> None:
        for edge in self.edges.values():
            if edge.wants(output):
                edge.deliver(output, frame)

    def _wants(self, output: str) -> bool:
        return any(edge.wants(output) for edge in self.edges.values())

    def _someone_waits(self) -> bool:
        return any(s.voice.wants_ticks for s in self.speakers.values())

    def _show_levels(self, tick: int) -> None:
        if tick % LEVELS_EVERY_TICKS:
            return
        talking = {
            account_id: self.speakers[account_id].voice.loudness
            for account_id in self._talks
            if account_id in self.speakers
        }
        fallen = {account_id: 0.0 for account_id in self._shown if account_id not in talking}
        if talking or fallen:
            self._on_levels(self.room_id, {**talking, **fallen})
        self._shown = talking
