"""`parola serve` around children that do nothing but live, each in a process of its own: run with `python -m`.

What happens is written down in the folder HOUSE_NOTES, one file a thing: `gone-ID` for a reported death,
`NAME-PID` for a started child, with its environment in it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from parola import logs
from parola.settings import Settings
from parola.supervisor import House, StartError, lifeline, serve
from parola.supervisor.children import Patience

_HTTP = "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
_PATIENCE = Patience(first_pause=0.05, longest_pause=0.4, grace=1.0, last_grace=0.8)


def notes() -> Path:
    return Path(os.environ["HOUSE_NOTES"])


def main(arguments: Sequence[str]) -> int:
    match arguments:
        case ["serve"]:
            return _serve()
        case ["web", fd]:
            _web(int(fd))
        case ["media", index]:
            _media(int(index))
    return 0


def _serve() -> int:
    logs.configure("parola")
    house = House(
        process_gone=_gone,
        web=lambda fd: [sys.executable, "-m", __spec__.name, "web", str(fd)],
        media=lambda index: [sys.executable, "-m", __spec__.name, "media", str(index)],
        warm_up=lambda settings: None,
        first_claim=lambda settings: None,
        evidence_key=lambda settings: "",
    )
    try:
        serve(Settings.load(), house, _PATIENCE)
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def _upgrade() -> None:
    if (notes() / "no-database").exists():
        raise OSError("the disk is full")
    if (notes() / "slow-database").exists():
        threading.Event().wait(60)
    (notes() / "upgraded").open("x").close()  # once, and no more


async def _gone(settings: Settings, process_id: str) -> None:
    assert settings.nats_url
    (notes() / f"gone-{process_id}").touch()


def _begin(name: str) -> None:
    lifeline.hold()
    if (notes() / "stubborn").exists():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    lifeline.prepare(_upgrade)
    lifeline.wait_for_gate()
    assert (notes() / "upgraded").exists()
    text = json.dumps({k: v for k, v in os.environ.items() if k.startswith("PAROLA_")})
    # Complete when it appears.
    draft = notes() / f".{os.getpid()}"
    draft.write_text(text)
    draft.rename(notes() / f"{name}-{os.getpid()}")


def _web(fd: int) -> None:
    import socket

    _begin("web")
    print("a child's stdout is no place for the supervisor's line", flush=True)
    listening = socket.socket(fileno=fd)
    while True:
        connection, _ = listening.accept()
        with connection:
            asked = connection.recv(4096).decode()
            ready = not (notes() / "not-ready").exists()
            body = (
                str(os.getpid()) if asked.startswith("GET /pid ") else "ready" if ready else "Missing: bus."
            )
            status = "200 OK" if ready else "503 Service Unavailable"
            connection.sendall(_HTTP.format(status=status, length=len(body), body=body).encode())


def _media(index: int) -> None:
    import socket

    settings = Settings.load()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((settings.bind, settings.udp_port + index))
        _begin("media")
        if (notes() / "short-lived").exists():
            sys.exit(3)
        signal.pause()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
