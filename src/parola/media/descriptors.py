"""The descriptors of this process: how many it may have, and how many it has."""

from __future__ import annotations

import os
import resource

import structlog

_log = structlog.get_logger(__name__)

WANTED = 4096
"""Enough for 2,000 open connections of each of two addresses, or of one and as many people besides."""


def most_descriptors() -> int:
    """How many this process may have open at once; asked anew each time, since others may change it."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def open_descriptors() -> int:
    try:
        # The listing itself takes one.
        return len(os.listdir("/proc/self/fd")) - 1
    except OSError:
        # None was left for the listing; or a system without /proc, of which nothing is known then.
        return most_descriptors() if os.path.isdir("/proc/self") else 0


def raise_limit() -> None:
    """To what the system allows; said once where that is not much."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass  # such as a system that calls it unlimited and means less
    if most_descriptors() < WANTED:
        _log.warning("descriptors.few", most=most_descriptors(), wanted=WANTED)
