"""PostgreSQL dies and comes back, three times, while a thousand joins and commands come in."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from bench.figures import Figure, quantile, spread
from bench.peer import RawPeer
from fire.commanding import Commands, stage
from fire.history import Recorder, check
from fire.machines import Town, town
from fire.neighbour import neighbour
from parola.client.api import Api, ProtocolError
from tests.e2e.house import people

KILLS = 3
AWAY_S = 3.0
BETWEEN_S = 8.0
CALLS = 1000
GUESTS = 3
_AGAIN_S, _TRIES = 0.05, 400
Accepted = tuple[str, Callable[[], Awaitable[bool]]]
"""What it was, and a way to ask afterwards whether it is there."""
Kind = Callable[[], Awaitable[Accepted]]
_PASSWORD = "correct horse battery"


async def database_killed(folder: Path, kills: int = KILLS, calls: int = CALLS) -> list[Figure]:
    """Whatever was accepted has to be there afterwards; everything else must say 503 in time."""
    async with town(folder, media_processes=2, postgres=True) as where:
        async with people(where.houses[0], "ada", *(f"bob{i}" for i in range(GUESTS)), "carla") as who:
            ada, *bobs, carla = who
            room_id = str((await ada.call("POST", "/api/rooms", {"title": "The database dies"}))["id"])
            recorder = Recorder(folder / "history.jsonl")
            commands, crowd = Commands(recorder, ada, room_id), _Crowd(carla, room_id)
            async with stage(recorder, ada, bobs, carla, room_id) as mouths, neighbour(where.origin) as near:
                working = [asyncio.create_task(commands.turns(mouth)) for mouth in mouths]
                coming = asyncio.create_task(crowd.come(calls, 2.0 + kills * (AWAY_S + BETWEEN_S)))
                await asyncio.sleep(2.0)
                back = [await _kill(where, crowd) for _ in range(kills)]
                await coming
                for task in working:
                    task.cancel()
                await asyncio.gather(*working, return_exceptions=True)
                await asyncio.sleep(3.0)
                heard = await near.end()
            recorder.close()
            lost = await crowd.lost()
    violations = check(recorder.lines)
    for problem in (*lost, *violations, *crowd.other.items()):
        print(f"    {problem}")
    accepted = len(crowd.accepted) + len(commands.seconds) - commands.refused - commands.other
    refused, seconds = crowd.refused + commands.refused, [*crowd.seconds, *commands.seconds]
    return [
        Figure(
            "PostgreSQL killed: joins and commands meanwhile", float(len(seconds)), "", float(calls),
            f"{accepted} accepted, {refused} refused with 503", at_least=True,
        ),
        Figure("PostgreSQL killed: accepted and lost", float(len(lost)), "", 0.0, f"of {accepted}"),
        Figure(
            "PostgreSQL killed: calls that ended in neither success nor 503",
            float(commands.other + crowd.other.total()), "", 0.0, f"of {len(seconds)}",
        ),
        Figure("PostgreSQL killed: answered or refused, p99", quantile(seconds, 0.99), "s", 3.0, spread(seconds, "s")),
        Figure(
            "PostgreSQL killed: a join, a command and an account succeed again after the outage, worst", max(back),
            "s", 5.0, spread(back, "s"),
        ),
        Figure(
            "PostgreSQL killed: violations in the history (nothing lost, seq without gaps, silence kept)",
            float(len(violations)), "", 0.0, f"{len(recorder.lines)} lines",
        ),
        heard.figure("PostgreSQL killed"),
    ]  # fmt: skip


async def _kill(where: Town, crowd: _Crowd) -> float:
    """Seconds from the end of the outage until one of each kind succeeds."""
    assert where.postgres is not None
    loop = asyncio.get_running_loop()
    await asyncio.to_thread(where.postgres.kill)
    await asyncio.sleep(AWAY_S)
    await asyncio.to_thread(where.postgres.start)
    over = loop.time()
    for kind in crowd.kinds:
        await crowd.until_done(kind)
    took = loop.time() - over
    await asyncio.sleep(max(0.0, BETWEEN_S - took))
    return took


class _Crowd:
    """People who come in, sign up and open rooms."""

    def __init__(self, api: Api, room_id: str) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self.other: Counter[str] = Counter()
        self.accepted: list[Accepted] = []
        self.kinds: tuple[Kind, ...] = (
            self._join,
            self._open,
            self._sign_up,
        )
        self._api = api
        self._room_id = room_id

    async def come(self, calls: int, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        begin, running = loop.time(), set[asyncio.Task[bool]]()
        # A password's hash is meant to cost a tenth of a second of a core: few sign up.
        turns = itertools.cycle([self._join, self._open] * 9 + [self._sign_up])
        for n, kind in zip(range(calls), turns, strict=False):
            await asyncio.sleep(max(0.0, begin + n * seconds / calls - loop.time()))
            task = asyncio.create_task(self.call(kind))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.gather(*running)

    async def call(self, kind: Kind) -> bool:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            self.accepted.append(await kind())
        except ProtocolError as error:
            if error.status != 503:
                self.other[str(error)[:100]] += 1
            self.refused += error.status == 503
            return False
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.other[f"{type(error).__name__} {error}"[:100]] += 1
            return False
        finally:
            self.seconds.append(loop.time() - began)
        return True

    async def until_done(self, kind: Kind) -> None:
        for _ in range(_TRIES):
            if await self.call(kind):
                return
            await asyncio.sleep(_AGAIN_S)

    async def lost(self) -> list[str]:
        """What was accepted and is not there."""
        return [name for name, there in self.accepted if not await there()]

    async def _join(self) -> Accepted:
        ear = await RawPeer.connect(self._api, self._room_id, "whep")
        with contextlib.closing(ear):
            # Accepted means heard: the room plays to whoever was let in, with a database or without one.
            first = asyncio.Event()
            ear.on_arrival = lambda arrival: first.set()
            async with asyncio.timeout(3):
                await first.wait()
        return "join", _yes

    async def _open(self) -> Accepted:
        title = f"Room {random.randrange(10**9)}"
        room = await self._api.call("POST", "/api/rooms", {"title": title})

        async def there() -> bool:
            return bool((await self._api.call("GET", f"/api/rooms/{room['id']}"))["title"] == title)

        return f"room {room['id']}", there

    async def _sign_up(self) -> Accepted:
        handle = f"guest_{secrets.token_hex(5)}"
        async with Api(self._api.origin) as guest:
            await guest.sign_up(handle, "Guest", _PASSWORD)

        async def there() -> bool:
            async with Api(self._api.origin) as again:
                await again.sign_in(handle, _PASSWORD)
            return True

        return f"account {handle}", there


async def _yes() -> bool:
    return True
