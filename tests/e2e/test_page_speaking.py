"""Before and while one speaks: the microphone is tried first, and talks for as long as a key is held."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from playwright.async_api import Browser

from tests.e2e.browsing import Visitor
from tests.e2e.house import House, eventually, people

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

_LEVEL = "() => Number(document.querySelector('dialog[open] [data-testid=level]')?.dataset.level ?? 0)"
_NOT_ALLOWED = "() => window.__refused"
_WATCH_POLICY = """() => {
  window.__refused = [];
  document.addEventListener("securitypolicyviolation", event => window.__refused.push(event.violatedDirective));
}"""


async def test_a_microphone_is_tried_before_anybody_hears_it(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "One, two"})
        host = await Visitor.arrive(chrome, house.origin)
        await host.page.add_init_script(f"({_WATCH_POLICY})()")
        await host.use_token(str(ada.token))
        await host.open(f"/r/{room['id']}")
        await host.tap("microphone-settings")
        await host.tap("rehearse")
        await host.sees("hear-yourself")
        await eventually(lambda: is_loud(host))
        await host.tap("hear-yourself")
        for stage in ("recording", "playing", "open"):
            label = f'[data-testid=hear-yourself][data-stage="{stage}"]'
            await host.page.locator(label).wait_for(timeout=15_000)
        assert await host.page.evaluate("() => window.__parola.speak") is None
        await host.page.keyboard.press("Escape")
        await host.tap("take-floor")
        await host.speaking()
        assert await host.page.evaluate(_NOT_ALLOWED) == []
        assert host.problems == []


async def test_the_space_bar_talks_while_it_is_held(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Over"})
        host, guest = [await Visitor.arrive(chrome, house.origin) for _ in range(2)]
        await host.use_token(str(ada.token))
        await host.open(f"/r/{room['id']}")
        await host.tap("microphone-settings")
        await host.page.get_by_test_id("push-to-talk").check()
        await host.page.keyboard.press("Escape")
        await host.tap("take-floor")
        await host.speaking()
        await host.sees("talk")
        await guest.open(f"/r/{room['id']}")
        await guest.tap("listen")
        await guest.listening()
        assert await packets_while(guest, 2) < 20

        await host.page.keyboard.down("Space")
        assert await packets_while(guest, 3) > 40
        await host.page.keyboard.up("Space")
        await asyncio.sleep(1.5)
        assert await packets_while(guest, 2) < 20

        talk = host.page.get_by_test_id("talk")
        await talk.hover()
        await host.page.mouse.down()
        await guest.record()
        await asyncio.sleep(3)
        assert np.abs((await guest.take()).astype(int)).max(initial=0) > 1000
        await host.page.mouse.up()
        await asyncio.sleep(1.5)
        assert await packets_while(guest, 2) < 20

        # Remembered, and none of its business where one moves about.
        await host.page.reload()
        await host.tap("take-floor")
        await host.sees("talk")
        assert host.problems == guest.problems == []


async def is_loud(visitor: Visitor) -> bool:
    return float(await visitor.page.evaluate(_LEVEL)) > 0.2


async def packets_while(visitor: Visitor, seconds: float) -> int:
    before = int((await visitor.statistics()).get("packetsReceived", 0))
    await asyncio.sleep(seconds)
    return int((await visitor.statistics()).get("packetsReceived", 0)) - before
