"""nats-server dies and comes back, three times, while a host grants, mutes and revokes without a pause."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bench.figures import Figure, quantile, spread
from fire.history import Recorder, check
from fire.machines import Town, town
from fire.neighbour import neighbour
from fire.page import Page, page
from fire.voices import TONES
from parola.client.api import Api, ProtocolError
from tests.e2e.house import handle_of, people

AWAY_S = 2.0
EVERY_S = 5.0
GUESTS = 3


async def bus_killed(folder: Path, kills: int = 3) -> list[Figure]:
    """Owner, listener and neighbours each have their sound within one process, which needs no bus. What is answered
    meanwhile has to be true afterwards, and everything else must say 503 in time."""
    async with town(folder, media_processes=2) as where:
        async with people(where.houses[0], "ada", *(f"bob{i}" for i in range(GUESTS)), "carla") as who:
            ada, *bobs, carla = who
            room_id = str((await ada.call("POST", "/api/rooms", {"title": "The bus dies"}))["id"])
            recorder = Recorder(folder / "history.jsonl")
            commands = Commands(recorder, ada, room_id)
            async with _stage(recorder, ada, bobs, carla, room_id) as mouths:
                async with neighbour(where.origin) as near:
                    working = [asyncio.create_task(commands.turns(mouth)) for mouth in mouths]
                    await asyncio.sleep(1.0)
                    for _ in range(kills):
                        await _kill(where)
                    for task in working:
                        task.cancel()
                    await asyncio.gather(*working, return_exceptions=True)
                    await asyncio.sleep(3.0)
                    heard = await near.end()
            recorder.close()
    violations = check(recorder.lines)
    for violation in violations:
        print(f"    {violation}")
    return [
        Figure(
            "nats-server killed: grant, mute and revoke answered, p99", quantile(commands.seconds, 0.99),
            "s", 3.0, f"{spread(commands.seconds, 's')}; {commands.refused} refused with 503",
        ),
        Figure(
            "nats-server killed: calls that ended in neither success nor 503", float(commands.other), "", 0.0,
            f"of {len(commands.seconds)}",
        ),
        Figure(
            "nats-server killed: violations in the history (nothing lost, seq without gaps, silence kept)",
            float(len(violations)), "", 0.0, f"{len(recorder.lines)} lines",
        ),
        heard.figure("nats-server killed"),
    ]  # fmt: skip


class Commands:
    """What the host does with each guest, again and again."""

    def __init__(self, recorder: Recorder, host: Api, room_id: str) -> None:
        self.seconds: list[float] = []
        self.refused = 0
        self.other = 0
        self._recorder = recorder
        self._host = host
        self._room = f"/api/rooms/{room_id}"

    async def turns(self, guest: Page) -> None:
        handle = await handle_of(guest.api)
        while True:
            await self._until_done(guest.api, handle, "PUT", "/hands/me")
            await self._until_done(self._host, "host", "PUT", f"/floor/{handle}")
            await guest.reconnect("whip")
            await asyncio.sleep(0.3)
            await self._until_done(self._host, "host", "PUT", f"/mutes/{handle}")
            await self._until_done(self._host, "host", "DELETE", f"/floor/{handle}")
            await asyncio.sleep(0.1)

    async def _until_done(self, api: Api, who: str, method: str, path: str) -> None:
        """As a person does who is told to try again. A command that holds already is answered as if done."""
        loop = asyncio.get_running_loop()
        name = await handle_of(api) if who == "host" else who
        while True:
            began = loop.time()
            try:
                await self._recorder.call(name, api, method, self._room + path)
                self.seconds.append(loop.time() - began)
                return
            except ProtocolError as error:
                self.seconds.append(loop.time() - began)
                if (error.status, error.code) in ((409, "has_floor"), (409, "not_speaking")):
                    return  # it was done when it was refused before
                self.refused += error.status == 503
                self.other += error.status != 503
            except (aiohttp.ClientError, TimeoutError):
                self.other += 1
            await asyncio.sleep(0.2)


@contextlib.asynccontextmanager
async def _stage(
    recorder: Recorder, ada: Api, bobs: list[Api], carla: Api, room_id: str
) -> AsyncIterator[list[Page]]:
    """Everybody's page is open. Guests' microphones send all the time: who is heard is the server's matter."""
    handles = [await handle_of(api) for api in (ada, *bobs)]
    tones = dict(zip(handles, TONES, strict=False))
    async with contextlib.AsyncExitStack() as stack:
        host, *guests = [
            await stack.enter_async_context(page(api, room_id, tones[handle], listens=False))
            for api, handle in zip((ada, *bobs), handles, strict=True)
        ]
        listener = await stack.enter_async_context(page(carla, room_id))
        listener.on_arrival = recorder.ear("carla", room_id, tones)
        for name, one in (("ada's page", host), ("carla's page", listener)):
            for event in one.events:
                recorder.told(name, room_id, *event)
            one.on_told = lambda *event, name=name: recorder.told(name, room_id, *event)
        yield guests


async def _kill(where: Town) -> None:
    where.nats.kill()
    await asyncio.sleep(AWAY_S)
    where.nats.start()
    await asyncio.sleep(EVERY_S - AWAY_S)
