"""The source from outside: brings the speakers of a room in and lets them talk."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Any

from bench.listeners.signalling import HttpSource, Local, PlainRtp, Room, Signalling

_PATIENCE_S = 30.0


class Stage:
    """Made by `talking`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._speakers = 0
        self.ways: list[Signalling] = []

    async def enter(self, room: Room, speakers: int) -> None:
        """Speakers of one more room. Raises ConnectionError."""
        for speaker in range(speakers):
            way = room.speaking(speaker)
            number = {"speaker": self._speakers}
            self._speakers += 1
            if isinstance(way, PlainRtp):
                await self.ask({"do": "plain", **number, **asdict(way)})
            elif isinstance(way, HttpSource):
                await self.ask({"do": "http", **number, **asdict(way)})
            else:
                found = await self.ask({"do": "local", **number})
                host, port = found.pop("address")
                remote, _ = await way.join(Local(address=(host, port), **found))
                self.ways.append(way)  # a server may want its signalling to stay open
                await self.ask({"do": "connect", **number, "remote": asdict(remote)})

    async def talk(self) -> None:
        await self.ask({"do": "talk"})

    async def ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        answer = (await self._listen())["answer"]
        if "failure" in answer:
            raise ConnectionError(f"source: {command['do']}: {answer['failure']}")
        return answer

    async def _listen(self) -> Any:
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), _PATIENCE_S)
        return json.loads(line)


@contextlib.asynccontextmanager
async def talking(*rooms: tuple[Room, int]) -> AsyncIterator[Stage]:
    """So many speakers in each of the rooms, all of whom talk without a pause until the end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.listeners.source",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=1 << 24,
    )  # fmt: skip
    stage = Stage(process)
    try:
        await stage._listen()
        for room, speakers in rooms:
            await stage.enter(room, speakers)
        await stage.talk()
        yield stage
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
        for way in stage.ways:
            await way.close()
