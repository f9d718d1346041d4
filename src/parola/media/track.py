"""A track: listeners who get the same packets at the same moments, in a class for each kind of offer and protection.

One packet is one job for each class, whatever the number of listeners in it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from parola.media.fanout import Sender
from parola.media.fanout.layout import Members
from parola.media.listener import Listener
from parola.media.merging import Merger, Packet, PacketClass
from parola.rtp import opus

_CELT = 31 << 3
QUIET = opus.dtx(_CELT)
KEEP_ALIVE_S = 0.4
"""As often as an Opus encoder in DTX refreshes its comfort noise (RFC 7587, section 3.1.3)."""
STALL_S = 0.1
"""A talking owner sends a frame every 20 ms; after five missing ones the edge ends the sound itself, gently."""
_SOON_S = (0.1, 0.2)
"""The first packets after a sound come sooner: one of them lost, and the end of speech would look like a dead path."""
_REPORTING_TURNS = 50


class _Cohort:
    """The slots of one class, as an array that no job in flight ever sees changed."""

    def __init__(self) -> None:
        self._slots: dict[int, None] = {}
        self._members: Members | None = None

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, slot: int) -> None:
        self._slots[slot] = None
        self._members = None

    def remove(self, slot: int) -> None:
        self._slots.pop(slot, None)
        self._members = None

    @property
    def members(self) -> Members:
        if self._members is None:
            self._members = np.fromiter(self._slots, np.int32, len(self._slots))
        return self._members


class Track:
    """`frames` of `merger` may be changed at any time."""

    def __init__(self, sender: Sender, phase: int, now: float) -> None:
        self.sender = sender
        self.merger = Merger(phase)
        self.last_tick = 0
        self.is_silent = True
        self._phase = phase
        self._silent_packets = 0
        self._last_sent = now
        self._cohorts: dict[PacketClass, _Cohort] = {}
        self._turn = 0

    def __len__(self) -> int:
        return sum(map(len, self._cohorts.values()))

    def add(self, listener: Listener, wanted: PacketClass) -> None:
        """Where `merger.is_between`."""
        listener.track, listener.packet_class = self, wanted
        self._cohorts.setdefault(wanted, _Cohort()).add(listener.slot)

    def remove(self, listener: Listener) -> None:
        assert listener.packet_class is not None
        cohort = self._cohorts[listener.packet_class]
        cohort.remove(listener.slot)
        if not len(cohort):
            del self._cohorts[listener.packet_class]
        listener.track = listener.packet_class = None

    def reclass(self, listener: Listener, wanted: PacketClass) -> None:
        """Other protection, the same packets."""
        if listener.packet_class != wanted:
            self.remove(listener)
            self.add(listener, wanted)

    def deliver(self, tick: int, frame: bytes, now: float) -> None:
        """Takes one frame; what is complete goes out."""
        self._send_all(self.merger.add(tick, frame), now)

    def close(self, now: float) -> None:
        """Sends what waits, and forgets what might be repeated."""
        self._send_all(self.merger.close(), now)
        self.merger.forget()

    def is_due(self, now: float, speaking: bool) -> bool:
        """Whether a silent packet is: nobody's path may look dead, no sound may just break off."""
        return not speaking and now - self._last_sent > self._patience()

    def send_quiet(self, tick: int, now: float) -> None:
        """After a sound that broke off, digital silence first: the comfort noise would be as loud as the sound."""
        self._send_all(self.merger.close(), now)
        if not self.is_silent:
            self._send(Packet(max(tick, self.last_tick + 1), 1, opus.silence(_CELT), ()), now)
        self._send(Packet(max(tick, self.last_tick + 1), 1, QUIET, ()), now)

    def welcome(self, listener: Listener, tick: int) -> None:
        """A first packet at once: the browser's pipeline stands before the first word. It is older than all that
        waits here, so that none of that is held back."""
        waiting = self.merger.waiting_since
        tick = tick if waiting is None else min(tick, waiting - 1)
        one = np.array([listener.slot], np.int32)
        self.sender.send(one, QUIET, listener.stream.numbers.opus_pt, tick, 1, True)

    def report_to(self, listener: Listener, tick: int, ntp: int, cname: str) -> None:
        """The first report; from the answer to it the round trip is known."""
        self.sender.report(np.array([listener.slot], np.int32), tick, ntp, cname)

    def report(self, tick: int, ntp: int, cname: str) -> None:
        """To be called every 100 ms: a fiftieth of all get their sender report, each every 5 s (RFC 3550, section
        6.2)."""
        for cohort in self._cohorts.values():
            chosen = cohort.members[self._turn :: _REPORTING_TURNS]
            if len(chosen):
                self.sender.report(np.ascontiguousarray(chosen), tick, ntp, cname)
        self._turn = (self._turn + 1) % _REPORTING_TURNS

    def _send_all(self, packets: Iterable[Packet], now: float) -> None:
        for packet in packets:
            self._send(packet, now)

    def _send(self, packet: Packet, now: float) -> None:
        for wanted, cohort in self._cohorts.items():
            payload, payload_type = packet.payload(wanted)
            self.sender.send(
                cohort.members, payload, payload_type, packet.tick, packet.frames, packet.is_silent
            )
        self.last_tick = packet.tick + packet.frames - 1
        self._silent_packets = self._silent_packets + 1 if packet.is_silent else 0
        self.is_silent, self._last_sent = packet.is_silent, now

    def _patience(self) -> float:
        """How long nothing is sent before a silent packet is due."""
        if not self.is_silent:
            return STALL_S
        if 0 < self._silent_packets <= len(_SOON_S):
            return _SOON_S[self._silent_packets - 1]
        return KEEP_ALIVE_S
