"""Readers of a stream from outside: the same questions as to a crowd of WebRTC listeners, and answers of the same kind.

Where others count packets, these count pages.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from bench.listeners.crowd import Heard, Join
from bench.listeners.reckoning import Delivered
from bench.listeners.sampling import Sample

_PATIENCE_S = 60.0
_LINE_BYTES = 64 << 20
_LOOK_S = 0.05


class HttpCrowd:
    """Made by `reading`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.joins: dict[int, Join] = {}
        self._process = process
        self._left: set[int] = set()

    async def join(self, ways: Sequence[object], per_second: float, at_once: int = 64) -> list[Join]:
        """As many more as there are ways, which are all one; returns when each has sound, or none to come."""
        known = len(self.joins) + len(self._left)
        await self._ask({"do": "join", "count": len(ways), "per_second": per_second, "at_once": at_once})
        deadline = time.monotonic() + _PATIENCE_S + len(ways) / per_second
        on_their_way = await self._look()
        while on_their_way and time.monotonic() < deadline:
            await asyncio.sleep(_LOOK_S)
            on_their_way = await self._look()
        return [join for index, join in self.joins.items() if index >= known]

    async def first_packets(self, patience_s: float = 5.0) -> None:
        """Joins end with the first page: there is nothing to wait for."""
        await self._look()

    async def begin(self, joins: list[Join] | None = None) -> int:
        """How many listeners will be counted."""
        indices = [join.index for join in (joins if joins is not None else self.joins.values())]
        answer = await self._ask({"do": "begin", "first": min(indices), "last": max(indices) + 1})
        return int(answer["listeners"])

    async def end(self, streams: int = 1) -> Heard:
        found = await self._ask({"do": "end"})
        return Heard(Delivered.of_json(found.pop("delivered")), **found)

    async def sample(self) -> Sample:
        return Sample.of_json(await self._ask({"do": "sample"}))

    def leave(self, joins: list[Join]) -> None:
        """As players that are closed."""
        self._tell({"do": "leave", "indices": [join.index for join in joins]})
        for join in joins:
            self.joins.pop(join.index, None)
            self._left.add(join.index)

    async def _look(self) -> int:
        """How many are still on their way."""
        found = await self._ask({"do": "joins"})
        for index, (asked_at, answered_at, first_at, failure) in enumerate(found["joins"]):
            if index not in self._left:
                self.joins[index] = Join(index, asked_at, answered_at, answered_at, first_at, failure)
        return int(found["waiting"])

    def _tell(self, command: dict[str, Any]) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _ask(self, command: dict[str, Any]) -> Any:
        self._tell(command)
        answer = await self._listen()
        assert answer["to"] == command["do"]
        return answer["answer"]

    async def _listen(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(await asyncio.wait_for(self._process.stdout.readline(), _PATIENCE_S))


@contextlib.asynccontextmanager
async def reading(url: str) -> AsyncIterator[HttpCrowd]:
    """Readers of that stream, of whom none is there yet."""
    parts = urlsplit(url)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners.peers.http_generator",
        "--host", str(parts.hostname), "--port", str(parts.port), "--path", parts.path,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES,
    )  # fmt: skip
    crowd = HttpCrowd(process)
    try:
        ready = await crowd._listen()
        assert ready["event"] == "ready"
        yield crowd
    finally:
        with contextlib.suppress(ConnectionError):
            assert process.stdin is not None
            process.stdin.write(b'{"do": "quit"}\n')
            await process.stdin.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
