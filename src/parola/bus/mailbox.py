"""Where a subscription's messages wait for their handler: in order, one at a time, and never without bound.

Whoever handles too slowly loses the newest messages. Everything that matters is read again from SQL, and an old
frame is worth nothing; memory that grows until the process dies helps nobody.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

import structlog

from parola.bus.bus import Handler, Message

_log = structlog.get_logger(__name__)

PENDING = 4096
"""Messages that may wait in one mailbox, unless its subscriber says otherwise."""
PENDING_BYTES = 32 << 20

_COMPLAIN_EVERY_S = 1.0


class Mailbox:
    """`put` never waits. `dropped` counts what found no room; `on_drop` is called for each of them."""

    def __init__(
        self,
        subject: str,
        handler: Handler,
        pending: int = PENDING,
        on_drop: Callable[[], None] = lambda: None,
    ) -> None:
        self.dropped = 0
        self._subject = subject
        self._handler = handler
        self._pending = pending
        self._on_drop = on_drop
        self._messages: deque[Message] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._next_complaint = 0.0
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, message: Message) -> None:
        if self._closed:
            return
        if len(self._messages) >= self._pending or self._bytes + len(message.data) > PENDING_BYTES:
            self._drop()
            return
        self._messages.append(message)
        self._bytes += len(message.data)
        self._idle.clear()
        self._wake.set()

    async def drained(self) -> None:
        """Returns when everything that was put has been handled."""
        await self._idle.wait()

    def close(self) -> None:
        """What still waits is forgotten. A handler may close its own mailbox, and ends undisturbed."""
        self._closed = True
        self._messages.clear()
        self._wake.set()
        if self._task is not asyncio.current_task():
            self._idle.set()
            self._task.cancel()

    def _drop(self) -> None:
        self.dropped += 1
        self._on_drop()
        now = time.monotonic()
        if now >= self._next_complaint:
            self._next_complaint = now + _COMPLAIN_EVERY_S
            _log.warning("bus.slow_handler", subject=self._subject, dropped=self.dropped)

    async def _run(self) -> None:
        while not self._closed:
            if not self._messages:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            message = self._messages.popleft()
            self._bytes -= len(message.data)
            await self._handle(message)
        self._idle.set()

    async def _handle(self, message: Message) -> None:
        try:
            await self._handler(message)
        except asyncio.CancelledError:
            # Something the handler waited for was cancelled, which is not the end of this mailbox.
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            _log.warning("bus.handler_cancelled", subject=message.subject)
        except Exception:
            _log.exception("bus.handler_failed", subject=message.subject)
