"""How a child knows that its supervisor lives, and when it may begin.

Two are pipes whose other end only the supervisor has: what comes out of them is their end. The lifeline ends with the
supervisor, whatever ended it. The gate ends when the database is prepared: until then a child may import what it needs,
and do nothing else. The third goes the other way: one child is chosen to prepare the database, and says how it went.
Importing is most of the start, so that all children do it at once, and the supervisor not at all.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

LIFELINE = "PAROLA_LIFELINE_FD"
GATE = "PAROLA_GATE_FD"
PREPARE = "PAROLA_PREPARE_FD"

_MOST_WORDS = 2000

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class Pipe:
    """The supervisor's side. `inherited` is for children; closing it is the signal."""

    def __init__(self) -> None:
        self.inherited, self._own = os.pipe()
        self._open = True

    def close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._own)


class Answer:
    """The supervisor's side of the chosen child's pipe: `inherited` is for that child."""

    def __init__(self) -> None:
        self._own, self.inherited = os.pipe()

    async def read(self) -> str:
        """What went wrong, or nothing. Waits, for as many lives as the chosen child needs."""
        loop = asyncio.get_running_loop()
        readable = asyncio.Event()
        words = b""
        loop.add_reader(self._own, readable.set)
        try:
            while not words.endswith(b"\n"):
                readable.clear()
                await readable.wait()
                words += os.read(self._own, _MOST_WORDS)
        finally:
            loop.remove_reader(self._own)
        return words.decode(errors="replace").strip()

    def close(self) -> None:
        os.close(self._own)
        os.close(self.inherited)


def hold() -> None:
    """In a child: ends this process when its supervisor is gone. Does nothing in a process that has no supervisor."""
    fd = os.environ.get(LIFELINE)
    if fd is None:
        return

    def watch() -> None:
        os.read(int(fd), 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


def prepare(upgrade: Callable[[], None]) -> None:
    """In a child: does it if this is the one, and tells the supervisor. Raises what `upgrade` raises."""
    fd = os.environ.get(PREPARE)
    if fd is None:
        return
    try:
        upgrade()
    except Exception as error:
        words = " ".join((str(error) or type(error).__name__).split())
        os.write(int(fd), words.encode()[: _MOST_WORDS - 1] + b"\n")
        raise
    os.write(int(fd), b"\n")
    os.close(int(fd))


def wait_for_gate() -> None:
    """In a child: returns when it may begin."""
    fd = os.environ.get(GATE)
    if fd is not None:
        os.read(int(fd), 1)


def dies_with(parent: int) -> Callable[[], None]:
    """To be called in a child between fork and exec. Linux: the kernel kills it when the process `parent` ends.

    It outlives the exec, so it holds for programs that know nothing of pipes too; elsewhere the lifeline has to do.
    """
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None

    def prepare() -> None:
        if libc is None:
            return
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)

    return prepare
