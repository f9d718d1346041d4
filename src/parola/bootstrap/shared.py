"""What every kind of process does alike: it opens the store and the bus, and one of them prepares the database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import uvloop

from parola.bus.nats import NatsBus
from parola.media.descriptors import raise_limit
from parola.settings import Settings
from parola.store import Store
from parola.store import upgrade as upgrade_store


def upgrade(settings: Settings) -> None:
    """Brings the database to this version's tables, and ends leases that this machine's last life left behind."""
    asyncio.run(_upgrade(settings))


async def _upgrade(settings: Settings) -> None:
    await upgrade_store(settings.database_url)
    async with open_store(settings) as store:
        await store.leases.release_machine(settings.machine)


@contextlib.asynccontextmanager
async def open_store(settings: Settings) -> AsyncIterator[Store]:
    store = Store.open(settings.database_url)
    try:
        yield store
    finally:
        await store.close()


@contextlib.asynccontextmanager
async def open_bus(settings: Settings) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(settings.nats_url, settings.nats_token)
    try:
        yield bus
    finally:
        await bus.close()


def run(work: Coroutine[Any, Any, None]) -> None:
    """With as many descriptors as this process may have."""
    raise_limit()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work)
