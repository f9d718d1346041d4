"""What an HTTP connection passes before any call of it is looked at: that there is a descriptor to spare for it, that
its address has not too many already, that it says in time and in few words what it wants, and that it takes its answer.

The last descriptors of a process are kept for its database and its bus. Whoever gets one of them all the same is told
to come later and shown out; nothing that is open already notices. The kernel always gives out the lowest number that
is free, so that a connection's own number says how many are left.

An address has a number of connections, too. Behind many who stand there and ask for nothing somebody may come who does:
whoever has waited longest without a call makes room for the next one, and only where all are being answered is one sent
away.
"""

from __future__ import annotations

import asyncio
import ipaddress
import time
import weakref
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from typing import Any

import structlog
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from parola.api.bodies import LARGEST_BODY, largest
from parola.api.limiting import counted_as
from parola.api.problems import problem
from parola.api.streams import UNREAD_S, OpenStream
from parola.domain.limits import OPEN_CONNECTIONS
from parola.media.descriptors import most_descriptors

_log = structlog.get_logger(__name__)

RESERVED = 96
"""At most; of few descriptors it is a quarter."""
REQUEST_S = 20.0
"""From its first byte to its last a call takes no longer, nor does anybody stay who never calls."""
LARGEST_HEAD = 64 << 10
_ON_THE_WIRE = 8
"""So many times its bytes a body may be in small chunks, with all that may stand between and behind them."""
LARGEST_CALL = _ON_THE_WIRE * LARGEST_BODY
SHOWN_OUT_S = 1.0
_OVER_AFTER_S = 3.0
"""At the edge each one that leaves makes room for one; that is not worth a line each."""
_RETRY_AFTER_S = "2"
DOOR = "parola.door"
"""Under this name a call finds a weak reference to its door, among the extensions of its scope."""


class Porter:
    """Knows, for all connections of a process, whether descriptors are running out, says so once, and once when it is
    over; and how many each address has. `most_of_an_address` is None where nobody counts; the proxies in `trusted`
    bring everybody's."""

    def __init__(
        self,
        most: Callable[[], int] = most_descriptors,
        monotonic: Callable[[], float] = time.monotonic,
        most_of_an_address: int | None = OPEN_CONNECTIONS,
        trusted: Collection[str] = (),
    ) -> None:
        self.is_short = False
        self._most = most
        self._monotonic = monotonic
        self._refused_at = 0.0
        self._refused = 0
        self._most_of_an_address = most_of_an_address
        self._trusted = [ipaddress.ip_network(network) for network in trusted]
        self._open: Counter[str] = Counter()
        # In the order in which they began to wait.
        self._waiting: defaultdict[str, dict[Door, None]] = defaultdict(dict)

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

    def counts(self, host: str) -> str | None:
        """As whose a connection from `host` is counted; None where it is not."""
        if self._most_of_an_address is None or self._is_trusted(host):
            return None
        return counted_as(host)

    def enter(self, address: str, door: Door) -> bool:
        """False where the address has as many as it may, and all of them are being answered."""
        most = self._most_of_an_address or 0
        waiting, is_full = self._waiting[address], self._open[address] >= 2 * most
        if waiting and (is_full or len(waiting) >= most):
            next(iter(waiting)).show_out()
        elif is_full:
            return False
        self._open[address] += 1
        self._waiting[address][door] = None
        return True

    def answering(self, address: str, door: Door) -> None:
        self._waiting[address].pop(door, None)

    def waiting(self, address: str, door: Door) -> None:
        self._waiting[address].pop(door, None)
        self._waiting[address][door] = None

    def leave(self, address: str, door: Door | OpenStream) -> None:
        if isinstance(door, Door):
            self._waiting[address].pop(door, None)
        self._open[address] -= 1
        if self._open[address] <= 0:
            del self._open[address]
            del self._waiting[address]

    def _is_trusted(self, host: str) -> bool:
        if not self._trusted:
            return False
        try:
            ip = ipaddress.ip_address(host)
        except ValueError:
            return False
        return any(ip in network for network in self._trusted)


class Door(HttpToolsProtocol):
    """One connection; the server gives everything but the porter."""

    def __init__(self, porter: Porter, **given: Any) -> None:
        super().__init__(**given)
        self._porter = porter
        self._counted: str | None = None
        self._stays = True
        self._patience: asyncio.TimerHandle | None = None
        self._untaken = 0
        self._is_whole = True
        """Nothing is missing of the call that came last."""
        self._in_head = True
        self._call_bytes = 0
        self._most_bytes = LARGEST_CALL

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        refusal: Callable[[ASGIApp], ASGIApp] | None = None
        if not self._porter.has_room(transport.get_extra_info("socket").fileno()):
            refusal = _come_later
        else:
            address = self._porter.counts(self.client[0]) if self.client is not None else None
            if address is not None and not self._porter.enter(address, self):
                refusal = _too_many
            else:
                self._counted = address
        self._stays = refusal is None
        if refusal is not None:
            self.app = refusal(self.app)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self.show_out()
        super().connection_lost(exc)

    def show_out(self) -> None:
        """Ends the connection, with whatever is left to say; its place is free at once."""
        if self._patience is not None:
            self._patience.cancel()
        if self._counted is not None:
            self._porter.leave(self._counted, self)
            self._counted = None
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        self._call_bytes += len(data)
        super().data_received(data)
        if not self._is_whole and self._call_bytes > (LARGEST_HEAD if self._in_head else self._most_bytes):
            self.show_out()

    def become_stream(self, on_gone: Callable[[], None]) -> OpenStream | None:
        """The head of an answer is written, and all that follows goes to the stream that this returns. Everything that
        was needed to understand a call is let go. None where the connection is lost already."""
        if self.transport.is_closing():
            return None
        porter, address = self._porter, self._counted

        def gone(stream: OpenStream) -> None:
            connections.discard(stream)
            if address is not None:
                porter.leave(address, stream)
            on_gone()

        if self._patience is not None:
            self._patience.cancel()
        self._unset_keepalive_if_required()
        stream, connections = OpenStream(self.transport, gone), self.connections
        self.connections.discard(self)
        self.connections.add(stream)  # type: ignore[arg-type]
        self.flow.resume_reading()
        self.transport.set_protocol(stream)
        self.cycle.disconnected = True  # the server has nothing to add when the call returns
        self.pipeline.clear()
        self.parser = self.cycle = self.scope = None  # type: ignore[assignment]
        return stream

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {DOOR: {"door": weakref.ref(self)}}
        self._is_whole, self._in_head, self._call_bytes = False, True, 0

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        body = largest(self.scope["method"], self.scope.get("path", ""))
        self._most_bytes = LARGEST_CALL if body == LARGEST_BODY else LARGEST_CALL + body

    def on_message_complete(self) -> None:
        self._is_whole = True
        if self._counted is not None:
            self._porter.answering(self._counted, self)
        self._wait()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._counted is not None and not self._is_answering:
            self._porter.waiting(self._counted, self)
        if not self._is_whole and not self.transport.is_closing():
            # Answered before the end of the call: whoever goes on all the same is not listened to, and may still read.
            self.flow.pause_reading()
            self.transport.write_eof()
            self._stays = False
        self._wait()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._wait()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait()

    @property
    def _is_answering(self) -> bool:
        return self._is_whole and self.cycle is not None and not self.cycle.response_complete

    def _wait(self) -> None:
        """For what is to come next: a call, or that the other side takes what it was told."""
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None
        seconds = UNREAD_S if self.flow.write_paused else None if self._is_answering else REQUEST_S
        if not self._stays:
            seconds = SHOWN_OUT_S
        if seconds is not None and self.parser is not None:
            self._untaken = self.transport.get_write_buffer_size()
            self._patience = self.loop.call_later(seconds, self._lose_patience)

    def _lose_patience(self) -> None:
        if self._stays and self.transport.get_write_buffer_size() < self._untaken:
            self._wait()  # slowly, but it reads
        else:
            self.show_out()


def _too_many(app: ASGIApp) -> ASGIApp:
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = {"Retry-After": "10", "Connection": "close", "Access-Control-Allow-Origin": "*"}
        detail = "Too many open connections from this address."
        await problem(429, "too_many_connections", detail, headers)(scope, receive, send)

    return answer


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
