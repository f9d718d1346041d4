"""How a child knows that its supervisor lives, and when it may begin.

Both are pipes whose other end only the supervisor has: what comes out of them is their end. The lifeline ends with the
supervisor, whatever ended it. The gate ends when the database is ready: until then a child may import what it needs,
which takes longer, and do nothing else.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable

LIFELINE = "PAROLA_LIFELINE_FD"
GATE = "PAROLA_GATE_FD"

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


def hold() -> None:
    """In a child: ends this process when its supervisor is gone. Does nothing in a process that has no supervisor."""
    fd = os.environ.get(LIFELINE)
    if fd is None:
        return

    def watch() -> None:
        os.read(int(fd), 1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="lifeline").start()


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
