"""Proves the wheel in dist/: alone in an empty environment, `parola serve` is ready and serves its page."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_READY_S = 60.0


def main() -> None:
    """Exits with a sentence where something is missing."""
    wheels = sorted((_ROOT / "dist").glob("parola-*.whl"))
    if len(wheels) != 1:
        sys.exit(f"wheel: dist/ holds {len(wheels)} wheels, one is wanted")
    with tempfile.TemporaryDirectory(prefix="parola-wheel-") as folder:
        environment = Path(folder) / "env"
        pip = [
            str(environment / "bin" / "python"),
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "-q",
        ]
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        lock = ["--require-hashes", "--only-binary", ":all:", "-r", str(_ROOT / "requirements.lock")]
        subprocess.run([*pip, *lock], check=True, cwd=folder)
        subprocess.run([*pip, "--no-deps", str(wheels[0])], check=True, cwd=folder)
        took = _serve(environment / "bin" / "parola", Path(folder))
    print(f"wheel: {wheels[0].name} serves its page from an empty environment, ready after {took:.1f} s")


def _serve(command: Path, folder: Path) -> float:
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind(("127.0.0.1", 0))
        udp.bind(("127.0.0.1", 0))
        port, udp_port = tcp.getsockname()[1], udp.getsockname()[1]
    # Nothing of the project's own environment may help: no PATH to its scripts, no path to its sources.
    environment = {
        "PATH": os.defpath,
        "HOME": str(folder),
        "PAROLA_HTTP_PORT": str(port),
        "PAROLA_UDP_PORT": str(udp_port),
        "PAROLA_MEDIA_PROCESSES": "1",
        "PAROLA_DATA_DIR": str(folder / "data"),
    }
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [str(command), "serve"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        origin = f"http://127.0.0.1:{port}"
        while not _answers(origin + "/readyz"):
            if server.poll() is not None or time.monotonic() - began > _READY_S:
                sys.exit("wheel: parola serve is not ready:\n" + (folder / "log").read_text(errors="replace"))
            time.sleep(0.1)
        took = time.monotonic() - began
        _check_page(origin)
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait(10)
    return took


def _check_page(origin: str) -> None:
    """The page, and each script and style it names."""
    with urllib.request.urlopen(origin + "/", timeout=5) as answer:
        page = answer.read().decode()
    parts = [
        part for part in re.findall(r'(?:src|href)="(/[^"]+|\./[^"]+)"', page) if not part.startswith("//")
    ]
    if not any(part.endswith(".js") for part in parts):
        sys.exit("wheel: the page names no script")
    for part in parts:
        if not _answers(origin + "/" + part.lstrip("./")):
            sys.exit(f"wheel: the page names {part}, which is not served")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    main()
