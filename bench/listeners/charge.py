"""What a server has used, as the kernel counts it: processor time of its processes and threads, the machine's softirq
time beside it, and memory.

On loopback a datagram's whole way to its receiver is gone in the sender's own time, softirq included, and the kernel
counts it so where it does not keep interrupts apart; where it does, the machine's softirq time comes on top.
"""

from __future__ import annotations

import contextlib
import gzip
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Seconds. `cpu_s` of the processes charged; `threads` by name, of those that live on; `softirq_s`, `busy_s` and
    `stolen_s` of the whole machine, over all its cores."""

    cpu_s: float
    softirq_s: float
    busy_s: float
    stolen_s: float
    threads: dict[str, float] = field(default_factory=dict)

    @property
    def charged_s(self) -> float:
        return self.cpu_s + (self.softirq_s if softirq_is_apart() else 0.0)

    def since(self, earlier: Usage) -> Usage:
        threads = {name: used - earlier.threads.get(name, 0.0) for name, used in self.threads.items()}
        return Usage(
            self.cpu_s - earlier.cpu_s,
            self.softirq_s - earlier.softirq_s,
            self.busy_s - earlier.busy_s,
            self.stolen_s - earlier.stolen_s,
            threads,
        )


def usage(pids: Sequence[int]) -> Usage:
    user, nice, system, _, _, irq, softirq, steal = machine_ticks(Path("/proc/stat").read_text())
    threads: dict[str, float] = {}
    for pid in pids:
        for name, used in _threads(pid).items():
            threads[name] = threads.get(name, 0.0) + used
    return Usage(
        cpu_s=sum(map(_cpu_s, pids)),
        softirq_s=softirq / _TICKS,
        busy_s=(user + nice + system + irq + softirq) / _TICKS,
        stolen_s=steal / _TICKS,
        threads=threads,
    )


def memory_kb(pids: Sequence[int]) -> int:
    """Resident, all processes together."""
    return sum(map(_resident_kb, pids))


def first_thread_s(pid: int) -> float:
    """Seconds of processor time of the thread that a process began with: in our own, of its event loop."""
    return int(Path(f"/proc/{pid}/task/{pid}/schedstat").read_text().split()[0]) / 1e9


@cache
def softirq_is_apart() -> bool:
    """Whether the kernel keeps softirq time out of the tasks' own. Where it does not say, it is charged twice rather
    than not at all."""
    texts = []
    with contextlib.suppress(OSError):
        texts.append(gzip.decompress(Path("/proc/config.gz").read_bytes()).decode())
    with contextlib.suppress(OSError):
        texts.append(Path(f"/boot/config-{os.uname().release}").read_text())
    return not texts or any("CONFIG_IRQ_TIME_ACCOUNTING=y" in text for text in texts)


def machine_ticks(text: str) -> tuple[int, ...]:
    """Of all cores together (proc_stat(5)): user, nice, system, idle, iowait, irq, softirq, steal."""
    return tuple(int(field) for field in text.split("\n", 1)[0].split()[1:9])


def process_ticks(text: str) -> int:
    """User and system time out of /proc/PID/stat; the name before them may hold spaces and brackets."""
    fields = text.rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _cpu_s(pid: int) -> float:
    return process_ticks(Path(f"/proc/{pid}/stat").read_text()) / _TICKS


def _threads(pid: int) -> dict[str, float]:
    found: Counter[str] = Counter()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):  # it has just ended
            name = (task / "comm").read_text().strip()
            found[name] += int((task / "schedstat").read_text().split()[0])
    return {name: nanoseconds / 1e9 for name, nanoseconds in found.items()}


def _resident_kb(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
