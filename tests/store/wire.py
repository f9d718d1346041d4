"""Between the store and a PostgreSQL: a wire that may fall silent, or break in the worst moment."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

_SOCKET = ".s.PGSQL.5432"


class Wire:
    """`breaks_at_commit`: the next COMMIT reaches the server, is carried out, and its answer never comes back."""

    def __init__(self, server: Path) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ppw-"))  # the path of a socket is a short one
        self.breaks_at_commit = False
        self.connections = 0
        self._server = server
        self._silent: set[asyncio.StreamWriter] = set()
        self._broken: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def fall_silent(self) -> None:
        """For all that is connected now: it stays connected, and nothing comes through."""
        self._silent |= self._open

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        from_server, to_server = await asyncio.open_unix_connection(str(self._server / _SOCKET))
        back = asyncio.ensure_future(self._back(from_server, writer))
        there = asyncio.ensure_future(self._there(reader, writer, to_server))
        self._tasks |= {back, there}
        await asyncio.wait({back, there}, return_when=asyncio.FIRST_COMPLETED)
        for end in (writer, to_server):
            end.transport.abort()
        self._open.discard(writer)

    async def _there(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to_server: asyncio.StreamWriter
    ) -> None:
        while data := await reader.read(65536):
            if self.breaks_at_commit and b"COMMIT;" in data:
                self.breaks_at_commit = False
                self._broken.add(writer)
            if writer not in self._silent:
                to_server.write(data)

    async def _back(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if writer in self._broken:
                return  # this was the answer
            if writer not in self._silent:
                writer.write(data)

    async def end(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        shutil.rmtree(self.folder)


@contextlib.asynccontextmanager
async def wire(server: Path) -> AsyncIterator[Wire]:
    """To the server whose socket is in that folder; the folder of its own socket is `folder`."""
    made = Wire(server)
    listening = await asyncio.start_unix_server(made.connected, str(made.folder / _SOCKET))
    try:
        yield made
    finally:
        listening.close()
        await made.end()
