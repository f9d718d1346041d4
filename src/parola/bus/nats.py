"""The bus over core NATS. It reconnects for ever; what is published meanwhile is refused, not kept for later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import nats
import nats.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg

from parola.bus.bus import BusUnavailable, Handler, Message, NoResponders, RequestTimeout

_log = structlog.get_logger(__name__)

_RECONNECT_S = 0.1
_PENDING_MESSAGES = 20_000
_PENDING_BYTES = 32 << 20


class NatsSubscription:
    def __init__(self, subscription: Any) -> None:
        self._subscription = subscription

    async def unsubscribe(self) -> None:
        try:
            await self._subscription.unsubscribe()
        except nats.errors.Error:
            pass  # without a connection there is nothing to take back: nats forgets it at the reconnect


class NatsBus:
    """Made by `connect`."""

    def __init__(self) -> None:
        self._client = Client()
        self._callbacks: list[Callable[[], Awaitable[None]]] = []
        self._closing = False

    @classmethod
    async def connect(cls, url: str, token: str | None = None) -> NatsBus:
        """Waits until the server answers; `token` is the embedded server's secret."""
        bus = cls()
        await bus._client.connect(
            servers=[url],
            token=token,
            allow_reconnect=True,
            max_reconnect_attempts=-1,
            reconnect_time_wait=_RECONNECT_S,
            connect_timeout=2,
            ping_interval=5,
            max_outstanding_pings=2,
            # Nothing is kept while the server is away: an old frame or fence is worse than none.
            pending_size=8 << 20,
            error_cb=bus._failed,
            disconnected_cb=bus._disconnected,
            reconnected_cb=bus._reconnected,
        )
        return bus

    @property
    def connected(self) -> bool:
        return bool(self._client.is_connected)

    async def publish(self, subject: str, data: bytes) -> None:
        if not self.connected:
            raise BusUnavailable("the bus is away")
        try:
            await self._client.publish(subject, data)
        except nats.errors.Error as error:
            raise BusUnavailable(str(error)) from error

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        if not self.connected:
            raise BusUnavailable("the bus is away")
        try:
            reply = await self._client.request(subject, data, timeout=timeout_s)
        except nats.errors.NoRespondersError as error:
            raise NoResponders(subject) from error
        except (nats.errors.TimeoutError, TimeoutError) as error:
            raise RequestTimeout(subject) from error
        except (nats.errors.Error, asyncio.CancelledError) as error:
            # nats cancels its requests when the connection breaks; a cancelled caller is another matter.
            task = asyncio.current_task()
            if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
                raise
            raise BusUnavailable(str(error)) from error
        return bytes(reply.data)

    async def subscribe(self, subject: str, handler: Handler) -> NatsSubscription:
        async def handle(msg: Msg) -> None:
            try:
                await handler(Message(msg.subject, msg.data, _responder(self, msg.reply)))
            except Exception:
                _log.exception("bus.handler_failed", subject=msg.subject)

        try:
            subscription = await self._client.subscribe(
                subject, cb=handle, pending_msgs_limit=_PENDING_MESSAGES, pending_bytes_limit=_PENDING_BYTES
            )
        except nats.errors.Error as error:
            raise BusUnavailable(str(error)) from error
        return NatsSubscription(subscription)

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def close(self) -> None:
        self._closing = True
        await self._client.close()

    async def _failed(self, error: Exception) -> None:
        if self.connected:
            _log.warning("bus.error", error=str(error) or type(error).__name__)

    async def _disconnected(self) -> None:
        if not self._closing:
            _log.warning("bus.lost")

    async def _reconnected(self) -> None:
        _log.info("bus.back")
        for callback in self._callbacks:
            try:
                await callback()
            except Exception:
                _log.exception("bus.reconnect_failed")


def _responder(bus: NatsBus, reply: str) -> Callable[[bytes], Awaitable[None]]:
    async def respond(data: bytes) -> None:
        if not reply:
            return
        try:
            await bus.publish(reply, data)
        except BusUnavailable:
            _log.warning("bus.answer_lost")

    return respond
