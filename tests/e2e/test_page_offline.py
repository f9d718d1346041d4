"""The page without a network and without a server: it is installed, opens nevertheless, says so, and comes back."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, opened, people

pytestmark = [pytest.mark.waits, pytest.mark.any_database]

_KEPT = """async () => {
  const kept = [];
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) kept.push(new URL(request.url).pathname);
  return kept.sort();
}"""


async def test_the_page_can_be_installed(house: House, chrome: Browser) -> None:
    visitor = await Visitor.arrive(chrome, house.origin)
    await installed(visitor)
    devtools = await visitor.page.context.new_cdp_session(visitor.page)
    manifest = await devtools.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert manifest["url"] == f"{house.origin}/manifest.webmanifest"
    found = await devtools.send("Page.getInstallabilityErrors")
    # A context of its own counts as a private window.
    assert [e["errorId"] for e in found["installabilityErrors"] if e["errorId"] != "in-incognito"] == []


async def test_a_room_opens_without_a_server_and_comes_back_with_it() -> None:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        async with people(house, "ada") as (ada,), browser() as chrome:
            room = await ada.call("POST", "/api/rooms", {"title": "Out of reach"})
            visitor = await Visitor.arrive(chrome, house.origin)
            await installed(visitor)
            await visitor.open(f"/r/{room['id']}")
            await visitor.sees("room-title")
            kept = await visitor.page.evaluate(_KEPT)
            assert "/" in kept
            assert not [path for path in kept if path.startswith(("/api", "/r/", "/@"))]
            await asyncio.to_thread(house.stop)
            await visitor.page.reload()
            await visitor.sees("server-away")
            await asyncio.to_thread(house.start)
            await visitor.sees("room-title", 20)
            assert await visitor.page.get_by_test_id("room-title").inner_text() == "Out of reach"
            assert visitor.problems == []


async def test_it_says_that_it_is_offline_as_long_as_it_is(house: House, chrome: Browser) -> None:
    visitor = await Visitor.arrive(chrome, house.origin)
    await visitor.open("/")
    await visitor.sees_no("offline")
    await visitor.page.context.set_offline(True)
    await visitor.sees("offline")
    await visitor.page.context.set_offline(False)
    await visitor.sees_no("offline")


async def installed(visitor: Visitor) -> None:
    await visitor.open("/")
    await visitor.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
