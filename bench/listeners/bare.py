"""The physical limit: packets that a C program, or Parola's own sender alone, encrypts and sends to as many listeners.

The receiver is the generator, which counts what comes whoever sends it; so all three face the same socket.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.listeners.crowd import Crowd
from bench.listeners.signalling import NotRun

_SOURCE = Path(__file__).with_name("limit.c")
_CACHE = Path(".cache/bench-listeners")
TICK_S = 0.02
KERNEL_MODULE = "bench.listeners.kernel"


@dataclass(frozen=True, slots=True)
class Sent:
    """What a bare sender did, and what of it came."""

    packets: int
    received: int
    cpu_s: float
    seconds: float

    @property
    def us_per_packet(self) -> float:
        return self.cpu_s / self.packets * 1e6


async def c_program(crowd: Crowd, listeners: int, payload_bytes: int, seconds: float) -> Sent:
    """Raises NotRun where there is no compiler or no OpenSSL to compile with."""
    program = await asyncio.to_thread(compiled)
    return await _run(crowd, [str(program)], listeners, payload_bytes, seconds)


async def sender(crowd: Crowd, listeners: int, payload_bytes: int, seconds: float) -> Sent:
    """Parola's sender by itself, in a process of its own."""
    return await _run(crowd, [sys.executable, "-m", KERNEL_MODULE], listeners, payload_bytes, seconds)


def compiled() -> Path:
    """The program, built anew where its source has changed. Raises NotRun."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        raise NotRun("no C compiler")
    name = hashlib.sha256(_SOURCE.read_bytes()).hexdigest()[:16]
    program = _CACHE / f"limit-{name}"
    if not program.exists():
        _CACHE.mkdir(parents=True, exist_ok=True)
        made = program.with_suffix(".new")
        command = [compiler, "-O2", "-o", str(made), str(_SOURCE), "-lcrypto"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            what = "no OpenSSL headers" if "openssl/" in done.stderr else done.stderr.strip().splitlines()[0]
            raise NotRun(what)
        made.rename(program)
    return program


async def _run(crowd: Crowd, command: list[str], listeners: int, payload_bytes: int, seconds: float) -> Sent:
    host, port = await crowd.first_address()
    ticks = round(seconds / TICK_S)
    await crowd.begin_anyone(listeners)
    process = await asyncio.create_subprocess_exec(
        *command, host, str(port), str(listeners), str(payload_bytes), str(round(TICK_S * 1e6)), str(ticks),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, complaint = await process.communicate()
    await asyncio.sleep(0.1)
    heard = await crowd.end()
    if process.returncode:
        last = complaint.decode().strip().splitlines()[-1:] or [f"exit status {process.returncode}"]
        raise NotRun(last[0])
    found = json.loads(told)
    return Sent(found["packets"], heard.delivered.packets, found["cpu_s"], found["seconds"])
