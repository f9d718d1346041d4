"""Two journeys from their beginning to their end, each by the page alone: an invited member comes, follows, is told,
enters, asks and is heard, in Italian; a trial goes from testers to everyone, and a guard stops it on the way."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from parola.client.webrtc import Pcm
from parola.domain.rollout import place
from parola.domain.rollout.plan import PLACES
from tests.e2e.browsing import Visitor
from tests.e2e.conftest import as_float
from tests.e2e.hearing import RATE, intelligibility
from tests.e2e.house import House, claim_link, eventually, opened
from tests.e2e.looking import context, look, visiting

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]

PASSWORD = "correct horse battery"
HOSTING = "/api/admin/rollout/hosting"
MICROPHONE = "italian-1"


@contextlib.contextmanager
def house_with(**environment: str) -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder:
        with opened(House(Path(folder), environment=environment)) as house:
            yield house


async def administrator(house: House, api: Api) -> None:
    """By the link in the log, which opens the door as well."""
    token = (await claim_link(house)).partition("#")[2]
    account = {"handle": "ada", "name": "Ada", "password": PASSWORD, "invite": token}
    api.token = (await api.call("POST", "/api/accounts", account))["token"]
    await api.call("POST", "/api/admin/claim", {"token": token})


@pytest.mark.alone
async def test_an_invited_member_comes_follows_is_told_asks_and_is_heard(
    chrome: Browser, italian: Pcm
) -> None:
    with house_with(PAROLA_REGISTRATION="invite") as house:
        async with Api(house.origin) as ada:
            await administrator(house, ada)
            link = (await ada.call("POST", "/api/me/invitations"))["url"]
            async with (
                visiting(house, chrome, ada, locale="it-IT") as host,
                visiting(house, chrome, locale="it-IT") as guest,
            ):
                await guest.page.goto(link)
                await guest.page.get_by_text("Ada ti invita su Parola").wait_for()
                await guest.page.get_by_test_id("signup-handle").fill("bruno")
                await guest.page.get_by_test_id("signup-password").fill(PASSWORD)
                await guest.tap("signup-submit")
                await guest.sees("me")
                async with guest.page.expect_request("**/api/me/events"):
                    await guest.open("/@ada")
                await guest.tap("follow")
                await guest.sees("unfollow")

                await host.open("/")
                await host.page.get_by_test_id("open-title").fill("Il ponte vecchio")
                await host.tap("open-submit")
                await host.page.wait_for_url("**/r/*")
                await guest.page.get_by_test_id("notice").filter(has_text="Il ponte vecchio").wait_for()
                await guest.tap("started")
                await guest.page.get_by_test_id("started-list").get_by_role("link").click()
                await guest.sees("room-title")
                assert guest.page.url == host.page.url
                await host.tap("listen")
                await host.listening()
                await guest.tap("listen")
                await guest.listening()

                await guest.tap("raise-hand")
                await host.tap("grant-bruno")
                await guest.tap("take-floor")
                await guest.speaking()
                await host.record()
                # The fake microphone repeats the file, so that all of it is heard once from its beginning; what the
                # browser does to a microphone's sound is part of what is heard.
                await asyncio.sleep(2 * len(italian) / RATE + 1)
                assert intelligibility(as_float(italian), as_float(await host.take())) >= 0.75
                for visitor in (host, guest):
                    assert await visitor.page.evaluate("() => document.documentElement.lang") == "it"
                    assert visitor.problems == []


@pytest.mark.waits
async def test_a_trial_from_testers_to_everyone_that_a_guard_stops_on_the_way(chrome: Browser) -> None:
    with house_with(PAROLA_HOSTING="testers") as house:
        async with Api(house.origin) as ada, contextlib.AsyncExitStack() as stack:
            await administrator(house, ada)
            early, late = await early_and_late(house, stack)
            async with visiting(house, chrome, ada) as lead, context(chrome) as another:
                guest = Visitor(await another.new_page(), house.origin)
                await lead.open("/admin/rollout")
                await lead.page.get_by_test_id("testers").fill("ada")
                await lead.page.get_by_test_id("policies-percent").locator("summary").click()
                await lead.page.get_by_test_id("percent-minutes_at_most").fill("45")
                await lead.tap("add-guard")
                await lead.page.get_by_label("Figure").select_option("liked")
                await lead.page.get_by_label("Side").select_option("least")
                await lead.page.get_by_test_id("bound-0").fill("0.5")
                await lead.page.get_by_test_id("enough-0").fill("0")
                await look(lead.page, "admin-plan")
                await step(lead, "save-plan", "The first trial")

                await room_ends(ada, guest, "survey-yes")
                await figure(ada, "liked", 1.0)
                assert await refusal(early) == "testers"
                await step(lead, "promote", "The testers like it")
                await step(lead, "promote", "More of them")
                assert await stage(ada) == ("percent", 10)
                assert await refusal(late) == "percent"
                room = await room_ends(early, guest, "survey-no")
                assert room["ends_at"] is not None, "the rules of its stage bound it"
                await figure(ada, "liked", 0.0)

                await lead.open("/admin/rollout")
                await lead.page.get_by_text("stops the trial").wait_for()
                await lead.tap("promote")
                await lead.page.get_by_test_id("reason").fill("All the same")
                await lead.tap("do-it")
                await lead.page.get_by_text("A guard stops this step").wait_for()
                await eventually(lambda: is_at(ada, "testers"), 90)
                assert (await ada.call("GET", f"{HOSTING}/history"))["versions"][0]["author"] is None
                assert await refusal(early) == "testers"

                await lead.open("/admin/rollout")
                for percent in (5, 10, 25, 50):
                    await step(lead, "promote", f"Mended, {percent} %")
                await step(lead, "promote", "For all")
                assert await stage(ada) == ("everyone", 50)
                assert await refusal(late) is None
                assert lead.problems == guest.problems == []


async def early_and_late(house: House, stack: contextlib.AsyncExitStack) -> tuple[Api, Api]:
    """Somebody among the first tenth of all accounts, and somebody who is not among the first half."""
    early = late = None
    while early is None or late is None:
        api = await stack.enter_async_context(Api(house.origin))
        await api.sign_up(f"m_{secrets.token_hex(4)}", "Member", PASSWORD)
        where = place("hosting", (await api.call("GET", "/api/me"))["id"]) / PLACES
        if where < 0.1:
            early = api
        elif where >= 0.5:
            late = api
    return early, late


async def step(lead: Visitor, what: str, reason: str) -> None:
    """On the page, with a reason, until it stands in the history."""
    await lead.tap(what)
    await lead.page.get_by_test_id("reason").fill(reason)
    await lead.tap("do-it")
    await lead.page.get_by_test_id("versions").get_by_text(reason, exact=True).wait_for()


async def room_ends(host: Api, guest: Visitor, answer: str) -> dict[str, object]:
    """A guest listens, the room ends, and the guest says how it was."""
    room: dict[str, object] = await host.call("POST", "/api/rooms", {"title": "A trial"})
    await guest.open(f"/r/{room['id']}")
    await guest.tap("listen")
    await guest.listening()
    await host.call("POST", f"/api/rooms/{room['id']}/end")
    await guest.tap(answer)
    return room


async def figure(api: Api, name: str, value: float) -> None:
    async def shown() -> bool:
        return bool((await api.call("GET", HOSTING))["figures"][name] == value)

    await eventually(shown, 30)


async def stage(api: Api) -> tuple[str, float]:
    plan = (await api.call("GET", HOSTING))["plan"]
    return plan["stage"], plan["percent"]


async def is_at(api: Api, wanted: str) -> bool:
    return (await stage(api))[0] == wanted


async def refusal(api: Api) -> str | None:
    """Why somebody may not open a room; None where they may."""
    body = {"title": "Mine", "access": "link"}
    async with api._http.post(f"{api.origin}/api/rooms", json=body, headers=api._headers()) as answer:
        told = await answer.json()
    return None if answer.status == 201 else str(told["because"])
