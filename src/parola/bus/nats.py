"""The bus over core NATS. It comes back for ever, with every subscription; meanwhile it refuses instead of waiting.

The client's own reconnecting is switched off: it gives up after some of the server's errors, runs callbacks where they
can block its reader, and leaves requests in flight to their timeouts. Here a lost connection is thrown away and a new
one made, which is one way for every kind of loss.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import Any

import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from parola.bus.bus import BusUnavailable, Handler, Message, NoResponders, RequestTimeout
from parola.bus.mailbox import PENDING, Mailbox
from parola.bus.subjects import NOBODY

_log = structlog.get_logger(__name__)

_RETRY_S = 0.1
_CONNECT_TIMEOUT_S = 2
_PING_EVERY_S = 5
_CHECK_EVERY_S = 1.0
_COMPLAIN_EVERY_S = 5.0


class NatsSubscription:
    def __init__(self, bus: NatsBus, subject: str, mailbox: Mailbox) -> None:
        self.client: Client | None = None
        """The connection that knows this subscription, None when none does yet."""
        self._bus = bus
        self._subject = subject
        self._mailbox = mailbox
        self._at_server: Any = None

    async def open(self, client: Client) -> None:
        self.client = client
        self._at_server = await client.subscribe(self._subject, cb=self._received)

    async def unsubscribe(self) -> None:
        self._bus.forget(self)
        self._mailbox.close()
        if self._at_server is not None:
            # Without a connection there is nothing to take back: the next one is not told of it.
            with contextlib.suppress(nats.errors.Error, OSError):
                await self._at_server.unsubscribe()

    async def _received(self, msg: Msg) -> None:
        self._mailbox.put(Message(msg.subject, msg.data, self._bus.responder(msg.reply)))


class NatsBus:
    """Made by `connect`."""

    def __init__(self, url: str, token: str | None) -> None:
        self.reconnects = 0
        self.dropped = 0
        self._servers = [server.strip() for server in url.split(",")]
        self._token = token
        self._client: Client | None = None
        self._subscriptions: set[NatsSubscription] = set()
        self._requests: set[asyncio.Task[Msg]] = set()
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._look = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()

    @classmethod
    async def connect(cls, url: str, token: str | None = None) -> NatsBus:
        """Waits until a server answers. `url` may name several, with commas; `token` is an embedded server's secret."""
        bus = cls(url, token)
        await bus._open()
        bus._start(bus._keep())
        return bus

    @property
    def connected(self) -> bool:
        return self._client is not None and bool(self._client.is_connected)

    async def publish(self, subject: str, data: bytes) -> None:
        client = self._connection()
        try:
            await client.publish(subject, data)
        except (nats.errors.Error, OSError) as error:
            raise BusUnavailable(_words(error)) from error

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        client = self._connection()
        request = asyncio.get_running_loop().create_task(client.request(subject, data, timeout=timeout_s))
        self._requests.add(request)
        try:
            return bytes((await request).data)
        except nats.errors.NoRespondersError as error:
            raise NoResponders(subject) from error
        except (nats.errors.TimeoutError, TimeoutError) as error:
            raise RequestTimeout(subject) from error
        except (nats.errors.Error, OSError) as error:
            raise BusUnavailable(_words(error)) from error
        except asyncio.CancelledError as error:
            # `_abandon` cancels requests whose connection is lost; a cancelled caller is another matter.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise BusUnavailable("the bus went away before the answer") from error
        finally:
            self._requests.discard(request)

    async def subscribe(self, subject: str, handler: Handler, pending: int = PENDING) -> NatsSubscription:
        """When this returns, the server knows of it; while the server is away it begins with the next connection."""
        subscription = NatsSubscription(self, subject, Mailbox(subject, handler, pending, self._count_drop))
        self._subscriptions.add(subscription)
        if self._client is not None and self.connected:
            with contextlib.suppress(nats.errors.Error, OSError):
                await subscription.open(self._client)
                await _known_to_server(self._client)
        return subscription

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def close(self) -> None:
        # Also said aloud: where the client waits for the end of its own tasks, it takes a cancellation for that.
        self._ended.set()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for subscription in list(self._subscriptions):
            await subscription.unsubscribe()
        await self._abandon()

    def forget(self, subscription: NatsSubscription) -> None:
        self._subscriptions.discard(subscription)

    def responder(self, reply: str) -> Callable[[bytes], Awaitable[None]]:
        async def respond(data: bytes) -> None:
            if not reply:
                return
            try:
                await self.publish(reply, data)
            except BusUnavailable:
                _log.warning("bus.answer_lost")

        return respond

    def _count_drop(self) -> None:
        self.dropped += 1

    def _connection(self) -> Client:
        if self._client is None or not self._client.is_connected:
            self._look.set()
            raise BusUnavailable("the bus is away")
        return self._client

    async def _keep(self) -> None:
        while not self._ended.is_set():
            await self._until_lost()
            _log.warning("bus.lost")
            await self._abandon()
            await self._open()
            if self._ended.is_set():
                return
            self.reconnects += 1
            _log.info("bus.back")
            self._start(self._tell())

    async def _until_lost(self) -> None:
        # The client does not call back for every way of losing its connection, hence a look from time to time.
        while self.connected:
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_EVERY_S):
                    await self._look.wait()

    async def _abandon(self) -> None:
        client, self._client = self._client, None
        for request in self._requests:
            request.cancel()
        if client is not None:
            await _discard(client)

    async def _open(self) -> None:
        """Tries until it works, or this bus is closed."""
        next_complaint = time.monotonic() + _RETRY_S * 5
        while not self._ended.is_set():
            try:
                self._client = await self._attempt()
                return
            except (nats.errors.Error, OSError, TimeoutError, ValueError) as error:
                if time.monotonic() >= next_complaint:
                    next_complaint = time.monotonic() + _COMPLAIN_EVERY_S
                    _log.warning("bus.waiting", reason=_words(error))
            await asyncio.sleep(_RETRY_S)

    async def _attempt(self) -> Client:
        client = Client()
        try:
            await client.connect(
                servers=self._servers,
                token=self._token,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_TIMEOUT_S,
                ping_interval=_PING_EVERY_S,
                max_outstanding_pings=2,
                error_cb=self._failed,
                closed_cb=self._closed,
            )
            # Subscriptions may be added while others are being opened: no await between the last look and the return.
            while waiting := [s for s in self._subscriptions if s.client is not client]:
                for subscription in waiting:
                    await subscription.open(client)
                await _known_to_server(client)
        except BaseException:
            await _discard(client)
            raise
        return client

    async def _failed(self, error: Exception) -> None:
        # An end of the stream is a loss, which is said elsewhere.
        if self.connected and not isinstance(error, nats.errors.UnexpectedEOF):
            _log.warning("bus.error", reason=_words(error))

    async def _closed(self) -> None:
        self._look.set()

    async def _tell(self) -> None:
        for callback in self._callbacks:
            try:
                await callback()
            except Exception:
                _log.exception("bus.reconnect_failed")

    def _start(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def _known_to_server(client: Client) -> None:
    """Returns when the server has read all that was sent before. Not by `flush`: its PING overtakes what is pending."""
    with contextlib.suppress(nats.errors.NoRespondersError):
        await client.request(NOBODY, timeout=_CONNECT_TIMEOUT_S)


async def _discard(client: Client) -> None:
    # A connection that is broken half-way may fail to close in more ways than nats has errors for.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(client.close(), 1.0)


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__
