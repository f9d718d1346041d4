"""A peer's programs: found, installed where that is possible, started, and ended again; each by its own number.

A program that cannot be had is a row that says so, never a failure: everything here raises `NotRun` with the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from bench.listeners.signalling import NotRun

CACHE = Path(__file__).resolve().parents[3] / ".cache"
_INSTALL_S = 600.0
_READY_S = 20.0
_SECOND_THOUGHT_S = 0.3
"""Some bind their port first and find out afterwards what is missing."""
_END_S = 10.0


class Process:
    """One child whose output goes into a file of its folder. Made by `start`."""

    def __init__(self, child: subprocess.Popen[bytes], log: Path, written: IO[bytes]) -> None:
        self._child = child
        self._log = log
        self._written = written

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        folder: Path,
        more: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> Process:
        """`more` goes on top of the environment. `user`: whom it runs as where we are root, for programs that refuse
        to be it. Raises NotRun."""
        log = folder / "log"
        written = log.open("wb")
        try:
            child = subprocess.Popen(
                command, cwd=folder, env={**os.environ, **(more or {})}, user=user if is_root() else None,
                stdin=subprocess.DEVNULL, stdout=written, stderr=subprocess.STDOUT,
            )  # fmt: skip
        except OSError as error:
            written.close()
            raise NotRun(f"{Path(command[0]).name} does not start: {error.strerror}") from error
        return cls(child, log, written)

    @property
    def pid(self) -> int:
        return self._child.pid

    async def answers(self, address: tuple[str, int] | Path) -> None:
        """Returns when something listens there, by TCP or at a Unix socket's path. Raises NotRun."""
        deadline = asyncio.get_running_loop().time() + _READY_S
        while asyncio.get_running_loop().time() < deadline:
            if self._child.poll() is not None:
                raise NotRun(f"ended at once: {self._last_words()}")
            if await asyncio.to_thread(_listens, address):
                await asyncio.sleep(_SECOND_THOUGHT_S)
                if self._child.poll() is None:
                    return
            await asyncio.sleep(0.1)
        raise NotRun(f"no answer after {_READY_S:.0f} s: {self._last_words()}")

    async def stop(self) -> None:
        """Asked first, killed when it does not go."""
        self._child.terminate()
        try:
            await asyncio.to_thread(self._child.wait, _END_S)
        except subprocess.TimeoutExpired:
            self._child.kill()
            await asyncio.to_thread(self._child.wait)
        self._written.close()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").strip().splitlines()
        return lines[-1][-200:] if lines else "no word of it"


def is_root() -> bool:
    return os.geteuid() == 0


async def debian(program: str, package: str) -> str:
    """Where a program of Debian's is, installed where it is missing and we may. Raises NotRun."""
    found = program_path(program)
    if found:
        return found
    if not shutil.which("apt-get"):
        raise NotRun(f"no {program}, and no apt-get to install it")
    if not is_root():
        raise NotRun(f"no {program}, and apt-get wants root")
    print(f"{package}: installing with apt-get (once)", file=sys.stderr, flush=True)
    # RUNLEVEL: a package's service is not to be started, neither now nor beside ours.
    environment = {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    with contextlib.suppress(NotRun):
        await run(["apt-get", "-qq", "update"], environment)  # an old list may still do
    await run(["apt-get", "-qq", "install", "-y", "--no-install-recommends", package], environment)
    found = program_path(program)
    if not found:
        raise NotRun(f"apt-get brought no {program}")
    return found


def program_path(program: str) -> str | None:
    """On PATH, or where Debian keeps servers that only root has on PATH."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/bin")


async def run(
    command: Sequence[str], more: Mapping[str, str] | None = None, limit_s: float = _INSTALL_S
) -> str:
    """What a command says. Raises NotRun with its last line."""
    process = await asyncio.create_subprocess_exec(
        *command, env={**os.environ, **(more or {})}, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), limit_s)
    except TimeoutError as error:
        process.kill()
        await process.wait()
        raise NotRun(f"{Path(command[0]).name}: not done after {limit_s:.0f} s") from error
    text = output.decode(errors="replace").strip()
    if process.returncode != 0:
        last = text.splitlines()[-1] if text else "no word of it"
        raise NotRun(f"{Path(command[0]).name}: {last[-200:]}")
    return text


def free_ports(count: int, kind: socket.SocketKind = socket.SOCK_STREAM) -> int:
    """The first of so many neighbouring ports of 127.0.0.1 on which nobody listens just now. Raises NotRun."""
    for _ in range(100):
        with contextlib.ExitStack() as held:
            first = held.enter_context(_bound(0, kind))
            port = int(first.getsockname()[1])
            try:
                for other in range(port + 1, port + count):
                    held.enter_context(_bound(other, kind))
            except (OSError, OverflowError):
                continue
            return port
    raise NotRun(f"no {count} free ports beside each other")


def _bound(port: int, kind: socket.SocketKind) -> socket.socket:
    sock = socket.socket(socket.AF_INET, kind)
    try:
        sock.bind(("127.0.0.1", port))
    except OSError:
        sock.close()
        raise
    return sock


def _listens(address: tuple[str, int] | Path) -> bool:
    if isinstance(address, Path):
        return address.exists()
    with contextlib.suppress(OSError), socket.create_connection(address, 1):
        return True
    return False
