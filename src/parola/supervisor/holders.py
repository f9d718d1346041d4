"""Which process has a port, as far as this user may see it, out of Linux's /proc."""

from __future__ import annotations

import os
from pathlib import Path

_STATES = {"tcp": "0A", "udp": "07"}  # listening; not connected (include/net/tcp_states.h)


def holder(kind: str, port: int) -> str | None:
    """`kind` is tcp or udp: `process PID (COMMAND)`, or None."""
    inodes = {f"socket:[{inode}]" for held, inode in _held(kind) if held == port}
    if not inodes:
        return None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                return f"process {process.name} ({_command(process)})"
        except OSError:
            continue
    return None


def held_ports(kind: str) -> frozenset[int] | None:
    """The ports that someone has; None where the system does not say."""
    if not Path(f"/proc/net/{kind}").exists():
        return None
    return frozenset(port for port, _ in _held(kind))


def _held(kind: str) -> list[tuple[int, str]]:
    found = []
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[3] == _STATES[kind]:
                found.append((int(columns[1].rpartition(":")[2], 16), columns[9]))
    return found


def _command(process: Path) -> str:
    words = (process / "cmdline").read_bytes().rstrip(b"\0").replace(b"\0", b" ")
    return words.decode(errors="replace")[:120]
