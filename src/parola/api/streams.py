"""A connection that has become an event stream: bytes go straight to its transport, and nothing else is kept for it.

Of thousands of streams the HTTP server's parser, call and tasks would be most of the memory, and most of the time that
an event takes to reach all. Who does not read is let go.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable

UNREAD_S = 8.0
"""Who takes nothing of an answer for so long is let go, with what is left of it."""
_MOST_SAID = 64 << 10
"""Nobody has anything to say on a stream; who says more than that is shown out."""


class OpenStream(asyncio.Protocol):
    """An outlet for a reader. `on_gone` is called once, when the connection is lost."""

    __slots__ = ("_on_gone", "_patience", "_said", "_transport", "_untaken", "on_lost")

    def __init__(self, transport: asyncio.Transport, on_gone: Callable[[OpenStream], None]) -> None:
        self.on_lost: Callable[[], None] = _nobody
        self._transport = transport
        self._on_gone = on_gone
        self._patience: asyncio.TimerHandle | None = None
        self._untaken = 0
        self._said = 0

    def write(self, text: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_framed(text))

    def unread(self) -> int:
        return self._transport.get_write_buffer_size()

    @property
    def is_stuck(self) -> bool:
        return self._patience is not None

    def close(self) -> None:
        """What is written goes first, if it is taken."""
        if not self._transport.is_closing():
            self._transport.write(b"0\r\n\r\n")
            self._transport.close()
            if self._patience is None:
                self._wait()

    def shutdown(self) -> None:
        """The server ends."""
        self.on_lost()

    def data_received(self, data: bytes) -> None:
        self._said += len(data)
        if self._said > _MOST_SAID:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        on_lost, self.on_lost = self.on_lost, _nobody
        on_lost()
        self._on_gone(self)

    def pause_writing(self) -> None:
        self._wait()

    def resume_writing(self) -> None:
        if not self._transport.is_closing():
            self._stop_waiting()

    def _wait(self) -> None:
        self._stop_waiting()
        self._untaken = self.unread()
        self._patience = asyncio.get_running_loop().call_later(UNREAD_S, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if self.unread() < self._untaken:
            self._wait()  # slowly, but it reads
        else:
            self._transport.abort()


@functools.lru_cache(maxsize=32)
def _framed(text: bytes) -> bytes:
    """A chunk (RFC 9112, section 7.1). The same text goes to thousands, one after the other, and is framed once."""
    return b"%x\r\n%b\r\n" % (len(text), text)


def _nobody() -> None:
    pass
