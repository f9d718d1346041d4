"""Waits until Parola can be used, and says so in one line."""

from __future__ import annotations

import asyncio
import contextlib
import sys

import structlog

from parola.settings import Settings
from parola.supervisor.holders import held_ports

_log = structlog.get_logger(__name__)

_LOOK_EVERY_S = 0.05
_COMPLAIN_EVERY_S = 15.0
_ANSWER_TIMEOUT_S = 3.0


async def announce(settings: Settings) -> None:
    """Prints the line that everybody waits for, on stdout; what is missing goes to the log from time to time."""
    loop = asyncio.get_running_loop()
    complain_at = loop.time() + _COMPLAIN_EVERY_S
    while (missing := await _missing(settings)) is not None:
        if loop.time() >= complain_at:
            complain_at = loop.time() + _COMPLAIN_EVERY_S
            _log.warning("parola.not_ready_yet", missing=missing)
        await asyncio.sleep(_LOOK_EVERY_S)
    if "web" in settings.roles:
        _say(f"Parola is ready: {settings.public_url}")
    else:
        first, last = settings.udp_ports[0], settings.udp_ports[-1]
        ports = f"port {first}" if first == last else f"ports {first} to {last}"
        _say(f"Parola is ready: media on UDP {ports} of {settings.bind}")


async def _missing(settings: Settings) -> str | None:
    if "web" in settings.roles:
        return await _asked(settings)
    held = held_ports("udp")
    closed = [port for port in settings.udp_ports if held is not None and port not in held]
    return f"UDP ports {closed}" if closed else None


async def _asked(settings: Settings) -> str | None:
    """Asks /readyz without any library: those look for proxies in the environment."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.bind, settings.bind)
    request = f"GET /readyz HTTP/1.1\r\nHost: localhost:{settings.http_port}\r\nConnection: close\r\n\r\n"
    try:
        async with asyncio.timeout(_ANSWER_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(host, settings.http_port)
            try:
                writer.write(request.encode())
                answer = await reader.read(4096)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
    except (OSError, TimeoutError) as error:
        return f"/readyz does not answer ({type(error).__name__})"
    head, _, body = answer.decode(errors="replace").partition("\r\n\r\n")
    return None if head.split(" ")[1:2] == ["200"] else body[:300] or head[:100] or "an empty answer"


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # nobody listens any more
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
