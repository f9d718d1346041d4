"""A real Parola for a test: `parola serve` in a process of its own, with ports and a data folder of its own."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from parola.client.api import Api
from tests.database import DATABASES

READY_TIMEOUT_S = 30.0
COMPILED = Path(__file__).parents[2] / ".cache" / "compiled"


@dataclass
class House:
    """`origin` is what a browser opens. `start` and `stop` may be called again and again."""

    folder: Path
    media_processes: int = 1
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.http_port = free_port(socket.SOCK_STREAM)
        self.udp_port = free_port(socket.SOCK_DGRAM, self.media_processes)
        self.origin = f"http://localhost:{self.http_port}"
        self.log = self.folder / "server.log"
        if DATABASES.kind == "postgresql" and "PAROLA_DATABASE_URL" not in self.environment:
            self.environment = {**self.environment, "PAROLA_DATABASE_URL": DATABASES.empty(self.folder)}

    def start(self) -> None:
        environment = {
            **os.environ,
            "PAROLA_HTTP_PORT": str(self.http_port),
            "PAROLA_UDP_PORT": str(self.udp_port),
            "PAROLA_MEDIA_PROCESSES": str(self.media_processes),
            "PAROLA_DATA_DIR": str(self.folder / "data"),
            "PAROLA_LIMITS": "off",
            "PAROLA_HOST_AWAY_S": "0",
            "PAROLA_HAND_AWAY_S": "0",
            # Compiled once for all houses, not once for each.
            "NUMBA_CACHE_DIR": str(COMPILED),
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "parola", "serve"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self.process is not None
            assert self.process.poll() is None, f"the server ended:\n{self.log.read_text()[-4000:]}"
            with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                with urllib.request.urlopen(self.origin + "/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            time.sleep(0.05)
        raise AssertionError(f"the server was not ready in time:\n{self.log.read_text()[-4000:]}")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        self.process.send_signal(how)
        self.process.wait(10)
        self.process = None

    async def person(self, handle: str) -> Api:
        """A new account with this handle and a suffix of its own, signed in; `name` is the handle in capitals."""
        api = Api(self.origin)
        await api.sign_up(f"{handle}_{secrets.token_hex(3)}", handle.capitalize(), "correct horse battery")
        return api


@contextlib.contextmanager
def opened(house: House) -> Iterator[House]:
    try:
        house.start()
        yield house
    finally:
        house.stop()


@contextlib.asynccontextmanager
async def people(house: House, *handles: str) -> AsyncIterator[list[Api]]:
    async with contextlib.AsyncExitStack() as stack:
        yield [await stack.enter_async_context(await house.person(handle)) for handle in handles]


def children(house: House) -> dict[str, list[int]]:
    """The process ids below the supervisor: nats-server, media and web."""
    assert house.process is not None
    found: dict[str, list[int]] = {"nats-server": [], "media": [], "web": []}
    parent = house.process.pid
    for pid in map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split()):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().decode()
        if not command:
            continue  # it has just died
        kind = "media" if "media-process" in command else "web" if "web-process" in command else "nats-server"
        found[kind].append(pid)
    return found


def media_pid(house: House, process_id: str) -> int:
    """The pid of a media process, by the id that stands in its connections' addresses."""
    for pid in children(house)["media"]:
        with contextlib.suppress(OSError):
            if f"PAROLA_PROCESS_ID={process_id}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                return pid
    raise AssertionError(f"no process {process_id}")


async def claim_link(house: House) -> str:
    """The one in the log, by which somebody becomes the first administrator; it comes a moment after the server."""
    links: list[str] = []

    def logged() -> bool:
        lines = [json.loads(line) for line in house.log.read_text().splitlines() if line.startswith("{")]
        links.extend(line["link"] for line in lines if line["event"] == "administration.nobody_yet")
        return bool(links)

    await eventually(logged, 60)
    return links[0]


async def handle_of(api: Api) -> str:
    return str((await api.call("GET", "/api/me"))["handle"])


async def give_floor(host: Api, guest: Api, room_id: str) -> str:
    """The guest asks and gets: their handle."""
    handle = await handle_of(guest)
    await guest.call("PUT", f"/api/rooms/{room_id}/hands/me")
    answer = await host.call("PUT", f"/api/rooms/{room_id}/floor/{handle}")
    assert answer == {"state": "granted"}
    return handle


async def eventually(condition: object, seconds: float = 10.0) -> None:
    """Waits until the callable (plain or async) is true; AssertionError when it never is."""
    assert callable(condition)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        result = condition()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return
        assert loop.time() < deadline, f"{condition} did not come true within {seconds} s"
        await asyncio.sleep(0.05)


def free_port(kind: int, count: int = 1) -> int:
    """The first of `count` neighbouring ports that are free on 127.0.0.1 now."""
    while True:
        taken = []
        try:
            for offset in range(count):
                sock = socket.socket(socket.AF_INET, kind)
                taken.append(sock)
                sock.bind(("127.0.0.1", taken[0].getsockname()[1] + offset if offset else 0))
            return int(taken[0].getsockname()[1])
        except (OSError, OverflowError):
            continue
        finally:
            for sock in taken:
                sock.close()
