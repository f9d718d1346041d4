"""A bus inside one process, with the manners of the real one: for tests, where it can also go away and lose things."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from parola.bus.bus import BusUnavailable, Handler, Message, NoResponders, RequestTimeout
from parola.bus.mailbox import PENDING, Mailbox

_log = structlog.get_logger(__name__)


class MemorySubscription:
    def __init__(self, bus: MemoryBus, subject: str, mailbox: Mailbox) -> None:
        self.subject = subject
        self.mailbox = mailbox
        self._bus = bus

    async def unsubscribe(self) -> None:
        if self in self._bus.subscriptions:
            self._bus.subscriptions.remove(self)
        self.mailbox.close()


class MemoryBus:
    """`lose` names subjects whose next message is lost; `away` makes everything fail; `published` is what was said."""

    def __init__(self) -> None:
        self.subscriptions: list[MemorySubscription] = []
        self.published: list[tuple[str, bytes]] = []
        self.lose: set[str] = set()
        self.reconnects = 0
        self.dropped = 0
        self._away = False
        self._answers: set[asyncio.Future[bytes]] = set()
        self._callbacks: list[Callable[[], Awaitable[None]]] = []

    @property
    def connected(self) -> bool:
        return not self._away

    @property
    def away(self) -> bool:
        return self._away

    @away.setter
    def away(self, away: bool) -> None:
        self._away = away
        for answer in self._answers:
            if away and not answer.done():
                answer.set_exception(BusUnavailable("the bus went away before the answer"))

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
            if not answer.done() and not self._away:
                answer.set_result(reply)

        if not self._deliver(subject, data, respond):
            raise NoResponders(subject)
        self._answers.add(answer)
        try:
            return await asyncio.wait_for(answer, timeout_s)
        except TimeoutError as error:
            raise RequestTimeout(subject) from error
        finally:
            self._answers.discard(answer)

    async def subscribe(self, subject: str, handler: Handler, pending: int = PENDING) -> MemorySubscription:
        subscription = MemorySubscription(self, subject, Mailbox(subject, handler, pending, self._count_drop))
        self.subscriptions.append(subscription)
        return subscription

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        self._callbacks.append(callback)

    async def reconnect(self) -> None:
        """Ends `away`, and tells everyone."""
        self.reconnects += 1
        self.away = False
        for callback in self._callbacks:
            try:
                await callback()
            except Exception:
                _log.exception("bus.reconnect_failed")

    async def drained(self) -> None:
        """Returns when every delivered message has been handled."""
        for subscription in list(self.subscriptions):
            await subscription.mailbox.drained()

    async def close(self) -> None:
        for subscription in list(self.subscriptions):
            await subscription.unsubscribe()
        self.away = True

    def _count_drop(self) -> None:
        self.dropped += 1

    def _check(self) -> None:
        if self._away:
            raise BusUnavailable("the bus is away")

    def _deliver(self, subject: str, data: bytes, respond: Callable[[bytes], Awaitable[None]]) -> int:
        matching = [s for s in self.subscriptions if _matches(s.subject, subject)]
        for subscription in matching:
            subscription.mailbox.put(Message(subject, data, respond))
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
