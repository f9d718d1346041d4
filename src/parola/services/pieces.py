"""A stream for whoever takes it piece by piece, rather than have it written to them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection

from parola.services.readers import Outlet


async def pieces(
    follow: Callable[[Outlet], Awaitable[None]], closing: Callable[[], Collection[asyncio.Task[None]]] = tuple
) -> AsyncGenerator[bytes]:
    """What `follow` writes to the outlet that it is given. `closing` are works that its end has begun, and that are
    over when this is."""
    outlet = _Pieces()
    following = asyncio.ensure_future(follow(outlet))
    try:
        while (text := await outlet.take()) is not None:
            yield text
        await following
    finally:
        outlet.on_lost()
        following.cancel()
        await asyncio.gather(following, *closing(), return_exceptions=True)


class _Pieces:
    """An outlet whose pieces are taken one by one."""

    def __init__(self) -> None:
        self.on_lost: Callable[[], None] = lambda: None
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._unread = 0

    def write(self, text: bytes) -> None:
        self._unread += _weight(text)
        self._queue.put_nowait(text)

    def unread(self) -> int:
        return self._unread

    def close(self) -> None:
        self._queue.put_nowait(None)

    async def take(self) -> bytes | None:
        text = await self._queue.get()
        self._unread -= _weight(text) if text is not None else 0
        return text


def _weight(text: bytes) -> int:
    """With what a piece takes of memory by waiting."""
    return len(text) + 1024
