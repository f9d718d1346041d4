"""What an HTTP connection passes before any call of it is looked at: that there is a descriptor to spare for it, and
that it says in time what it wants.

The last descriptors of a process are kept for its database and its bus. Whoever gets one of them all the same is told
to come later and shown out; nothing that is open already notices. The kernel always gives out the lowest number that
is free, so that a connection's own number says how many are left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parola.api.problems import problem
from parola.media.descriptors import most_descriptors

_log = structlog.get_logger(__name__)

RESERVED = 64
"""At most; of few descriptors it is a quarter."""
REQUEST_S = 20.0
"""From its first byte to its last a call takes no longer, nor does anybody stay who never calls."""
SHOWN_OUT_S = 1.0
_OVER_AFTER_S = 3.0
"""At the edge each one that leaves makes room for one; that is not worth a line each."""
_RETRY_AFTER_S = "2"


class Porter:
    """Knows, for all connections of a process, whether descriptors are running out; says so once, and once when it is
    over."""

    def __init__(
        self, most: Callable[[], int] = most_descriptors, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self.is_short = False
        self._most = most
        self._monotonic = monotonic
        self._refused_at = 0.0
        self._refused = 0

    def has_room(self, descriptor: int) -> bool:
        most = self._most()
        if descriptor < most - min(RESERVED, most // 4):
            if self.is_short and self._monotonic() - self._refused_at > _OVER_AFTER_S:
                _log.warning("descriptors.free_again", refused=self._refused)
                self.is_short, self._refused = False, 0
            return True
        if not self.is_short:
            _log.error("descriptors.exhausted", most=most)
        self.is_short = True
        self._refused += 1
        self._refused_at = self._monotonic()
        return False


class Door(HttpToolsProtocol):
    """One connection; the server gives everything but the porter."""

    def __init__(self, porter: Porter, **given: Any) -> None:
        super().__init__(**given)
        self._porter = porter
        self._patience: asyncio.TimerHandle | None = None
        self._stays = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._stays = self._porter.has_room(transport.get_extra_info("socket").fileno())
        if not self._stays:
            self.app = _come_later(self.app)
        self._wait(REQUEST_S if self._stays else SHOWN_OUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait(None)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._patience is None:
            self._wait(REQUEST_S)

    def on_message_complete(self) -> None:
        self._wait(None if self._stays else SHOWN_OUT_S)
        super().on_message_complete()

    def _wait(self, seconds: float | None) -> None:
        if self._patience is not None:
            self._patience.cancel()
        self._patience = (
            None if seconds is None else self.loop.call_later(seconds, self.timeout_keep_alive_handler)
        )


def _come_later(app: ASGIApp) -> ASGIApp:
    """That the process lives stays true."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await app(scope, receive, send)
            return
        headers = {"Retry-After": _RETRY_AFTER_S, "Connection": "close", "Access-Control-Allow-Origin": "*"}
        ready = scope["path"] == "/readyz"
        code, more = ("not_ready", {"missing": ["descriptors"]}) if ready else ("full", {})
        detail = "This server can take no more connections just now."
        await problem(503, code, detail, headers, **more)(scope, receive, send)

    return answer
