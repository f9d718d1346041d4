"""The generator from outside: a crowd of listeners that joins at a given pace, and what was delivered to it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench.listeners.reckoning import Delivered
from bench.listeners.sampling import Sample
from bench.listeners.signalling import Local, Remote, Signalling

_LINE_BYTES = 64 << 20
_PATIENCE_S = 60.0


@dataclass(slots=True)
class Join:
    """One listener's way in; wall clock, ns. `first_packet_at` is 0 where none came, `failure` says what went wrong."""

    index: int
    asked_at: int
    answered_at: int = 0
    connected_at: int = 0
    first_packet_at: int = 0
    failure: str = ""
    handle: object = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a time of listening; `overflow` and `unsent` are the generator's own failings, `cpu_s` its cost."""

    delivered: Delivered
    overflow: int
    unsent: int
    unanswered: int
    strange: int
    cpu_s: float


@dataclass(slots=True)
class Crowd:
    """Made by `gathered`."""

    process: asyncio.subprocess.Process
    joins: dict[int, Join] = field(default_factory=dict)
    _answers: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    _waiting: dict[int, asyncio.Future[None]] = field(default_factory=dict)

    async def join(self, ways: Iterable[Signalling], per_second: float, at_once: int = 64) -> list[Join]:
        """One more listener for each of the ways in, so many a second, and so many at most between offer and keys.
        Returns when all are connected or have failed."""
        ways = list(ways)
        locals_ = await self._ask({"do": "prepare", "count": len(ways)})
        limit = asyncio.Semaphore(at_once)
        loop = asyncio.get_running_loop()
        begin = loop.time()
        tasks = []
        for n, (signalling, found) in enumerate(zip(ways, locals_, strict=True)):
            await asyncio.sleep(max(0.0, begin + n / per_second - loop.time()))
            await limit.acquire()
            task = asyncio.create_task(self._join_one(signalling, found))
            task.add_done_callback(lambda _: limit.release())
            tasks.append(task)
        made = await asyncio.gather(*tasks)
        return list(made)

    async def first_packets(self, patience_s: float = 5.0) -> None:
        """Waits until everybody who connected has got a packet, but not for ever, and enters when that was."""
        deadline = time.monotonic() + patience_s
        while True:
            for index, connected_at, first_at in await self._ask({"do": "joins"}):
                join = self.joins[index]
                join.connected_at, join.first_packet_at = connected_at, first_at
            waiting = [j for j in self.joins.values() if j.connected_at and not j.first_packet_at]
            if not waiting or time.monotonic() > deadline:
                return
            await asyncio.sleep(0.1)

    async def begin(self, joins: list[Join] | None = None) -> int:
        """How many listeners will be counted."""
        indices = [join.index for join in (joins if joins is not None else self.joins.values())]
        answer = await self._ask({"do": "begin", "first": min(indices), "last": max(indices) + 1})
        return int(answer["listeners"])

    async def begin_anyone(self, listeners: int) -> None:
        """Counts what comes to the first so many addresses, whoever sends it and without a connection."""
        await self._ask({"do": "begin", "first": 0, "last": listeners, "anyone": True})

    async def first_address(self) -> tuple[str, int]:
        """Of listener 0; the others' follow it, on the same port."""
        host, port = await self._ask({"do": "address"})
        return host, port

    async def end(self, streams: int = 1) -> Heard:
        found = await self._ask({"do": "end", "streams": streams})
        return Heard(Delivered.of_json(found.pop("delivered")), **found)

    async def sample(self) -> Sample:
        """Whether it was sound, of the time that has just ended; it keeps the generator busy."""
        return Sample.of_json(await self._ask({"do": "sample"}))

    def leave(self, joins: list[Join]) -> None:
        """As pages that are closed."""
        self._tell({"do": "leave", "indices": [join.index for join in joins]})
        for join in joins:
            self.joins.pop(join.index, None)

    async def _join_one(self, signalling: Signalling, found: dict[str, Any]) -> Join:
        index = found.pop("index")
        host, port = found.pop("address")
        join = Join(index, time.time_ns())
        self.joins[index] = join
        self._waiting[index] = asyncio.get_running_loop().create_future()
        try:
            remote, join.handle = await signalling.join(Local(address=(host, port), **found))
        except Exception as error:
            join.failure = f"signalling: {error!r}"
            del self._waiting[index]
            return join
        join.answered_at = time.time_ns()
        self._connect(index, remote)
        try:
            await asyncio.wait_for(self._waiting[index], _PATIENCE_S)
        except TimeoutError:
            join.failure = join.failure or "no word of it"
        finally:
            del self._waiting[index]
        return join

    def _connect(self, index: int, remote: Remote) -> None:
        self._tell({"do": "connect", "index": index, "remote": asdict(remote)})

    def _tell(self, command: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")

    async def _ask(self, command: dict[str, Any]) -> Any:
        self._tell(command)
        answer = await asyncio.wait_for(self._answers.get(), _PATIENCE_S)
        assert answer["to"] == command["do"]
        return answer["answer"]

    async def _read(self) -> None:
        assert self.process.stdout is not None
        while line := await self.process.stdout.readline():
            said = json.loads(line)
            if said["event"] == "news":
                for index, at in said["connected"]:
                    self.joins[index].connected_at = at
                    self._wake(index)
                for index, why in said["failed"]:
                    if index in self.joins:
                        self.joins[index].failure = why
                    self._wake(index)
            else:
                await self._answers.put(said)

    def _wake(self, index: int) -> None:
        waiting = self._waiting.get(index)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)


@contextlib.asynccontextmanager
async def gathered(listeners: int, streams: int = 1, packet_ms: int = 120) -> AsyncIterator[Crowd]:
    """Room for so many listeners, of whom none is there yet."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners.generator",
        "--listeners", str(listeners), "--streams", str(streams), "--packet-ms", str(packet_ms),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE_BYTES,
    )  # fmt: skip
    crowd = Crowd(process)
    reading = asyncio.create_task(crowd._read())
    try:
        ready = await asyncio.wait_for(crowd._answers.get(), _PATIENCE_S)
        assert ready["event"] == "ready"
        yield crowd
    finally:
        with contextlib.suppress(ConnectionError):
            crowd._tell({"do": "quit"})
            assert process.stdin is not None
            await process.stdin.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), 5)
        if process.returncode is None:
            process.kill()
            await process.wait()
        reading.cancel()
