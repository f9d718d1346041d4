"""Goes and looks: the only part of the doctor that touches the machine."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import http.client
import os
import resource
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from parola.bus.nats import NatsBus
from parola.doctor import machine, neighbours, network
from parola.doctor.finding import Finding
from parola.media.descriptors import WANTED
from parola.services.evidence_keys import EvidenceKeys
from parola.settings import Settings
from parola.store.examine import Examined, examine, shown
from parola.supervisor.bus import binary
from parola.supervisor.claims import StartError, bind_http, check_udp

_T = TypeVar("_T")

_PATIENCE_S = 5.0
_TONE_FRAMES = 10


def visit(settings: Settings) -> list[Finding]:
    """Everything that there is to say, in the order of its weight for a first start."""
    holder = _holder(settings.data_dir)
    examined = _tried(lambda: asyncio.run(_examine(settings.database_url)))
    return [
        machine.python(machine.this_python()),
        *machine.libraries({name: _tried(look) for name, look in _LIBRARIES.items()}),
        machine.codec(_tried(_tone)),
        *_network(settings, holder),
        *machine.data_folder(settings.data_dir, _trouble(settings.data_dir), _free(settings.data_dir)),
        neighbours.database(shown(settings.database_url), examined),
        neighbours.bus(*_bus(settings)),
        *neighbours.shared_database(
            settings.database_url.startswith("sqlite"), settings.embedded_nats, settings.roles
        ),
        neighbours.evidence(*_evidence(settings)),
        *machine.clock(time.time(), _drift(), getattr(examined, "ahead_s", None)),
        *_limits(settings),
        *machine.page(_page_is_built(), "web" in settings.roles),
        *_running(settings, holder),
    ]


def _network(settings: Settings, holder: str) -> list[Finding]:
    findings = []
    if "web" in settings.roles:
        words = f"{settings.http_port} of {settings.bind}"
        trouble = _start_error(lambda: bind_http(settings).close())
        findings.append(network.port("http", trouble, words, bool(holder)))
    if "media" in settings.roles:
        first, last = settings.udp_ports[0], settings.udp_ports[-1]
        words = f"{first} to {last} of {settings.bind}" if first != last else f"{first} of {settings.bind}"
        findings.append(network.port("udp", _start_error(lambda: check_udp(settings)), words, bool(holder)))
        for address in settings.local_addresses:
            findings.append(network.round_trip(address, _tried(partial(_round_trip, address))))
        findings.append(
            network.public_addresses(settings.public_ips, bool(settings.public_ip), settings.bind)
        )
    findings.append(network.bind(settings.bind, settings.trusted_proxies))
    if "web" in settings.roles:
        findings.append(network.public_url(settings.public_url, settings.bind))
    return findings


def _evidence(settings: Settings) -> tuple[bool, str | Exception, bool, bool]:
    keys = EvidenceKeys(settings.evidence_key, settings.evidence_file)
    key: str | Exception = ""
    if settings.evidence_key or settings.evidence_file.exists():
        key = _tried(lambda: keys.public().id)
    shared = not (settings.embedded_nats and settings.database_url.startswith("sqlite"))
    alone = shared and not settings.evidence_key
    return settings.evidence == "on", key, alone, "web" in settings.roles


def _limits(settings: Settings) -> list[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = 1 << 30 if hard == resource.RLIM_INFINITY else hard
    findings = [machine.descriptors(limit, WANTED)]
    if "media" in settings.roles:
        buffers = {name: _kernel(name) for name in ("net.core.rmem_max", "net.core.wmem_max")}
        findings.append(machine.udp_buffers(buffers, os.geteuid() == 0))
    media = settings.media_processes if "media" in settings.roles else 0
    web = settings.web_processes if "web" in settings.roles else 0
    return [*findings, machine.cores(_cores(), media, web)]


def _running(settings: Settings, holder: str) -> list[Finding]:
    if not holder or "web" not in settings.roles:
        return [neighbours.running("", holder, None)]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)
    url = f"http://{f'[{host}]' if ':' in host else host}:{settings.http_port}"
    ready = _tried(lambda: _get(host, settings.http_port, "/readyz"))
    metrics = _tried(lambda: _get(host, settings.http_port, "/metrics")[1].decode())
    return [neighbours.running(url, holder, ready), *neighbours.figures(metrics)]


def _tried(look: Callable[[], _T]) -> _T | Exception:
    try:
        return look()
    except Exception as error:
        return error


def _start_error(claim: Callable[[], object]) -> str:
    try:
        claim()
    except StartError as error:
        return str(error)
    return ""


def _holder(folder: Path) -> str:
    """Who has the data folder's lock, by their own words; nothing where nobody has."""
    try:
        with (folder / "lock").open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return file.read().strip() or "another process"
    except OSError:
        pass
    return ""


def _trouble(folder: Path) -> str:
    """Tries with a file without a name. A folder that is not there yet would be made in the next one above."""
    there = _existing(folder)
    try:
        if there.is_dir():
            with tempfile.TemporaryFile(dir=there) as file:
                file.write(b"parola")
            return ""
        return f"{there} is no folder"
    except OSError as error:
        return error.strerror or str(error)


def _free(folder: Path) -> int:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(_existing(folder)).free
    return 0


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


async def _examine(url: str) -> Examined | None:
    async with asyncio.timeout(_PATIENCE_S):
        return await examine(url)


def _bus(settings: Settings) -> tuple[str, str | Exception]:
    if settings.embedded_nats:
        return "our own nats-server", _tried(_nats_version)
    return "PAROLA_NATS_URL", _tried(lambda: asyncio.run(_reach_bus(settings)))


def _nats_version() -> str:
    asked = subprocess.run(
        [binary(), "--version"], capture_output=True, text=True, check=True, timeout=_PATIENCE_S
    )
    return asked.stdout.strip().removeprefix("nats-server: ")


async def _reach_bus(settings: Settings) -> str:
    began = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            bus = await NatsBus.connect(settings.nats_url, settings.nats_token)
    except TimeoutError as error:
        raise ConnectionError(f"no answer within {_PATIENCE_S:.0f} s") from error
    await bus.close()
    return f"reached in {(time.monotonic() - began) * 1000:.0f} ms"


def _round_trip(address: str) -> float:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(1.0)
        sock.bind((address, 0))
        began = time.perf_counter()
        sock.sendto(b"parola", sock.getsockname())
        sock.recv(16)
        return time.perf_counter() - began


def _get(host: str, port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=_PATIENCE_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _drift() -> float:
    wall, steady = time.time(), time.monotonic()
    time.sleep(0.1)
    return (time.time() - wall) - (time.monotonic() - steady)


def _kernel(name: str) -> int | None:
    try:
        return int(Path("/proc/sys", *name.split(".")).read_text())
    except (OSError, ValueError):
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _page_is_built() -> bool:
    import parola

    return (Path(parola.__file__).parent / "page" / "index.html").exists()


def _tone() -> float:
    import numpy as np

    from parola.media.codec import FRAME, RATE, Decoder, Encoder

    samples = np.arange(FRAME * _TONE_FRAMES) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 440 * samples)).astype(np.float32)
    encoder, decoder = Encoder(), Decoder()
    frames = [decoder.decode(encoder.encode(tone[i : i + FRAME])) for i in range(0, len(tone), FRAME)]
    heard = np.concatenate(frames[2:])
    return float(np.sqrt(np.mean(np.square(heard))))


def _libopus() -> str:
    from parola.media.codec import version

    return version()


def _libsrtp() -> str:
    import importlib.metadata

    import pylibsrtp

    pylibsrtp.Policy()
    return importlib.metadata.version("pylibsrtp")


def _openssl() -> str:
    from OpenSSL import SSL

    SSL.Context(SSL.DTLS_SERVER_METHOD)
    return f"{SSL.SSLeay_version(SSL.SSLEAY_VERSION).decode()}, with DTLS"


_LIBRARIES: dict[str, Callable[[], str]] = {
    "libopus": _libopus,
    "pylibsrtp": _libsrtp,
    "openssl": _openssl,
}
