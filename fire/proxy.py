"""A TCP door between two programs that can be shut: a load balancer, or the one wire between two machines."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

Place = tuple[str, int]


class Door:
    """Passes connections on to the first of `targets` that takes them. `shut` ends all and refuses new ones."""

    def __init__(self, targets: Sequence[Place]) -> None:
        self.targets = list(targets)
        self.port = 0
        self._shut = False
        self._open: set[asyncio.Task[None]] = set()

    def shut(self) -> None:
        self._shut = True
        for task in self._open:
            task.cancel()

    async def all_closed(self) -> None:
        """After `shut`: returns when no connection is left."""
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.sleep(0)  # what was aborted is closed in the next turn of the loop

    def reopen(self) -> None:
        self._shut = False

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            found = None if self._shut else await self._target()
            if found is not None:
                await _both_ways((reader, writer), found)
        except asyncio.CancelledError:
            pass  # shut
        finally:
            self._open.discard(task)
            writer.transport.abort()

    async def _target(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        for host, port in self.targets:
            with contextlib.suppress(OSError):
                return await asyncio.open_connection(host, port)
        return None


@contextlib.asynccontextmanager
async def door(*targets: Place, port: int = 0) -> AsyncIterator[Door]:
    """On 127.0.0.1, on any free port where none is named."""
    made = Door(targets)
    server = await asyncio.start_server(made.pass_on, "127.0.0.1", port)
    made.port = int(server.sockets[0].getsockname()[1])
    try:
        yield made
    finally:
        server.close()
        made.shut()
        await made.all_closed()


async def _both_ways(
    one: tuple[asyncio.StreamReader, asyncio.StreamWriter],
    other: tuple[asyncio.StreamReader, asyncio.StreamWriter],
) -> None:
    there, back = (
        asyncio.ensure_future(_copy(one[0], other[1])),
        asyncio.ensure_future(_copy(other[0], one[1])),
    )
    try:
        await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (there, back):
            task.cancel()
        await asyncio.gather(there, back, return_exceptions=True)
        other[1].transport.abort()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
