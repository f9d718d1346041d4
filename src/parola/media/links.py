"""How an owner reaches edges in other processes: frames cross the bus once, and every edge confirms every fence."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from parola.bus import Bus, BusUnavailable, NoResponders, subjects
from parola.bus.frame import Frame
from parola.bus.messages import Fence

EXPIRES_S = 5.0
"""An edge renews its attachment every second and by itself stops sending after three; then it may be forgotten."""
FENCE_TIMEOUT_S = 1.5


@dataclass(slots=True)
class _RemoteEdge:
    outputs: frozenset[str]
    expires: float


class BusLink:
    """All edges of one owned room that live in other processes, as one EdgeLink. `send` publishes without waiting;
    `fences` is the process's book of what became of each."""

    def __init__(
        self, room_id: str, bus: Bus, send: Callable[[str, bytes], None], fences: Counter[str]
    ) -> None:
        self._room_id = room_id
        self._bus = bus
        self._send = send
        self._fences = fences
        self._edges: dict[str, _RemoteEdge] = {}
        self._wanted: frozenset[str] = frozenset()

    def attach(self, process_id: str, outputs: frozenset[str], now: float) -> None:
        self._edges[process_id] = _RemoteEdge(outputs, now + EXPIRES_S)
        self._sum_up()

    def detach(self, process_id: str) -> None:
        self._edges.pop(process_id, None)
        self._sum_up()

    def expire(self, now: float) -> None:
        self._edges = {p: e for p, e in self._edges.items() if e.expires > now}
        self._sum_up()

    def wants(self, output: str) -> bool:
        return output in self._wanted

    def deliver(self, output: str, frame: Frame) -> None:
        self._send(subjects.room_out(self._room_id, output), frame.to_bytes())

    async def fence(self, epoch: int, tick: int, seq: int) -> None:
        order = Fence(self._room_id, epoch, tick, seq).to_bytes()
        await asyncio.gather(*(self._fence(process_id, order) for process_id in list(self._edges)))

    async def _fence(self, process_id: str, order: bytes) -> None:
        try:
            await self._bus.request(subjects.media(process_id, "fence"), order, FENCE_TIMEOUT_S)
            self._fences["confirmed"] += 1
        except NoResponders:
            # Off the bus: it gets no frame any more, and whatever it got was sent on the instant it came.
            self._fences["gone"] += 1
            self.detach(process_id)
        except BusUnavailable:
            self._fences["timed_out"] += 1
            raise

    def _sum_up(self) -> None:
        self._wanted = frozenset().union(*(e.outputs for e in self._edges.values()))
