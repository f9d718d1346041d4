"""Which of the two workers a process gets: the compiled one where it can be had, else the plain one, and it says so."""

from __future__ import annotations

import os
from pathlib import Path

import structlog

from parola.media.fanout import plain
from parola.media.fanout.layout import Worker, call_addresses, is_compilable

_log = structlog.get_logger(__name__)


def choose(compiled: bool, cache: Path) -> Worker:
    """Machine code is kept in the folder `cache`: making it takes five seconds, reading it half of one."""
    if not compiled:
        return plain.WORKER
    if not is_compilable():
        _log.warning("fanout.plain", why="the compiled one is for 64-bit Linux")
        return plain.WORKER
    # Read by numba when it is first imported.
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache))
    try:
        from parola.media.fanout.compiled import WORKER

        call_addresses()
    except Exception as error:
        # Without numba, or where it cannot work, a room is still heard, by fewer.
        _log.warning("fanout.plain", why=str(error))
        return plain.WORKER
    return WORKER
