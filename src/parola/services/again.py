"""The loop of a job that looks again and again. No error ends it for good: nobody watches whether it still runs."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from parola.store import StoreUnavailable

_log = structlog.get_logger(__name__)


async def look_again(name: str, look: Callable[[], Awaitable[object]], every_s: float) -> None:
    """Until it is cancelled, at once and then after each pause. `name` is that of the job in the log."""
    while True:
        try:
            await look()
        except StoreUnavailable:
            _log.warning(f"{name}.store_away")
        except Exception:
            _log.exception(f"{name}.broken")
        await asyncio.sleep(every_s)
