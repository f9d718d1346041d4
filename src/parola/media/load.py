"""How much of itself a media process has used up, and whom it therefore still lets in.

Measured and not guessed: how late its ticks and its event loop's heartbeat come, how much of a core it takes, what it
could not send, which descriptors are left. Whoever is here goes before whoever wants to come: listeners are refused
first, new speakers later, and those who only come back as long as there is any hope. What happens in one second
alone is a hiccup; pressure is what shows in most of the last three.
"""

from __future__ import annotations

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import structlog

from parola.domain.errors import Unavailable
from parola.media.descriptors import most_descriptors, open_descriptors
from parola.media.fanout import Sender
from parola.media.fanout.layout import State
from parola.media.fanout.sender import total

_log = structlog.get_logger(__name__)

HEARTBEAT_S = 0.1
MEASURED_EVERY_S = 1.0

WINDOWS = 3
LATE_IS_CALM_S = 0.01
LATE_IS_FULL_S = 0.035
"""A tick so late makes a hole of 55 ms in a listener's packets; a listener's buffer bears 60."""
LATE_IS_STARVED_S = 0.15
"""Whoever does next to nothing and is late all the same is kept waiting by others. To refuse somebody would help nobody
here; only a process so late as this is of no use to anybody."""
_BUSY = 0.3
CPU_IS_FULL = 0.85
SENDING_IS_FULL = 0.9
"""Of a sender thread's time: it has nothing else to do, and keeps no tick waiting."""
SENT_IN_TIME_S, SENT_LATE_IS_FULL_S = 0.03, 0.1
"""A large audience's packets take their time; what comes this late is more than a listener's buffer bears."""
UNSENT_IS_FULL = 0.005
DESCRIPTORS_ARE_FULL = 0.9
WEIGHT_OF_A_CONNECTION = 0.0005
"""A silent one costs nothing until somebody talks. It draws others elsewhere, but is no reason to refuse anybody."""
_MOST_BY_CONNECTIONS = 0.5
_CALM_AGAIN = 0.75
_RETRY_AFTER_S = 2


class Newcomer(Enum):
    """Who wants to come in, and from which load on they are refused."""

    LISTENER = 1.0
    SPEAKER = 1.5
    RETURNING = 3.0
    """A speaker whose older connection is still here, or the host: a room without them is worth nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Read at `now` (monotonic seconds). `late_s` is the worst since the last sample, `sending_late_s` the longest that
    a packet waited for its sender; `cpu_s`, of the event loop's thread, and the others are totals. `sending_s` is the
    work of the busiest sender since the last sample."""

    now: float
    late_s: float
    sending_late_s: float
    cpu_s: float
    sending_s: float
    sent: int
    unsent: int
    descriptors: int
    most_descriptors: int
    connections: int


class Load:
    """`value` is 0..1 and more; from 1.0 on nothing new is taken. `reason` says what it is full of, or is None."""

    def __init__(self) -> None:
        self.value = 0.0
        self.reason: str | None = None
        self.figures: dict[str, float] = {}
        self._samples: deque[Sample] = deque(maxlen=WINDOWS + 1)
        self._refused: set[Newcomer] = set()

    def take(self, sample: Sample) -> None:
        """To be called about once a second."""
        self._samples.append(sample)
        if len(self._samples) < 2:
            return
        parts = self._parts()
        worst = max(parts, key=lambda name: parts[name])
        measured = parts[worst]
        for newcomer in Newcomer:
            if measured >= newcomer.value:
                self._refused.add(newcomer)
            elif measured < newcomer.value * _CALM_AGAIN:
                self._refused.discard(newcomer)
        full = Newcomer.LISTENER in self._refused
        weight = min(_MOST_BY_CONNECTIONS, sample.connections * WEIGHT_OF_A_CONNECTION)
        busy = max(parts["cpu"], parts["sending"])
        self.value = max(1.0, measured) if full else min(0.99, max(measured, busy + weight))
        self.reason = worst if full else None

    def admits(self, newcomer: Newcomer) -> bool:
        return newcomer not in self._refused

    def _parts(self) -> dict[str, float]:
        """Each of them reaches 1.0 where newcomers would hurt those who are here."""
        first, last = self._samples[0], self._samples[-1]
        windows = [sample.late_s for sample in list(self._samples)[1:]]
        # What was not measured yet counts as calm.
        late_s = statistics.median([*windows, *[0.0] * (WINDOWS - len(windows))])
        elapsed = max(last.now - first.now, 1e-3)
        cpu = (last.cpu_s - first.cpu_s) / elapsed
        sending = sum(sample.sending_s for sample in list(self._samples)[1:]) / elapsed
        waits = [sample.sending_late_s for sample in list(self._samples)[1:]]
        wait_s = statistics.median([*waits, *[0.0] * (WINDOWS - len(waits))])
        unsent = last.unsent - first.unsent
        tried = last.sent - first.sent + unsent
        lost = unsent / tried if tried else 0.0
        descriptors = last.descriptors / last.most_descriptors
        self.figures = {
            "late_ms": round(late_s * 1000, 1),
            "cpu": round(cpu, 3),
            "sending": round(sending, 3),
            "sending_late_ms": round(wait_s * 1000, 1),
            "unsent": round(lost, 4),
            "descriptors": float(last.descriptors),
            "most_descriptors": float(last.most_descriptors),
            "connections": float(last.connections),
        }
        others = max(0.0, 1 - cpu / _BUSY)
        full_s = LATE_IS_FULL_S + others * (LATE_IS_STARVED_S - LATE_IS_FULL_S)
        return {
            "lateness": max(0.0, late_s - LATE_IS_CALM_S) / (full_s - LATE_IS_CALM_S),
            "cpu": cpu / CPU_IS_FULL,
            "sending": sending / SENDING_IS_FULL,
            "sending_late": max(0.0, wait_s - SENT_IN_TIME_S) / (SENT_LATE_IS_FULL_S - SENT_IN_TIME_S),
            "unsent": lost / UNSENT_IS_FULL,
            "descriptors": max(0.0, descriptors - 0.5) / (DESCRIPTORS_ARE_FULL - 0.5),
        }


class LoadMeter:
    """The load of this process, as its clocks and books say. `late` gives the worst lateness since it was last asked;
    `dropped` is the transport's book; `sent` and `connections` give numbers. To be measured on the loop's thread."""

    def __init__(
        self,
        monotonic: Callable[[], float],
        late: Callable[[], float],
        dropped: Mapping[str, int],
        sent: Callable[[], int],
        connections: Callable[[], int],
        senders: Sequence[Sender] = (),
    ) -> None:
        self.load = Load()
        self.refused = 0
        self._monotonic = monotonic
        self._late = late
        self._dropped = dropped
        self._sent = sent
        self._connections = connections
        self._senders = senders
        self._beat_due: float | None = None
        self._beat_late_s = 0.0

    def admit(self, newcomer: Newcomer) -> None:
        """Raises Unavailable("full") when this process has to look after those it has."""
        if not self.load.admits(newcomer):
            self.refused += 1
            raise Unavailable("full", "This media process can take nobody more just now.", _RETRY_AFTER_S)

    async def heartbeat(self) -> None:
        """To be called every HEARTBEAT_S: notices a loop that is blocked while no room ticks."""
        now = self._monotonic()
        if self._beat_due is not None:
            self._beat_late_s = max(self._beat_late_s, now - self._beat_due)
        self._beat_due = now + HEARTBEAT_S

    async def measure(self) -> None:
        """To be called every MEASURED_EVERY_S; says once when it gets too much, and once when that is over."""
        was_full = self.load.reason is not None
        late_s, self._beat_late_s = max(self._late(), self._beat_late_s), 0.0
        self.load.take(
            Sample(
                self._monotonic(),
                late_s,
                max((sender.take_late_s() for sender in self._senders), default=0.0),
                time.thread_time(),
                max((sender.take_busy_s() for sender in self._senders), default=0.0),
                self._sent(),
                self._dropped.get("send_buffer_full", 0)
                + self._dropped.get("send_enobufs", 0)
                + total(self._senders, State.UNSENT_FULL),
                open_descriptors(),
                most_descriptors(),
                self._connections(),
            )
        )
        if self.load.reason is not None and not was_full:
            _log.warning(
                "load.full", reason=self.load.reason, load=round(self.load.value, 2), **self.load.figures
            )
        elif self.load.reason is None and was_full:
            _log.warning("load.calm_again", load=round(self.load.value, 2), **self.load.figures)
