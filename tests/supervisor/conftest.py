"""Small houses: real processes, real signals, nothing of rooms."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

_DEADLINE_S = 30.0


class SmallHouse:
    """`folder` is its data folder; `notes` is what its children wrote down."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.notes = folder / "notes"
        self.notes.mkdir(parents=True, exist_ok=True)
        self.data = folder / "data"
        self.http_port = free_port(socket.SOCK_STREAM)
        self.udp_port = free_port(socket.SOCK_DGRAM)
        self.variables = variables
        self._out = folder / "out"
        self._err = folder / "err"
        self.process: subprocess.Popen[bytes] | None = None
        self._seen: set[int] = set()

    def start(self) -> SmallHouse:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PAROLA_")} | {
            "HOUSE_NOTES": str(self.notes),
            "PAROLA_HTTP_PORT": str(self.http_port),
            "PAROLA_UDP_PORT": str(self.udp_port),
            "PAROLA_MEDIA_PROCESSES": "1",
            "PAROLA_DATA_DIR": str(self.data),
            **self.variables,
        }
        (self.notes / "upgraded").unlink(missing_ok=True)
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.small_house", "serve"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
                preexec_fn=_hears_a_hangup,
            )
        return self

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def err(self) -> str:
        return self._err.read_text()

    @property
    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.err.splitlines() if line.startswith("{")]

    def pids(self, name: str) -> list[int]:
        """Of all lives of a child that the log tells of, in order."""
        found = [x["pid"] for x in self.log if x["event"] == "child.started" and x["child"] == name]
        self._seen.update(found)
        return found

    def noted(self, name: str, pid: int) -> dict[str, str]:
        """The environment of a child that has begun."""
        note = self.notes / f"{name}-{pid}"
        self.until(note.exists)
        return dict(json.loads(note.read_text()))

    def until(self, condition: Callable[[], object]) -> None:
        """Waits for something that other processes do."""
        deadline = time.monotonic() + _DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, f"it never happened; the log:\n{self.err}"
            time.sleep(0.01)

    def until_ready(self) -> None:
        self.until(lambda: "Parola is ready" in self.out)

    def ended(self) -> int:
        """Waits: the exit status."""
        assert self.process is not None
        status = self.process.wait(_DEADLINE_S)
        self.process = None
        return status

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def all_pids(self) -> list[int]:
        for name in ("nats-server", "media-0", "web-0"):
            self.pids(name)
        return sorted(self._seen)

    def ask(self, path: str) -> str:
        """The body of an answer over a connection of its own."""
        with socket.create_connection(("127.0.0.1", self.http_port), timeout=_DEADLINE_S) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\n\r\n".encode())
            answer = b""
            while piece := connection.recv(4096):
                answer += piece
            return answer.partition(b"\r\n\r\n")[2].decode()

    def clear(self) -> None:
        """After a test, whatever it left."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        for pid in self.all_pids():
            if is_ours(pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


def lives(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def is_ours(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return b"tests.supervisor.small_house" in words or b"nats-server" in words


def _hears_a_hangup() -> None:
    """Whatever started the tests, `nohup` for one."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def free_port(kind: int, count: int = 1) -> int:
    """The first of `count` neighbouring ports that are free on 127.0.0.1 now."""
    while True:
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError, OverflowError):
            first = 0
            for offset in range(count):
                sock = stack.enter_context(socket.socket(socket.AF_INET, kind))
                sock.bind(("127.0.0.1", first + offset if offset else 0))
                first = first or sock.getsockname()[1]
            return int(first)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[SmallHouse]:
    small = SmallHouse(tmp_path)
    yield small
    small.clear()


@pytest.fixture
def neighbour(tmp_path: Path) -> Iterator[SmallHouse]:
    small = SmallHouse(tmp_path / "neighbour")
    yield small
    small.clear()
