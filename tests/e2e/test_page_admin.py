"""From the first start to a small community: the link for the first administrator, an invitation that somebody follows,
and the administration on phone and desk."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, opened
from tests.e2e.looking import context, look
from tools.speech import Clip

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Where one signs up by invitation."""
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment={"PAROLA_REGISTRATION": "invite"})) as house:
            yield house


@pytest.fixture
async def chrome(speech: dict[str, Clip]) -> AsyncIterator[Browser]:
    async with browser(speech["english-1"].microphone) as launched:
        yield launched


async def logged(house: House, event: str) -> dict[str, str]:
    while True:
        for line in house.log.read_text().splitlines():
            if line.startswith("{") and json.loads(line)["event"] == event:
                found: dict[str, str] = json.loads(line)
                return found
        await asyncio.sleep(0.1)


async def sign_up(visitor: Visitor, handle: str) -> None:
    await visitor.page.get_by_test_id("signup-handle").fill(handle)
    await visitor.page.get_by_test_id("signup-password").fill("correct horse battery")
    await visitor.page.get_by_test_id("signup-submit").click()


async def test_from_the_first_link_to_a_branch_that_is_suspended(house: House, chrome: Browser) -> None:
    link = (await logged(house, "administration.nobody_yet"))["link"]
    async with context(chrome) as first, context(chrome) as second:
        root, ada = (
            Visitor(await first.new_page(), house.origin),
            Visitor(await second.new_page(), house.origin),
        )
        await root.page.goto(link)
        await sign_up(root, "root")
        await root.page.get_by_test_id("claim").click()
        await root.sees("admin-people")
        await root.open("/@root")
        await root.page.get_by_test_id("make-invitation").click()
        invitation = await root.page.get_by_test_id("invitation-link").inner_text()
        await look(root.page, "profile-invitations")
        await ada.page.goto(invitation)
        await ada.sees("signup-handle")
        await look(ada.page, "invite")
        await sign_up(ada, "ada")
        await ada.sees("me")
        await ada.open("/@ada")
        assert await ada.page.get_by_test_id("invited-by").inner_text() == "Invited by root"
        await ada.open("/admin")
        await ada.sees("unknown")
        await root.open("/admin/invitations")
        await root.page.get_by_test_id("below-root").click()
        await root.page.get_by_text("@ada").wait_for()
        await root.open("/admin/people")
        await root.page.get_by_test_id("suspend-ada").click()
        await root.page.get_by_test_id("reason").fill("spam")
        await look(root.page, "admin-suspend")
        await root.page.get_by_test_id("do-it").click()
        await root.page.get_by_text("suspended", exact=True).wait_for()
        await ada.open("/")
        await ada.sees("sign-in")
        for part in ("people", "rooms", "invitations", "waitlist", "audit", "health"):
            async with root.page.expect_response(lambda answer: "/api/admin/" in answer.url):
                await root.open(f"/admin/{part}")
            await root.sees(f"part-{part}")
            await look(root.page, f"admin-{part}")
