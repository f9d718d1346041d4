"""A job's loop outlives whatever its look runs into."""

from __future__ import annotations

import asyncio

import pytest
import structlog
from structlog.testing import capture_logs

from parola.services.again import look_again
from parola.store import StoreUnavailable


async def test_no_error_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # One that has not been used: what another test has configured meanwhile counts for it.
    monkeypatch.setattr("parola.services.again._log", structlog.get_logger())
    troubles = [StoreUnavailable("away"), ValueError("a bug"), None]
    over = asyncio.Event()

    async def look() -> None:
        trouble = troubles.pop(0)
        if trouble is not None:
            raise trouble
        over.set()

    with capture_logs() as said:
        task = asyncio.create_task(look_again("job", look, 0))
        await over.wait()
        task.cancel()
    assert [entry["event"] for entry in said] == ["job.store_away", "job.broken"]
