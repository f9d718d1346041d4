"""A tree of edges, reckoned: rooms go to media processes as the server gives them, and each resource is added up.

Pure. What a thing costs comes from `measured.json`; the rules (`Pace`, `NEAR`) are the server's own.
"""

from __future__ import annotations

import heapq
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from parola.media.packet_time import LONGEST, MEDIUM, Pace
from parola.services.placement import NEAR

MEASURED = Path(__file__).with_name("measured.json")
USABLE = 0.7
"""Of a core, a link and of memory: who plans for more has nothing left for a crowd, nor for a lost machine."""
PAGES_A_PROCESS = 15_000
PAGE_EVENTS_A_SECOND = 0.2
FRAMES_A_SECOND = 50
_PIECE = 512
"""Listeners that are placed together: a lane of one sender."""


@dataclass(frozen=True, slots=True)
class Costs:
    """See `measured.json`."""

    packet_us: float
    listener_us: float
    talking_room_us: float
    speaker_us: float
    silent_room_us: float
    join_us: float
    frame_told_us: float
    frame_heard_us: float
    bus_in_us: float
    bus_out_us: float
    page_event_us: float
    page_kb: float
    listener_kb: float
    process_mb: float
    program_bps: float
    packet_bytes: float

    @classmethod
    def measured(cls) -> Costs:
        return cls(**{name: value for name, (value, *_) in json.loads(MEASURED.read_text()).items()})

    def bits(self, frames: int) -> float:
        """A second, for one listener, on the wire."""
        return self.program_bps + self.packet_bytes * 8 * FRAMES_A_SECOND / frames


@dataclass(frozen=True, slots=True)
class Machine:
    """Two cores for each media process: one for its event loop, one for its sender."""

    cores: int
    memory_gb: float
    gbit: float

    @property
    def processes(self) -> int:
        return max(1, self.cores // 2)

    def __str__(self) -> str:
        return f"{self.cores} cores, {self.memory_gb:.0f} GB, {self.gbit:.0f} Gbit/s"


@dataclass(frozen=True, slots=True)
class Room:
    listeners: int
    talkers: int = 1


@dataclass(slots=True)
class Process:
    """What one media process has to do; seconds of work in a second."""

    loop: float = 0.0
    sender: float = 0.0
    bits: float = 0.0
    listeners: int = 0

    def load(self, machine: Machine) -> float:
        """From 1 on something is at its planned end."""
        return max(self.shares(machine).values())

    def shares(self, machine: Machine) -> dict[str, float]:
        return {
            "event loop": self.loop / USABLE,
            "sender": self.sender / USABLE,
            "link": self.bits * machine.processes / (machine.gbit * 1e9 * USABLE),
        }


@dataclass(slots=True)
class Bill:
    """`media` counts machines without the spare one; `ends` is what is used up first, `load` its mean share."""

    machine: Machine
    media: int
    ends: str
    load: float
    memory_gb: float
    hops: int
    bus_cores: float
    web_processes: int
    web_cores: float
    refill_s: float
    processes: list[Process] = field(default_factory=list, repr=False)

    @property
    def machines(self) -> int:
        """With one to spare, and those for pages and bus."""
        others = self.web_cores / USABLE + self.bus_cores / USABLE + 0.5
        return self.media + 1 + math.ceil(others / self.machine.cores) if self.media > 1 else 1


def plan(rooms: Sequence[Room], machine: Machine, costs: Costs) -> Bill:
    """The least number of machines on which no process is beyond its planned end."""
    low, high = 0, 1
    while _placed(rooms, machine, costs, high) is None:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _placed(rooms, machine, costs, middle) is not None else (middle, high)
    placed = _placed(rooms, machine, costs, high)
    assert placed is not None
    processes, hops, frames_in = placed
    shares = [process.shares(machine) for process in processes]
    means = {name: sum(share[name] for share in shares) / len(shares) for name in shares[0]}
    ends = max(means, key=lambda name: means[name])
    listeners = sum(room.listeners for room in rooms)
    web = max(1, math.ceil(listeners / PAGES_A_PROCESS))
    a_machine = max(process.listeners for process in processes) * machine.processes
    return Bill(
        machine, high, ends, means[ends] * USABLE,
        memory_gb=(a_machine * costs.listener_kb / 1e6 + machine.processes * costs.process_mb / 1e3),
        hops=hops,
        bus_cores=FRAMES_A_SECOND * (frames_in * costs.bus_in_us + hops * costs.bus_out_us) / 1e6,
        web_processes=web,
        web_cores=listeners * PAGE_EVENTS_A_SECOND * costs.page_event_us / 1e6,
        refill_s=a_machine * costs.join_us / 1e6 / max(1, (high - 1) * machine.cores * (1 - USABLE)),
        processes=processes,
    )  # fmt: skip


def _placed(
    rooms: Sequence[Room], machine: Machine, costs: Costs, machines: int
) -> tuple[list[Process], int, int] | None:
    """(processes, edges that hear a room over the bus, rooms that are told there); None where it is too much."""
    processes = [Process() for _ in range(machines * machine.processes)]
    queue = [(0.0, n) for n in range(len(processes))]
    hops = told = 0
    for room in sorted(rooms, key=lambda room: -room.listeners):
        owner = _least(queue, processes, machine)
        processes[owner].loop += _owned_us(room, costs) / 1e6
        edges = {owner}
        frames = _frames(room.listeners)
        for begin in range(0, room.listeners, _PIECE):
            chosen = _least(queue, processes, machine)
            if processes[owner].load(machine) <= processes[chosen].load(machine) + NEAR:
                chosen = owner
            process, piece = processes[chosen], min(_PIECE, room.listeners - begin)
            if chosen not in edges and room.talkers:
                process.loop += FRAMES_A_SECOND * costs.frame_heard_us / 1e6
            edges.add(chosen)
            process.listeners += piece
            process.loop += piece * costs.listener_us / 1e6
            if room.talkers:
                process.sender += piece * costs.packet_us * FRAMES_A_SECOND / frames / 1e6
                process.bits += piece * costs.bits(frames)
            if process.load(machine) > 1:
                return None
        if processes[owner].load(machine) > 1:
            return None
        if room.talkers and len(edges) > 1:
            hops += len(edges) - 1
            told += 1
            processes[owner].loop += FRAMES_A_SECOND * costs.frame_told_us / 1e6
    return processes, hops, told


def _least(queue: list[tuple[float, int]], processes: list[Process], machine: Machine) -> int:
    """The least loaded. What stands in the queue may be of earlier; loads only grow."""
    while True:
        load, n = queue[0]
        now = processes[n].load(machine)
        if now == load:
            return n
        heapq.heapreplace(queue, (now, n))


def _owned_us(room: Room, costs: Costs) -> float:
    if not room.talkers:
        return costs.silent_room_us
    return costs.talking_room_us + (room.talkers - 1) * costs.speaker_us


def _frames(listeners: int) -> int:
    """Of a packet, by the audience: rooms are spread evenly, and the large ones stay large everywhere."""
    pace = Pace()
    return LONGEST if listeners >= pace.long_from else MEDIUM if listeners >= pace.medium_from else 1
