"""What one Parola has for itself on a machine: its data folder and its ports. Whoever has them instead is named."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from parola.settings import Settings
from parola.supervisor.holders import holder

_BACKLOG = 2048
_PATIENCE_S = 1.5
"""Children of a supervisor that was killed just now may still be going; no one who lives gives up a port in between."""


class StartError(Exception):
    """Why nothing was started; one or more lines for people."""


class Taken(StartError):
    """Somebody has it, who may be about to go."""


@contextlib.contextmanager
def claimed(settings: Settings) -> Iterator[socket.socket | None]:
    """The data folder is ours and the ports are free; the value is the listening HTTP socket, where web is a role.

    Raises StartError, which names everything that is missing and its holder.
    """
    with contextlib.ExitStack() as stack:
        complaints: list[str] = []

        def attempt(claim: Callable[[], object], patience_s: float) -> object:
            deadline = time.monotonic() + patience_s
            while True:
                try:
                    return claim()
                except StartError as error:
                    if not isinstance(error, Taken) or time.monotonic() >= deadline:
                        complaints.append(str(error))
                        return None
                    time.sleep(0.05)

        lock = attempt(lambda: stack.enter_context(lock_folder(settings.data_dir)), 0.0)
        patience_s = _PATIENCE_S if lock is not None else 0.0
        http = attempt(lambda: bind_http(settings), patience_s) if "web" in settings.roles else None
        if isinstance(http, socket.socket):
            stack.enter_context(http)
        if "media" in settings.roles:
            attempt(lambda: check_udp(settings), patience_s)
        if complaints:
            raise StartError("\n".join(complaints))
        yield http if isinstance(http, socket.socket) else None


@contextlib.contextmanager
def _locked(file: TextIO) -> Iterator[TextIO]:
    with file:
        yield file
        file.truncate(0)


def lock_folder(folder: Path) -> contextlib.AbstractContextManager[TextIO]:
    """An open, locked file with our pid and command in it. Raises StartError with those of whoever holds it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StartError(f"The data folder {folder} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        by = file.read().strip() or "another process"
        file.close()
        raise StartError(
            f"The data folder {folder} is in use by {by}. PAROLA_DATA_DIR names another."
        ) from error
    file.truncate(0)
    file.write(f"process {os.getpid()} ({' '.join(sys.argv)})")
    file.flush()
    return _locked(file)


def bind_http(settings: Settings) -> socket.socket:
    """The listening socket, which every web process shares and which outlives them. Raises StartError."""
    sock = socket.socket(_family(settings.bind), socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((settings.bind, settings.http_port))
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        raise _refused("tcp", settings.bind, settings.http_port, error) from error
    return sock


def check_udp(settings: Settings) -> None:
    """Raises StartError when a media port cannot be had now; the media processes bind them themselves."""
    for address in settings.local_addresses:
        for port in settings.udp_ports:
            with socket.socket(_family(address), socket.SOCK_DGRAM) as sock:
                try:
                    sock.bind((address, port))
                except OSError as error:
                    raise _refused("udp", address, port, error) from error


def _refused(kind: str, address: str, port: int, error: OSError) -> StartError:
    what = f"{kind.upper()} port {port} of {address}"
    another = ("PAROLA_HTTP_PORT" if kind == "tcp" else "PAROLA_UDP_PORT") + " names another."
    if error.errno == errno.EADDRNOTAVAIL:
        return StartError(f"This host has no address {address}. PAROLA_BIND names another.")
    if error.errno != errno.EADDRINUSE:
        return StartError(f"{what} cannot be used: {error.strerror}. {another}")
    by = holder(kind, port) or "a process that this user may not see"
    return Taken(f"{what} is in use by {by}. {another}")


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
