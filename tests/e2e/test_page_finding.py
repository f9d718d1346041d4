"""Rooms and people are found: by words, by time, by whom one follows; and one is seen as one wishes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, expect

from parola.client.api import Api
from tests.e2e.browsing import Visitor, keeps
from tests.e2e.house import House, handle_of, people

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(180)]

PAGE = 50
"""Rooms that the page asks for at once."""


async def test_words_find_rooms_and_people_and_outlive_the_way_there(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Zeppelins over the lake"})
        await bob.call("PATCH", "/api/me", {"name": "Quirin Vogel"})
        guest = await Visitor.arrive(chrome, house.origin)
        page, found = guest.page, guest.page.get_by_test_id("found")
        await guest.open("/")
        await guest.sees(f"room-{room['id']}")
        await page.get_by_test_id("search").fill("zeppel")
        await expect(page.get_by_test_id("found-live").get_by_role("heading")).to_have_text(
            ["Zeppelins over the lake"]
        )
        await page.get_by_test_id("search").fill("quirin v")
        await expect(page.get_by_test_id("found-people").get_by_role("link")).to_have_count(1)
        await expect(found).to_have_text("1 found")
        await expect(page.get_by_test_id("found-live")).to_have_count(0)

        await guest.tap(f"person-{await handle_of(bob)}")
        await expect(page.get_by_test_id("profile")).to_have_text("Quirin Vogel")
        await page.go_back()
        await expect(page.get_by_test_id("search")).to_have_value("quirin v")
        await guest.sees(f"person-{await handle_of(bob)}")
        await page.reload()
        await guest.sees(f"person-{await handle_of(bob)}")

        await page.get_by_test_id("search").fill("there is nothing like this")
        await expect(found).to_contain_text("Nothing was found for “there is nothing like this”.")
        await page.keyboard.press("Escape")
        await expect(page.get_by_test_id("search")).to_have_value("")
        await expect(page.get_by_test_id("search")).to_be_focused()
        await guest.sees("rooms")
        await page.wait_for_url(house.origin + "/")
        assert guest.problems == []


async def test_a_planned_room_comes_up_and_so_do_those_after_it(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        titles = [f"Number {number}" for number in range(PAGE + 2)]
        # Planned in any order, they come up in that of their times.
        for number in reversed(range(PAGE + 2)):
            await plan(ada, titles[number], timedelta(hours=1, minutes=number))
        guest = await Visitor.arrive(chrome, house.origin)
        await guest.open("/")
        headings = guest.page.get_by_test_id("coming").get_by_role("heading")
        await expect(headings).to_have_text(titles[:PAGE])
        await guest.tap("more-coming")
        await expect(headings).to_have_text(titles)
        await guest.sees_no("more-coming")
        await guest.page.get_by_role("link", name=titles[0]).first.click()
        await expect(guest.page.get_by_test_id("room-title")).to_have_text(titles[0])
        await expect(guest.page.get_by_text("This room has not started yet.")).to_be_visible()
        assert guest.problems == []


async def test_whom_one_follows_comes_first(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        ended = await ada.call("POST", "/api/rooms", {"title": "What was said last week"})
        await ada.call("POST", f"/api/rooms/{ended['id']}/end")
        older = await ada.call("POST", "/api/rooms", {"title": "The older one"})
        newer = await carla.call("POST", "/api/rooms", {"title": "The newer one"})
        member = await arrive(house, chrome, bob)
        page = member.page
        await member.open("/")
        assert await order(member, older, newer) == [newer["id"], older["id"]]

        await member.open(f"/@{await handle_of(ada)}")
        await expect(page.get_by_test_id("past-rooms").get_by_role("heading")).to_have_text(
            ["What was said last week"]
        )
        await expect(page.get_by_test_id("live-rooms").get_by_role("heading")).to_have_text(["The older one"])
        await member.tap("follow")
        await member.sees("unfollow")
        await expect(page.get_by_role("button", name="1 follower", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Parola, home").click()
        await member.sees("followed")
        assert await order(member, older, newer) == [older["id"], newer["id"]]

        await page.go_back()
        await member.tap("unfollow")
        await member.sees("follow")
        await expect(page.get_by_role("button", name="0 followers", exact=True)).to_be_visible()
        await page.get_by_role("link", name="Parola, home").click()
        assert await order(member, older, newer) == [newer["id"], older["id"]]
        await member.sees_no("followed")
        assert member.problems == []


async def test_one_changes_ones_name_and_the_stage_shows_it(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Under a new name"})
        host = await arrive(house, chrome, ada)
        await host.open("/")
        await host.tap("me")
        await host.tap("edit-profile")
        name = host.page.get_by_test_id("profile-name")
        await expect(name).to_be_focused()
        await name.fill("  Ada,   Countess of Lovelace ")
        await name.press("Enter")
        await expect(host.page.get_by_test_id("profile")).to_have_text("Ada, Countess of Lovelace")
        await expect(host.page.get_by_test_id("edit-profile")).to_be_focused()
        await expect(host.page.get_by_test_id("me")).to_contain_text("Ada, Countess of Lovelace")
        guest = await Visitor.arrive(chrome, house.origin)
        await guest.open(f"/r/{room['id']}")
        await expect(guest.page.get_by_test_id(f"face-{await handle_of(ada)}")).to_contain_text("Countess")
        assert host.problems == guest.problems == []


async def test_who_listens_unseen_is_counted_and_not_shown(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Who is there?"})
        hidden, shown, host = [await arrive(house, chrome, api) for api in (bob, carla, ada)]
        await hidden.open(f"/@{await handle_of(bob)}")
        await expect(hidden.page.get_by_test_id("listen-seen")).to_be_checked()
        async with hidden.page.expect_response(keeps(listen_unseen=True)):
            await hidden.page.get_by_test_id("listen-seen").uncheck()
        await hidden.page.reload()
        await expect(hidden.page.get_by_test_id("listen-seen")).not_to_be_checked()
        await host.open(f"/r/{room['id']}")
        for visitor in (hidden, shown):
            await visitor.open(f"/r/{room['id']}")
            await visitor.tap("listen")
            await visitor.listening()
        await expect(host.page.get_by_test_id("audience-count")).to_have_attribute("data-count", "2")
        await host.sees(f"listener-{await handle_of(carla)}")
        await expect(host.page.get_by_text("and 1 more", exact=True)).to_be_visible()
        for visitor in (host, shown, hidden):
            await expect(visitor.page.get_by_test_id(f"listener-{await handle_of(bob)}")).to_have_count(0)
        assert host.problems == shown.problems == hidden.problems == []


async def arrive(house: House, chrome: Browser, who: Api) -> Visitor:
    visitor = await Visitor.arrive(chrome, house.origin)
    await visitor.use_token(str(who.token))
    return visitor


async def order(visitor: Visitor, *rooms: dict[str, Any]) -> list[str]:
    """The ids of these live rooms as the home page has them, once it has them all."""
    cards = visitor.page.get_by_test_id("rooms").get_by_role("link")
    for room in rooms:
        await visitor.sees(f"room-{room['id']}")
    labels = [await one.get_attribute("data-testid") for one in await cards.all()]
    wanted = [room["id"] for room in rooms]
    return [
        label.removeprefix("room-") for label in labels if label and label.removeprefix("room-") in wanted
    ]


async def plan(host: Api, title: str, after: timedelta) -> None:
    at = (datetime.now(UTC) + after).isoformat().replace("+00:00", "Z")
    await host.call("POST", "/api/rooms", {"title": title, "starts_at": at})
