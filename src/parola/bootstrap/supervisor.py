"""What the supervisor itself asks of Parola."""

from __future__ import annotations

import asyncio
import contextlib

from parola.bootstrap.shared import open_bus, open_store
from parola.bus import BusUnavailable, subjects
from parola.bus.messages import Gone
from parola.services import clock
from parola.services.claims import Claims
from parola.settings import Settings
from parola.store import StoreUnavailable


async def process_gone(settings: Settings, process_id: str) -> None:
    """A media process has died: its rooms are free at once, and its people are told to come back."""
    # Side by side: a database that is away must not keep people waiting for the word, nor a bus the database.
    await asyncio.gather(_release(settings, process_id), _tell_gone(settings, process_id))


def rehearse(settings: Settings) -> None:
    """What `process_gone` needs is imported and has been used once: the first time takes a second."""
    asyncio.run(_rehearse(settings))


def first_claim(settings: Settings) -> str | None:
    """A link by which somebody becomes the first administrator; None where there is one."""
    return asyncio.run(_first_claim(settings))


async def _first_claim(settings: Settings) -> str | None:
    async with open_store(settings) as store:
        return await Claims(store, clock.now, settings.public_url).first_link()


async def _rehearse(settings: Settings) -> None:
    with contextlib.suppress(StoreUnavailable):
        async with open_store(settings) as store, open_bus(settings):
            await store.leases.all()


async def _release(settings: Settings, process_id: str) -> None:
    with contextlib.suppress(StoreUnavailable):
        async with open_store(settings) as store:
            await store.leases.release(process_id)


async def _tell_gone(settings: Settings, process_id: str) -> None:
    with contextlib.suppress(BusUnavailable, OSError):
        async with open_bus(settings) as bus:
            await bus.publish(subjects.MEDIA_GONE, Gone(process_id).to_bytes())
