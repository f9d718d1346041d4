"""`python -m bench.listeners.ticker`: wakes up every 20 ms, does nothing else, and says how late it was.

It runs beside each measurement: whatever it was late by on this machine at that time, no server can better.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from bench.figures import quantile

TICK_S = 0.02


@dataclass(frozen=True, slots=True)
class Lateness:
    """Milliseconds."""

    p50: float
    p99: float
    p999: float
    most: float

    @classmethod
    def of(cls, late_ms: list[float]) -> Lateness:
        return cls(quantile(late_ms, 0.5), quantile(late_ms, 0.99), quantile(late_ms, 0.999), max(late_ms))


class Ticker:
    """Made by `ticking`; `lateness` is there once that has ended."""

    lateness = Lateness(float("nan"), float("nan"), float("nan"), float("nan"))


@contextlib.asynccontextmanager
async def ticking() -> AsyncIterator[Ticker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners.ticker",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await process.stdout.readline()
    ticker = Ticker()
    try:
        yield ticker
    finally:
        told, _ = await process.communicate(b"")  # without input, its own would not be closed
        ticker.lateness = Lateness(**json.loads(told))


def main() -> None:
    """Until its standard input ends."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    print("ready", flush=True)
    late = []
    begin, tick = time.monotonic(), 0
    while not ended.is_set():
        tick += 1
        due = begin + tick * TICK_S
        time.sleep(max(0.0, due - time.monotonic()))
        late.append((time.monotonic() - due) * 1000)
    print(json.dumps(asdict(Lateness.of(late or [0.0]))))


if __name__ == "__main__":
    main()
