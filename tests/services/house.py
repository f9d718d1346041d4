"""A web process's services around a real SQLite file, a bus in memory, and a media process that answers orders."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from parola.api.app import Services
from parola.bus import Message, subjects
from parola.bus.memory import MemoryBus
from parola.bus.messages import Closed, CloseOrder, Connected, Refused, Settled, SettleOrder
from parola.domain.errors import Refusal
from parola.services.caller import Caller
from parola.settings import Settings
from parola.store import Store
from parola.wiring import make_services
from tests.database import DATABASES

PASSWORD = "correct horse battery"
MEDIA = "media-process-0"


class FakeMedia:
    """Says yes to everything; `deaf` makes it leave questions about silence unanswered."""

    def __init__(self, bus: MemoryBus) -> None:
        self.settled: list[SettleOrder] = []
        self.deaf = False
        self.refusal: Refused | None = None
        self._bus = bus

    async def start(self) -> None:
        for verb, handler in {
            "whep": self._connect,
            "whip": self._connect,
            "close": self._close,
            "settle": self._settle,
        }.items():
            await self._bus.subscribe(subjects.media(MEDIA, verb), handler)

    async def _connect(self, message: Message) -> None:
        await message.respond((self.refusal or Connected(f"{MEDIA}.connection", "v=0\r\n")).to_bytes())

    async def _close(self, message: Message) -> None:
        order = CloseOrder.from_bytes(message.data)
        mine = order.connection_id == f"{MEDIA}.connection"
        await message.respond((Closed() if mine else Refused(404, "not_found", "Nothing here.")).to_bytes())

    async def _settle(self, message: Message) -> None:
        self.settled.append(SettleOrder.from_bytes(message.data))
        if not self.deaf:
            await message.respond(Settled().to_bytes())


class House:
    """Made by `opened`. `people` by handle, signed up on first use."""

    def __init__(self, services: Services, store: Store, bus: MemoryBus, media: FakeMedia) -> None:
        self.services = services
        self.store = store
        self.bus = bus
        self.media = media
        self.tokens: dict[str, str] = {}

    async def caller(self, handle: str) -> Caller:
        if handle not in self.tokens:
            signed_in = await self.services.sessions.sign_up(handle, handle.capitalize(), PASSWORD, None)
            self.tokens[handle] = signed_in.token
        return await self.services.sessions.authenticate(self.tokens[handle])

    async def media_lives(self) -> None:
        await self.store.leases.beat(MEDIA, "here", 0.0)
        await self.services.projections.leases.look()


@contextlib.asynccontextmanager
async def opened(folder: Path, **settings: Any) -> AsyncIterator[House]:
    url = DATABASES.fresh(folder)
    chosen = Settings.load(data_dir=folder, database_url=url, **{"limits": "off", **settings})
    store, bus = Store.open(chosen.database_url), MemoryBus()
    services, _, audience, _ = make_services(chosen, store, bus)
    await audience.start()
    await services.notices.start()
    media = FakeMedia(bus)
    await media.start()
    try:
        yield House(services, store, bus, media)
    finally:
        # What a feed still writes down would hold a connection of the store that is closed.
        services.feeds.close()
        await asyncio.gather(*services.feeds._closing)
        await bus.close()
        await store.close()
        DATABASES.drop(url)


async def refusal_of(work: Any) -> str:
    """The code of the refusal that an awaitable ends in; "yes" when it does not."""
    try:
        await work
    except Refusal as refusal:
        return refusal.code
    return "yes"


def always() -> bool:
    return True
