"""A trial in a real browser: who may not open a room yet, what a listener's page tells of it, and the page that leads
it. Two web processes."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, claim_link, eventually, handle_of, opened, people
from tests.e2e.looking import context, look
from tests.hostile.offers import WHOLE

HOSTING = "/api/admin/rollout/hosting"


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    environment = {"PAROLA_WEB_PROCESSES": "2", "PAROLA_HOSTING": "testers"}
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment=environment)) as house:
            yield house


@pytest.mark.any_database
@pytest.mark.timeout(300)  # four pages are looked at on five screens
async def test_from_the_first_testers_to_a_step_back(house: House, chrome: Browser) -> None:
    async with people(house, "root", "ada") as (root, ada):
        token = (await claim_link(house)).partition("#")[2]
        await root.call("POST", "/api/admin/claim", {"token": token})
        handle = await handle_of(ada)
        async with context(chrome) as first, context(chrome) as second:
            host, guest = [Visitor(await one.new_page(), house.origin) for one in (first, second)]
            await host.use_token(str(ada.token))
            await refused(host)
            guard = {"figure": "liked", "bound": 0.5, "side": "most", "action": "warn", "enough": 0}
            plan = {"stage": "testers", "testers": [handle], "guards": [guard]}
            await root.call("POST", f"{HOSTING}/change", {"expected": 0, "plan": plan, "reason": "The first"})
            room = (await ada.call("POST", "/api/rooms", {"title": "A trial"}))["id"]
            await guest.open(f"/r/{room}")
            await guest.tap("listen")
            await guest.listening()
            offer = WHOLE + "a=recvonly\r\n"
            _, location = await ada.exchange(room, "whep", offer)
            await ada.hang_up(location)
            await root.exchange(room, "whep", offer)
            await eventually(lambda: shown(root, "first_sound_ms"), 60)
            await eventually(lambda: shown(root, "failed_joins"), 40)
            assert await shown(root, "failed_joins") == 1, (
                "who left at once wished to; who waited in vain did not"
            )
            await ada.call("POST", f"/api/rooms/{room}/end")
            await guest.sees("survey")
            await look(guest.page, "survey")
            await guest.tap("survey-yes")
            await eventually(lambda: shown(root, "liked"), 20)
            assert await shown(root, "listening_minutes")
            assert guest.problems == []
        await leads(house, chrome, root)


async def refused(host: Visitor) -> None:
    await host.open("/")
    await host.page.get_by_test_id("open-title").fill("Too early")
    await host.tap("open-submit")
    await host.sees("form-fault")
    said = await host.page.get_by_test_id("form-fault").inner_text()
    assert said == "Only invited testers open rooms for now. Who runs this server can add you."


async def shown(root: Api, figure: str) -> Any:
    stages = (await root.call("GET", f"{HOSTING}/figures"))["stages"]
    return stages[0][figure] if stages else None


async def does_it(admin: Visitor, reason: str) -> None:
    await admin.page.get_by_test_id("reason").fill(reason)
    await admin.tap("do-it")


async def leads(house: House, chrome: Browser, root: Api) -> None:
    async with context(chrome) as one:
        admin = Visitor(await one.new_page(), house.origin)
        await admin.use_token(str(root.token))
        await admin.open("/admin/rollout")
        await admin.sees("bars")
        await admin.sees("trips")
        await look(admin.page, "admin-rollout")
        await admin.tap("promote")
        await admin.page.get_by_test_id("reason").fill("It went well")
        await look(admin.page, "admin-promote")
        await admin.tap("do-it")
        await admin.sees("back-1")
        assert (await root.call("GET", HOSTING))["plan"]["stage"] == "percent"
        await admin.tap("back-1")
        await does_it(admin, "Too early")
        await admin.sees("back-2")
        assert (await root.call("GET", HOSTING))["plan"]["stage"] == "testers"
        await admin.page.get_by_test_id("stage").select_option("percent")
        await admin.page.get_by_test_id("percent").fill("12.5")
        await look(admin.page, "admin-stage")
        await admin.tap("save-plan")
        await does_it(admin, "Not as far as the next step")
        await admin.sees("back-3")
        assert (await root.call("GET", HOSTING))["plan"]["percent"] == 12.5
        await admin.tap("back-0")
        await admin.page.get_by_test_id("reason").fill("As it was set up")
        await look(admin.page, "admin-back")
        await admin.tap("do-it")
        await admin.sees("back-4")
        assert (await root.call("GET", HOSTING))["plan"]["stage"] == "testers"
        assert admin.problems == []
