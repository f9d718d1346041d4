"""A bus inside one process, with the manners of the real one: for tests, where it can also go away and lose things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from parola.bus.bus import BusUnavailable, Handler, Message, NoResponders, RequestTimeout

_log = structlog.get_logger(__name__)


class MemorySubscription:
    def __init__(self, bus: MemoryBus, subject: str, handler: Handler) -> None:
        self.subject = subject
        self._bus = bus
        self._handler = handler
        self._queue: asyncio.Queue[Message] = asyncio.Queue()
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, message: Message) -> None:
        self._queue.put_nowait(message)

    async def drained(self) -> None:
        await self._queue.join()

    async def unsubscribe(self) -> None:
        if self in self._bus.subscriptions:
            self._bus.subscriptions.remove(self)
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            message = await self._queue.get()
            try:
                await self._handler(message)
            except Exception:
                _log.exception("bus.handler_failed", subject=message.subject)
            finally:
                self._queue.task_done()


class MemoryBus:
    """`lose` names subjects whose next message is lost; `away` makes everything fail."""

    def __init__(self) -> None:
        self.subscriptions: list[MemorySubscription] = []
        self.published: list[tuple[str, bytes]] = []
        self.lose: set[str] = set()
        self.away = False
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    @property
    def connected(self) -> bool:
        return not self.away

    async def publish(self, subject: str, data: bytes) -> None:
        self._check()
        self.published.append((subject, data))
        if subject in self.lose:
            self.lose.remove(subject)
            return
        self._deliver(subject, data, _nothing)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        self._check()
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def respond(reply: bytes) -> None:
            if not answer.done():
                answer.set_result(reply)

        if not self._deliver(subject, data, respond):
            raise NoResponders(subject)
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise RequestTimeout(subject) from error

    async def subscribe(self, subject: str, handler: Handler) -> MemorySubscription:
        subscription = MemorySubscription(self, subject, handler)
        self.subscriptions.append(subscription)
        return subscription

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def reconnect(self) -> None:
        """Ends `away`, and tells everyone."""
        self.away = False
        for callback in self._callbacks:
            await callback()

    async def drained(self) -> None:
        """Returns when every delivered message has been handled."""
        for subscription in list(self.subscriptions):
            await subscription.drained()

    async def close(self) -> None:
        for subscription in list(self.subscriptions):
            await subscription.unsubscribe()

    def _check(self) -> None:
        if self.away:
            raise BusUnavailable("the bus is away")

    def _deliver(self, subject: str, data: bytes, respond: Callable[[bytes], Awaitable[None]]) -> int:
        matching = [s for s in self.subscriptions if _matches(s.subject, subject)]
        for subscription in matching:
            subscription.put(Message(subject, data, respond))
        return len(matching)


async def _nothing(data: bytes) -> None:
    pass


def _matches(pattern: str, subject: str) -> bool:
    wanted, given = pattern.split("."), subject.split(".")
    for i, token in enumerate(wanted):
        if token == ">":
            return len(given) > i
        if i >= len(given) or token not in ("*", given[i]):
            return False
    return len(wanted) == len(given)
