"""The host grants, mutes and revokes without a pause, the guests' pages try to speak, and all of it is recorded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp

from fire.history import Recorder
from fire.page import Page, page
from fire.voices import TONES
from parola.client.api import Api, ProtocolError
from tests.e2e.house import handle_of


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
async def stage(
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
