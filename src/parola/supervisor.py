"""The parent of all processes of one machine: starts them, starts them again when they die, and ends them together.

Invariants: no child outlives it, not even when it is killed itself (each child gets a signal from the kernel when its
parent dies, and ours also watch a pipe); a child that dies is reported once, at once; and a data folder has one
supervisor at a time.
"""

from __future__ import annotations

import asyncio
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import sys
import sysconfig
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from parola import bootstrap
from parola.settings import Settings

_log = structlog.get_logger(__name__)

FIRST_BACKOFF_S = 0.2
LONGEST_BACKOFF_S = 10.0
STEADY_AFTER_S = 30.0
GRACE_S = 4.0
_PR_SET_PDEATHSIG = 1


class StartError(Exception):
    """Why nothing was started; one or more lines for people."""


@dataclass
class Child:
    """A process that ought to run. `command` and `environment` are asked for anew at each start."""

    name: str
    command: Callable[[], Sequence[str]]
    environment: Callable[[], dict[str, str]] = dict
    fds: tuple[int, ...] = ()
    on_death: Callable[[], Awaitable[None]] | None = None
    process: asyncio.subprocess.Process | None = None
    backoff_s: float = FIRST_BACKOFF_S
    extra: dict[str, str] = field(default_factory=dict)


class Supervisor:
    """Runs children until `stop`."""

    def __init__(self) -> None:
        self.children: list[Child] = []
        self._stopping = asyncio.Event()
        self._lifeline_read, self._lifeline_write = os.pipe()
        os.set_inheritable(self._lifeline_read, True)

    def stop(self) -> None:
        self._stopping.set()

    async def run(self, ready: Callable[[], Awaitable[None]] | None = None) -> None:
        """Until `stop` is called; then every child ends within five seconds."""
        keepers = [asyncio.create_task(self._keep(child)) for child in self.children]
        announcing = asyncio.create_task(ready()) if ready is not None else None
        await self._stopping.wait()
        if announcing is not None:
            announcing.cancel()
        await self._end_all()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            child.process = await self._start(child)
            _log.info("child.started", child=child.name, pid=child.process.pid)
            code = await child.process.wait()
            if self._stopping.is_set():
                return
            if loop.time() - started > STEADY_AFTER_S:
                child.backoff_s = FIRST_BACKOFF_S
            _log.error("child.died", child=child.name, code=code, again_in_s=round(child.backoff_s, 1))
            if child.on_death is not None:
                try:
                    await child.on_death()
                except Exception:
                    _log.exception("child.death_not_reported", child=child.name)
            await asyncio.sleep(child.backoff_s)
            child.backoff_s = min(LONGEST_BACKOFF_S, child.backoff_s * 2)

    async def _start(self, child: Child) -> asyncio.subprocess.Process:
        environment = {**os.environ, **child.environment(), "PAROLA_LIFELINE_FD": str(self._lifeline_read)}
        return await asyncio.create_subprocess_exec(
            *child.command(),
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            pass_fds=(*child.fds, self._lifeline_read),
            preexec_fn=_die_with_parent,
            start_new_session=True,  # Ctrl-C is for the supervisor, which ends the others in order
        )

    async def _end_all(self) -> None:
        living = [c.process for c in self.children if c.process is not None and c.process.returncode is None]
        for process in living:
            _signal(process, signal.SIGTERM)
        if not living:
            return
        _, late = await asyncio.wait([asyncio.create_task(p.wait()) for p in living], timeout=GRACE_S)
        if late:
            for process in living:
                _signal(process, signal.SIGKILL)
            await asyncio.wait(late, timeout=1)


async def serve(settings: Settings) -> None:
    """The whole of `parola serve`. Raises StartError."""
    lock = lock_folder(settings.data_dir)
    try:
        http = bind_http(settings)
        check_udp(settings)
        nats_folder = settings.data_dir / "nats"
        shutil.rmtree(nats_folder, ignore_errors=True)
        nats_folder.mkdir(parents=True)
        shared: dict[str, str] = {"PAROLA_MACHINE": settings.machine}
        supervisor = Supervisor()
        if settings.embedded_nats:
            port, token = _free_port(), secrets.token_urlsafe(32)
            shared |= {"PAROLA_NATS_URL": f"nats://127.0.0.1:{port}", "PAROLA_NATS_TOKEN": token}
            supervisor.children.append(_nats(nats_folder, port, token))
        settings = Settings.load(
            **{key.removeprefix("PAROLA_").lower(): value for key, value in shared.items()}
        )
        await asyncio.to_thread(bootstrap.upgrade, settings)
        if "media" in settings.roles:
            supervisor.children += [
                _media(settings, index, shared) for index in range(settings.media_processes)
            ]
        if "web" in settings.roles and http is not None:
            supervisor.children += [_web(index, http, shared) for index in range(settings.web_processes)]
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, supervisor.stop)
        await supervisor.run(lambda: _announce(settings))
    finally:
        lock.close()


def _nats(folder: Path, port: int, token: str) -> Child:
    """The embedded bus keeps its port when it starts again: its clients come back by themselves."""
    configuration = folder / "nats.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(
        f'listen: "127.0.0.1:{port}"\nmax_payload: 8MB\nmax_pending: 64MB\nauthorization {{ token: "{token}" }}\n'
        f'log_file: "{folder / "nats.log"}"\n'
    )
    binary = Path(sysconfig.get_path("scripts")) / "nats-server"
    return Child("nats-server", lambda: [str(binary), "-c", str(configuration)])


def _media(settings: Settings, index: int, shared: dict[str, str]) -> Child:
    process_id = secrets.token_urlsafe(16)

    async def died() -> None:
        nonlocal process_id
        gone, process_id = process_id, secrets.token_urlsafe(16)
        await bootstrap.process_gone(settings, gone)

    return Child(
        f"media-{index}",
        lambda: _python("media-process", str(index)),
        lambda: {**shared, "PAROLA_PROCESS_ID": process_id},
        on_death=died,
    )


def _web(index: int, http: socket.socket, shared: dict[str, str]) -> Child:
    fd = http.fileno()
    return Child(f"web-{index}", lambda: _python("web-process", str(fd)), lambda: shared, fds=(fd,))


def _python(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "parola", *arguments]


def lock_folder(folder: Path) -> socket.socket | object:
    """An open, locked file. Raises StartError with whoever holds it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / "lock").open("a+")
    except OSError as error:
        raise StartError(f"The data folder {folder} cannot be used: {error.strerror}.") from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "another process"
        file.close()
        raise StartError(f"The data folder {folder.absolute()} is in use by {holder}.") from error
    file.truncate(0)
    file.write(f"process {os.getpid()} ({' '.join(sys.argv)})")
    file.flush()
    return file


def bind_http(settings: Settings) -> socket.socket | None:
    """The listening socket, which every web process shares and which outlives them. Raises StartError."""
    if "web" not in settings.roles:
        return None
    family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.bind, settings.http_port))
    except OSError as error:
        raise StartError(
            _taken("tcp", settings.bind, settings.http_port, "PAROLA_HTTP_PORT", error)
        ) from error
    sock.listen(2048)
    sock.set_inheritable(True)
    return sock


def check_udp(settings: Settings) -> None:
    """Raises StartError when a media port is taken now."""
    if "media" not in settings.roles:
        return
    for port in range(settings.udp_port, settings.udp_port + settings.media_processes):
        family = socket.AF_INET6 if ":" in settings.bind else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.bind((settings.bind, port))
            except OSError as error:
                raise StartError(_taken("udp", settings.bind, port, "PAROLA_UDP_PORT", error)) from error


def _taken(kind: str, address: str, port: int, variable: str, error: OSError) -> str:
    holder = _holder(kind, port)
    by = f" by {holder}" if holder else ""
    return (
        f"{kind.upper()} port {port} of {address} is in use{by} ({error.strerror}). {variable} names another."
    )


def _holder(kind: str, port: int) -> str | None:
    """Which process has a port, as far as this user may see it (Linux)."""
    inodes = set()
    for table in (f"/proc/net/{kind}", f"/proc/net/{kind}6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            # A listening TCP socket has state 0A, an unconnected UDP one 07.
            if int(columns[1].rpartition(":")[2], 16) == port and columns[3] in ("0A", "07"):
                inodes.add(f"socket:[{columns[9]}]")
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if any(os.readlink(fd) in inodes for fd in (process / "fd").iterdir()):
                command = (
                    (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                return f"process {process.name} ({command[:120]})"
        except OSError:
            continue
    return None


async def _announce(settings: Settings) -> None:
    """Says the one line that everybody waits for, once the house is open."""
    if "web" not in settings.roles:
        return
    host = f"[{settings.bind}]" if ":" in settings.bind else settings.bind
    address = f"http://{'127.0.0.1' if settings.bind == '0.0.0.0' else host}:{settings.http_port}/readyz"
    while True:
        if await asyncio.to_thread(_is_ready, address):
            print(f"Parola is ready: {settings.public_url}", flush=True)
            return
        await asyncio.sleep(0.1)


def _is_ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        process.send_signal(number)


_libc = ctypes.CDLL(None) if sys.platform == "linux" else None


def _die_with_parent() -> None:
    """Linux: the kernel ends this process when the supervisor ends, however it ends."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
