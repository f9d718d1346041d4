"""What a bus does: publish, ask, listen. It may lose a message, and whoever uses it knows that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


class BusUnavailable(Exception):
    """The bus cannot do this now.

    BusUnavailable
     ├── NoResponders    nobody listens to that subject
     └── RequestTimeout  somebody may, and has not answered in time
    """


class NoResponders(BusUnavailable):
    pass


class RequestTimeout(BusUnavailable):
    pass


@dataclass(frozen=True, slots=True)
class Message:
    """`respond` does nothing where no answer was asked for."""

    subject: str
    data: bytes
    respond: Callable[[bytes], Awaitable[None]]


Handler = Callable[[Message], Awaitable[None]]


class Subscription(Protocol):
    async def unsubscribe(self) -> None: ...


class Bus(Protocol):
    """Handlers of one subscription run one after the other, in the order of arrival; an exception in one is logged and
    ends nothing."""

    reconnects: int
    """How often it was lost and came back."""
    dropped: int
    """Messages that found their mailbox full."""

    @property
    def connected(self) -> bool: ...

    async def publish(self, subject: str, data: bytes) -> None:
        """Raises BusUnavailable."""
        ...

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Raises NoResponders, RequestTimeout, BusUnavailable."""
        ...

    async def subscribe(self, subject: str, handler: Handler, pending: int = ...) -> Subscription:
        """`subject` may end in `>` or hold `*`, as in NATS. More than `pending` waiting messages, and the newest are
        dropped and counted in the log."""
        ...

    def on_reconnect(self, callback: Callable[[], Awaitable[None]]) -> None:
        """Called each time the bus is back, with every subscription in force again."""
        ...

    async def close(self) -> None: ...
