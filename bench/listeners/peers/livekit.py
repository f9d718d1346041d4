"""LiveKit, once by default and once as its own documentation says to tune it: a UDP port for each core, an ICE-lite
agent, and packets written in batches. Both listen on loopback only, and neither has a limit on tracks.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets
import shutil
import socket
import time
from pathlib import Path

from bench.listeners.peers import process
from bench.listeners.peers.livekit_signalling import LiveKitWay, Token
from bench.listeners.peers.process import CACHE, Process
from bench.listeners.signalling import NotRun

VERSION = "1.13.3"
_MODULE = f"github.com/livekit/livekit-server/cmd/server@v{VERSION}"
_FOLDER = CACHE / "livekit"
_BUILD_S = 3600.0

_CONFIG = """port: {port}
bind_addresses: ["127.0.0.1"]
keys:
  {key}: {secret}
logging:
  level: warn
limit:
  num_tracks: -1
rtc:
  node_ip: 127.0.0.1
  use_external_ip: false
  enable_loopback_candidate: true
  interfaces:
    includes: ["lo"]
  ips:
    includes: ["127.0.0.0/8"]
  tcp_port: 0
"""
_TUNED = """  udp_port: {udp}
  use_ice_lite: true
  batch_io:
    batch_size: 128
    max_flush_interval: 2ms
"""
_DEFAULT = """  port_range_start: 50000
  port_range_end: 60000
"""


class LiveKit:
    """`tuned`: with the three settings that its sample configuration names for the sake of speed."""

    note = ""

    def __init__(self, tuned: bool = False) -> None:
        self.name = f"LiveKit {VERSION}, {'tuned' if tuned else 'by default'}"
        self._tuned = tuned
        self._key, self._secret = "bench", secrets.token_hex(24)
        self._origin = ""
        self._process: Process | None = None
        self._rooms = 0

    async def start(self, folder: Path) -> None:
        program = await binary()
        port = process.free_ports(1)
        config = folder / "livekit.yaml"
        config.write_text(self._config(port))
        # The secret stands in that file: nobody else needs to read it.
        config.chmod(0o600)
        self._origin = f"127.0.0.1:{port}"
        self._process = Process.start([str(program), "--config", str(config)], folder)
        await self._process.answers(("127.0.0.1", port))

    async def stop(self) -> None:
        if self._process is not None:
            await self._process.stop()
            self._process = None

    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None else []

    async def room(self, speakers: int) -> LiveKitRoom:
        """Rooms come into being with the first who joins."""
        self._rooms += 1
        return LiveKitRoom(self._origin, f"room{self._rooms}", speakers, self._token)

    def _config(self, port: int) -> str:
        text = _CONFIG.format(port=port, key=self._key, secret=self._secret)
        if not self._tuned:
            return text + _DEFAULT
        cores = os.cpu_count() or 1
        first = process.free_ports(cores, socket.SOCK_DGRAM)
        return text + _TUNED.format(udp=first if cores == 1 else f"{first}-{first + cores - 1}")

    def _token(self, room: str, identity: str, speaks: bool) -> str:
        return token(self._key, self._secret, room, identity, speaks, int(time.time()))


class LiveKitRoom:
    """Everybody gets everybody's stream."""

    def __init__(self, origin: str, room: str, speakers: int, token: Token) -> None:
        self.streams = speakers
        self._room = room
        self._origin = origin
        self._token = token
        self._ways: list[LiveKitWay] = []

    def listening(self) -> LiveKitWay:
        return self._way(f"listener-{secrets.token_hex(3)}-", speaks=False)

    def speaking(self, speaker: int) -> LiveKitWay:
        return self._way(f"speaker-{speaker}-", speaks=True)

    async def close(self) -> None:
        for way in self._ways:
            await way.close()

    def _way(self, name: str, speaks: bool) -> LiveKitWay:
        way = LiveKitWay(self._origin, self._room, name, speaks, self._token)
        self._ways.append(way)
        return way


async def binary() -> Path:
    """The server: the one that PAROLA_LIVEKIT names, or one built once with Go, which takes minutes. Raises NotRun."""
    named = os.environ.get("PAROLA_LIVEKIT")
    built = Path(named) if named else _FOLDER / f"server-{VERSION}"
    if built.exists():
        return built
    if named:
        raise NotRun(f"PAROLA_LIVEKIT names {named}, which is not there")
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        raise NotRun("no Go")
    print(f"LiveKit {VERSION}: being built with Go (once, some minutes)", flush=True)
    work = _FOLDER / "bin"
    work.mkdir(parents=True, exist_ok=True)
    await process.run([go, "install", _MODULE], {"GOBIN": str(work)}, _BUILD_S)
    (work / "server").rename(built)
    return built


def token(key: str, secret: str, room: str, identity: str, speaks: bool, now: int) -> str:
    """A JSON web token (RFC 7519, HS256) that opens one room for an hour to one identity."""
    grant = {
        "roomJoin": True,
        "room": room,
        "canPublish": speaks,
        "canPublishData": speaks,
        "canSubscribe": not speaks,
    }
    claims = {"iss": key, "sub": identity, "nbf": now - 60, "exp": now + 3600, "video": grant}
    signed = ".".join(_base64(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    tag = hmac.digest(secret.encode(), signed.encode(), hashlib.sha256)
    return f"{signed}.{_base64(tag)}"


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
