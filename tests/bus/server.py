"""A real nats-server for a test: killed and started again on the same port, with the same token."""

from __future__ import annotations

import contextlib
import subprocess
import sysconfig
import time
from pathlib import Path

TOKEN = "t0ken"
_BINARY = Path(sysconfig.get_path("scripts")) / "nats-server"


class NatsServer:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = -1
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        for old in self.folder.glob("*.ports"):
            old.unlink()
        command = [_BINARY, "-a", "127.0.0.1", "-p", str(self.port), "--auth", TOKEN]
        command += ["--ports_file_dir", str(self.folder)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.port = self._listening_port(time.monotonic() + 10)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(5)
            self._process = None

    def _listening_port(self, deadline: float) -> int:
        while time.monotonic() < deadline:
            with contextlib.suppress(StopIteration, ValueError):
                text = next(self.folder.glob("*.ports")).read_text()
                return int(text.split("127.0.0.1:")[1].split('"')[0]) if "127.0.0.1:" in text else int("")
            time.sleep(0.005)
        raise AssertionError("nats-server did not start")
