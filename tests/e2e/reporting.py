"""What reporters and administrators do on the page, a step at a time."""

from __future__ import annotations

import asyncio
import os
import sys

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, handle_of


async def administers(house: House, *ones: Api) -> None:
    """Made so at the machine, whoever has done what in this house before."""
    environment = {**os.environ, "PAROLA_DATA_DIR": str(house.folder / "data"), **house.environment}
    for one in ones:
        command = ("admin", "people", "role", await handle_of(one), "administrator", "--reason", "helps")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "parola", *command, env=environment
        )
        assert await process.wait() == 0


async def report(listener: Visitor, reason: str, handle: str | None = None) -> None:
    """This moment of the room whose page is open, or who speaks in it."""
    if handle is None:
        await listener.tap("report-room")
    else:
        await listener.tap(f"face-{handle}")
        await listener.tap(f"report-{handle}")
    await listener.page.get_by_test_id("report-reason").select_option(reason)
    await listener.tap("report-send")
    await listener.sees_no("report-send")


async def open_case(root: Visitor, handle: str) -> None:
    await root.open("/admin/reports")
    await root.page.get_by_test_id("report-row").filter(has_text=f"@{handle}").click()
    await root.sees("case")


async def measure(root: Visitor, what: str, reason: str) -> None:
    await root.tap("take")
    await root.tap("resolve")
    await root.page.get_by_test_id(f"measure-{what}").check()
    await root.page.get_by_test_id("measure-reason").fill(reason)
