"""Janus with its streaming plugin: plain RTP comes in on loopback ports and goes out to every viewer as it is.

By default each listener has a thread of its own. Tuned: an event loop for each core, an ICE-lite agent, and no packets
kept for retransmission beyond what it insists on.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
from pathlib import Path

from bench.listeners.peers import process
from bench.listeners.peers.janus_api import Janus as Api
from bench.listeners.peers.janus_api import JanusError, JanusWay
from bench.listeners.peers.process import Process
from bench.listeners.signalling import NotRun, PlainRtp

_OPUS_PT = 111
_SHIM = Path(__file__).with_name("loopback.c")
_CONFIG = """general: {{
    configs_folder = "{folder}"
    plugins_folder = "{folder}/plugins"
    transports_folder = "{folder}/transports"
    events_folder = "{folder}/none"
    loggers_folder = "{folder}/none"
    debug_level = 3
    debug_colors = false
{general}}}
media: {{
{media}}}
nat: {{
    ice_enforce_list = "lo"
{nat}}}
"""
_TRANSPORT = """general: {{
    enabled = true
    json = "compact"
    path = "{path}"
}}
"""


class Janus:
    """`tuned`: with what its sample configuration offers for many viewers."""

    def __init__(self, tuned: bool = False) -> None:
        self.name = f"Janus streaming, {'tuned' if tuned else 'by default'}"
        self.note = ""
        self._tuned = tuned
        self._process: Process | None = None
        self._api: Api | None = None
        self._rooms = 0

    async def start(self, folder: Path) -> None:
        program = await process.debian("janus", "janus")
        self.note = await _note(program)
        path = folder / "api"
        _configure(folder, self._tuned)
        (folder / "janus.transport.pfunix.jcfg").write_text(_TRANSPORT.format(path=path))
        command = [program, f"--config={folder / 'janus.jcfg'}", f"--configs-folder={folder}"]
        self._process = Process.start(command, folder, {"LD_PRELOAD": str(await _loopback(folder))})
        await self._process.answers(path)
        try:
            self._api = await Api.connect(path)
        except (OSError, TimeoutError, JanusError) as error:
            raise NotRun(f"its API: {error!r}") from error

    async def stop(self) -> None:
        if self._api is not None:
            await self._api.close()
            self._api = None
        if self._process is not None:
            await self._process.stop()
            self._process = None

    def pids(self) -> list[int]:
        return [self._process.pid] if self._process is not None else []

    async def room(self, speakers: int) -> JanusRoom:
        """A mountpoint with one stream for each speaker."""
        assert self._api is not None
        self._rooms += 1
        first = process.free_ports(speakers, socket.SOCK_DGRAM)
        ports = list(range(first, first + speakers))
        await self._api.create_mountpoint(self._rooms, ports, _OPUS_PT)
        return JanusRoom(self._api, self._rooms, ports)


class JanusRoom:
    def __init__(self, api: Api, mountpoint: int, ports: list[int]) -> None:
        self.streams = len(ports)
        self._api = api
        self._mountpoint = mountpoint
        self._ports = ports

    def listening(self) -> JanusWay:
        return JanusWay(self._api, self._mountpoint)

    def speaking(self, speaker: int) -> PlainRtp:
        return PlainRtp(("127.0.0.1", self._ports[speaker]), _OPUS_PT)

    async def close(self) -> None:
        """Also of a server that is gone."""
        with contextlib.suppress(JanusError, OSError, TimeoutError):
            await self._api.destroy_mountpoint(self._mountpoint)


def _configure(folder: Path, tuned: bool) -> None:
    """The core's own file, and only the plugin and the transport that are needed."""
    installed = _installed()
    for kind, module in (("plugins", "streaming"), ("transports", "pfunix")):
        (folder / kind).mkdir()
        name = f"libjanus_{module}.so"
        (folder / kind / name).symlink_to(installed / kind / name)
    (folder / "none").mkdir()
    general = f"    event_loops = {os.cpu_count() or 1}\n" if tuned else ""
    nat = "    ice_lite = true\n    full_trickle = false\n    ignore_mdns = true\n" if tuned else ""
    media = "    min_nack_queue = 0\n" if tuned else ""
    (folder / "janus.jcfg").write_text(_CONFIG.format(folder=folder, general=general, nat=nat, media=media))


async def _loopback(folder: Path) -> Path:
    """What makes it use the loopback interface, compiled. Raises NotRun."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise NotRun("it refuses loopback addresses, and there is no C compiler to talk it into them")
    made = folder / "loopback.so"
    await process.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(_SHIM), "-ldl"])
    return made


def _installed() -> Path:
    """Where Debian keeps its modules, for whatever processor. Raises NotRun."""
    found = sorted(Path("/usr/lib").glob("*/janus"))
    if not found:
        raise NotRun("no modules of Janus in /usr/lib")
    return found[0]


async def _note(program: str) -> str:
    """The version, and which cryptography its libsrtp has: through NSS each packet takes about twice as long."""
    said = await process.run([program, "--help"])
    version = next(iter(re.findall(r"\d+\.\d+\.\d+", said)), "of unknown version")
    linked = await process.run(["ldd", program])
    srtp = next(iter(re.findall(r"libsrtp2\S* => (\S+)", linked)), "")
    inside = await process.run(["ldd", srtp]) if srtp else ""
    build = "libsrtp on NSS, which is slow" if "libnss3" in inside else "libsrtp without NSS"
    return f"Janus {version}, {build}"
