"""What commands use beside a server that may run."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from parola.api.app import Services
from parola.bootstrap.shared import open_bus, open_store
from parola.bus import Bus
from parola.bus.memory import MemoryBus
from parola.domain.inviting import InvitingPolicy
from parola.services import clock
from parola.services.invitations import Invitations
from parola.services.inviting import Inviting
from parola.settings import Settings
from parola.store import upgrade
from parola.wiring import make_services


def create_invite(settings: Settings) -> str:
    """A code for one new account."""
    return asyncio.run(_create_invite(settings))


@contextlib.asynccontextmanager
async def at_the_machine(settings: Settings) -> AsyncIterator[Services]:
    """The services of a web process, for commands beside a server that may run. Its processes are told by the bus
    where that has an address; else they find out from the database, within seconds."""
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade(settings.database_url)
    async with contextlib.AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings))
        bus: Bus = MemoryBus()
        if settings.nats_url:
            bus = await stack.enter_async_context(open_bus(settings))
        yield make_services(settings, store, bus)[0]


async def _create_invite(settings: Settings) -> str:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    await upgrade(settings.database_url)
    async with open_store(settings) as store:
        inviting = Inviting(store, clock.now, InvitingPolicy())
        return await Invitations(store, clock.now, settings.registration, inviting).of_the_server()
