"""Several tabs of one browser in one room: one event stream for all of them, whichever of them goes."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from playwright.async_api import BrowserContext, Request

from parola.client.api import Api
from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, eventually, handle_of, opened, people

pytestmark = pytest.mark.any_database

TABS = 9


async def test_nine_tabs_read_one_stream_and_outlive_each_other() -> None:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        async with people(house, "ada", "bob", "carla") as (ada, bob, carla), browser() as chrome:
            room = await ada.call("POST", "/api/rooms", {"title": "In many tabs"})
            first = await Visitor.arrive(chrome, house.origin)
            await first.use_token(str(ada.token))
            asked = streams_of(first.page.context)
            tabs = [first]
            for _ in range(TABS - 1):
                tabs.append(Visitor(await first.page.context.new_page(), house.origin))
            for tab in tabs:
                await tab.open(f"/r/{room['id']}")
                await tab.sees("room-title")
            await hand_shows(tabs, bob, room["id"])
            assert len(asked) == 1
            # The connections that are left still carry calls.
            await tabs[-1].tap(f"grant-{await handle_of(bob)}")
            for tab in tabs:
                await tab.sees_no(f"hand-{await handle_of(bob)}")

            await tabs.pop(0).page.close()
            await hand_shows(tabs, carla, room["id"])
            assert len(asked) == 2

            await asyncio.to_thread(house.stop)
            for tab in tabs:
                await tab.sees("server-away")
            await asyncio.to_thread(house.start)
            for tab in tabs:
                await tab.sees_no("server-away", 20)
            await carla.call("DELETE", f"/api/rooms/{room['id']}/hands/me")
            for tab in tabs:
                await tab.sees_no(f"hand-{await handle_of(carla)}")
            assert [problem for tab in tabs for problem in tab.problems] == []


async def test_signing_out_in_one_tab_is_noticed_in_the_others(house: House) -> None:
    async with people(house, "ada", "bob") as (ada, bob), browser() as chrome:
        room = await ada.call("POST", "/api/rooms", {"title": "In two tabs"})
        first = await Visitor.arrive(chrome, house.origin)
        await first.use_token(str(bob.token))
        second = Visitor(await first.page.context.new_page(), house.origin)
        for tab in (first, second):
            await tab.open(f"/r/{room['id']}")
            await tab.sees("raise-hand")
        await second.tap("sign-out")
        await second.sees("sign-in")
        await eventually(lambda: is_guest(first))
        assert first.problems == second.problems == []


def streams_of(context: BrowserContext) -> list[str]:
    found: list[str] = []

    def note(request: Request) -> None:
        if "/api/rooms/" in request.url and request.url.endswith("/events"):
            found.append(request.url)

    context.on("request", note)
    return found


async def hand_shows(tabs: list[Visitor], api: Api, room_id: str) -> None:
    await api.call("PUT", f"/api/rooms/{room_id}/hands/me")
    for tab in tabs:
        await tab.sees(f"hand-{await handle_of(api)}")


async def is_guest(visitor: Visitor) -> bool:
    return await visitor.page.get_by_test_id("sign-in").first.is_visible()
