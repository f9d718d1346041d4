"""From the first start to a small community: the link for the first administrator, an invitation that somebody follows,
and the administration on phone and desk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, claim_link, opened
from tests.e2e.looking import context, look

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """Where one signs up by invitation."""
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment={"PAROLA_REGISTRATION": "invite"})) as house:
            yield house


async def sign_up(visitor: Visitor, handle: str) -> None:
    await visitor.page.get_by_test_id("signup-handle").fill(handle)
    await visitor.page.get_by_test_id("signup-password").fill("correct horse battery")
    await visitor.page.get_by_test_id("signup-submit").click()


async def listens(root: Visitor) -> None:
    """To a private room of somebody else: everybody there sees it, until it ends."""
    async with Api(root.origin) as eva:
        link = await root.page.context.request.post(
            f"{root.origin}/api/me/invitations", headers={"Origin": root.origin}
        )
        code = str((await link.json())["url"]).rpartition("/")[2]
        account = {"handle": "eva", "name": "Eva", "password": "correct horse battery", "invite": code}
        eva.token = (await eva.call("POST", "/api/accounts", account))["token"]
        room = (await eva.call("POST", "/api/rooms", {"title": "Among us", "access": "invited"}))["id"]
        await root.open("/admin/rooms")
        await root.tap(f"visit-{room}")
        await root.page.get_by_test_id("reason").fill("two complaints")
        await look(root.page, "admin-visit")
        await root.tap("do-it")
        await root.sees("visitors")
        await root.tap("listen")
        await root.listening()
        await look(root.page, "room-visited")
        seen = await eva.call("GET", f"/api/rooms/{room}")
        assert [one["handle"] for one in seen["visitors"]] == ["root"]
        await root.tap("end-visit")
        await root.sees("closed")
        assert (await eva.call("GET", f"/api/rooms/{room}"))["visitors"] == []


async def waits(root: Visitor, dora: Visitor) -> None:
    """From the page of somebody without an invitation to the administration's, and back."""
    await dora.open("/")
    await sign_up(dora, "dora")
    await dora.tap("to-waitlist")
    await dora.page.get_by_test_id("waitlist-email").fill("dora@rooms.example")
    await look(dora.page, "waitlist-form")
    await dora.tap("waitlist-submit")
    await dora.page.get_by_text("You are number 1").wait_for()
    await dora.open("/")
    await dora.page.get_by_text("You are number 1").wait_for()
    await look(dora.page, "waitlist-place")
    await root.open("/admin/waitlist")
    await root.page.get_by_text("@dora").wait_for()
    await root.tap("approve-1")
    await root.sees("admin-waitlist-none")
    await dora.open("/")
    await dora.page.get_by_text("Your turn has come").wait_for()
    await look(dora.page, "waitlist-turn")


async def revokes(root: Visitor) -> None:
    """The invitation that the mail brings is the server's own; it stands among the open ones until it is taken back."""
    await root.open("/admin/invitations")
    await root.page.get_by_text("the server", exact=True).wait_for()
    await look(root.page, "admin-invitations-open")
    await root.page.get_by_role("button", name="Take back: the server").click()
    await root.page.get_by_test_id("reason").fill("sent to the wrong dora")
    await root.tap("do-it")
    await root.page.get_by_text("the server", exact=True).wait_for(state="detached")


async def test_from_the_first_link_to_a_branch_that_is_suspended(house: House, chrome: Browser) -> None:
    link = await claim_link(house)
    async with context(chrome) as first, context(chrome) as second, context(chrome) as third:
        root, ada, dora = [Visitor(await one.new_page(), house.origin) for one in (first, second, third)]
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
        await listens(root)
        await waits(root, dora)
        await revokes(root)
        for part in ("people", "rooms", "invitations", "waitlist", "audit", "health"):
            async with root.page.expect_response(lambda answer: "/api/admin/" in answer.url):
                await root.open(f"/admin/{part}")
            await root.sees(f"part-{part}")
            await look(root.page, f"admin-{part}")
