"""What a frame costs on the bus, in processor time: who sends it, nats-server, and each edge that gets it."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench.listeners.charge import process_ticks
from parola.bus.frame import Frame
from parola.bus.nats import NatsBus
from tests.bus.server import TOKEN, NatsServer

_TICKS = os.sysconf("SC_CLK_TCK")
_RATE, _SECONDS, _MANY = 1000, 2.0, 20


async def bus() -> dict[str, float]:
    """µs: `frame_told_us` and `frame_heard_us` of ours, `bus_in_us` and `bus_out_us` of nats-server's."""
    frame = Frame(1, 1, ("a" * 22,), 0, bytes(100)).to_bytes()
    with tempfile.TemporaryDirectory(prefix="parola-bench-") as folder:
        server = NatsServer(Path(folder))
        server.start()
        assert server._process is not None
        pid = server._process.pid
        ours = await NatsBus.connect(server.url, TOKEN)
        crowd = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _SUBSCRIBERS, server.url, TOKEN, str(_MANY), stdout=asyncio.subprocess.PIPE
        )
        try:
            assert crowd.stdout is not None
            await crowd.stdout.readline()
            idle = await _charged(pid, lambda: _paced(None, "", b""))
            alone = await _charged(pid, lambda: _paced(ours, "room.nobody.out", frame))
            to_many = await _charged(pid, lambda: _paced(ours, "room.many.out", frame))

            async def take(message: object) -> None:
                Frame.from_bytes(message.data)  # type: ignore[attr-defined]

            await ours.subscribe("room.one.out", take)
            to_one = await _charged(pid, lambda: _paced(ours, "room.one.out", frame))
        finally:
            crowd.kill()
            await crowd.wait()
            await ours.close()
            server.kill()
    frames = _RATE * _SECONDS
    return {
        "frame_told_us": _us(alone[0] - idle[0], frames),
        "frame_heard_us": _us(to_one[0] - alone[0], frames),
        "bus_in_us": _us(alone[1], frames),
        "bus_out_us": _us(to_many[1] - alone[1], frames * _MANY),
    }


_SUBSCRIBERS = """
import asyncio, sys
from parola.bus.nats import NatsBus
async def main():
    async def take(message): ...
    for _ in range(int(sys.argv[3])):
        bus = await NatsBus.connect(sys.argv[1], sys.argv[2])
        await bus.subscribe("room.many.out", take)
    print("ready", flush=True)
    await asyncio.Event().wait()
asyncio.run(main())
"""


async def _charged(pid: int, work: Callable[[], Awaitable[object]]) -> tuple[float, float]:
    """(our processor time, the other process's) that it took, in seconds."""
    before, theirs = time.process_time(), _used(pid)
    await work()
    await asyncio.sleep(0.1)
    return time.process_time() - before, _used(pid) - theirs


def _used(pid: int) -> float:
    return process_ticks(Path(f"/proc/{pid}/stat").read_text()) / _TICKS


async def _paced(bus: NatsBus | None, subject: str, frame: bytes) -> None:
    """One at a time, as ticks make them; without a bus only the waiting."""
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for n in range(int(_RATE * _SECONDS)):
        if bus is not None:
            await bus.publish(subject, frame)
        await asyncio.sleep(max(0.0, begin + (n + 1) / _RATE - loop.time()))


def _us(seconds: float, times: float) -> float:
    return max(0.0, seconds) / times * 1e6
