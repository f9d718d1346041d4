"""Two people and what stands between them, on the real page: a notice, a request, a block in the middle of a room."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from tests.e2e.browsing import Visitor, keeps
from tests.e2e.house import House, eventually, give_floor, handle_of, people
from tests.e2e.looking import look

pytestmark = pytest.mark.timeout(180)


async def visiting(chrome: Browser, house: House, api: Api) -> Visitor:
    visitor = await Visitor.arrive(chrome, house.origin)
    await visitor.use_token(str(api.token))
    return visitor


async def test_a_follower_hears_of_a_start_wherever_they_are_and_goes_there(
    house: House, chrome: Browser
) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        await bob.call("PUT", f"/api/accounts/{await handle_of(ada)}/follow")
        reader = await visiting(chrome, house, bob)
        async with reader.page.expect_request("**/api/me/events"):
            await reader.open(f"/@{await handle_of(bob)}")
        await reader.sees("private")
        room = await ada.call("POST", "/api/rooms", {"title": "Just begun"})
        notice = reader.page.get_by_test_id("notice").filter(has_text="Just begun")
        await notice.wait_for()
        await reader.tap("started")
        assert await reader.page.get_by_test_id("started-list").inner_text() != ""
        await reader.page.get_by_test_id("started-list").get_by_role("link").click()
        await reader.sees("room-title")
        assert reader.page.url.endswith(f"/r/{room['id']}")
        assert reader.problems == []


async def test_a_private_account_answers_a_request(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        handles = {"ada": await handle_of(ada), "bob": await handle_of(bob)}
        hers, his = await visiting(chrome, house, ada), await visiting(chrome, house, bob)
        await hers.open(f"/@{handles['ada']}")
        async with hers.page.expect_response(keeps(private=True)):
            await hers.page.get_by_test_id("private").check()
        await his.open(f"/@{handles['ada']}")
        await his.tap("follow")
        await his.sees("unfollow")
        await hers.page.reload()
        await hers.tap(f"approve-{handles['bob']}")
        await hers.sees_no("requests")
        await his.page.reload()
        await his.page.get_by_text("Following", exact=True).wait_for()
        assert hers.problems == his.problems == []


async def test_a_block_ends_it_for_who_is_listening_and_warns_who_has_blocked_a_speaker(
    house: House, chrome: Browser
) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "A room"})
        hers = await visiting(chrome, house, carla)
        his_handle = await give_floor(ada, bob, room["id"])
        await carla.call("PUT", f"/api/accounts/{his_handle}/block")
        await hers.open(f"/r/{room['id']}")
        await hers.sees("warning")
        await hers.tap("listen")
        await hers.sees("warning-stay")
        await hers.tap("warning-listen")
        await hers.listening()
        host = await visiting(chrome, house, ada)
        await host.open(f"/@{await handle_of(carla)}")
        await host.tap("person-menu")
        await host.tap("block-person")
        await host.sees("blocked")
        await hers.sees("closed")
        await eventually(lambda: _is_silent(hers))
        # The room is none that she could report any more.
        assert await hers.page.get_by_test_id("report-gone").count() == 0
        assert hers.problems == host.problems == []


async def test_a_host_sees_whom_they_have_invited_and_takes_it_back(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Among us", "access": "invited"})
        host, guest = [await visiting(chrome, house, one) for one in (ada, bob)]
        await host.open(f"/r/{room['id']}")
        await host.tap("lead-room")
        handles = [await handle_of(one) for one in (bob, carla)]
        for handle in handles:
            await host.page.get_by_test_id("person-handle").fill(handle)
            await host.tap("person-invite")
            await host.sees(f"uninvite-{handle}")
        await look(host.page, "room-invited")
        await guest.open(f"/r/{room['id']}")
        await guest.tap("listen")
        await guest.listening()
        await host.tap(f"uninvite-{handles[0]}")
        await host.sees_no(f"uninvite-{handles[0]}")
        await guest.sees("closed")
        await eventually(lambda: _is_silent(guest))
        await host.page.keyboard.press("Escape")
        await host.tap("lead-room")
        await host.sees(f"uninvite-{handles[1]}")
        assert await host.page.get_by_test_id(f"uninvite-{handles[0]}").count() == 0
        assert host.problems == guest.problems == []


async def _is_silent(visitor: Visitor) -> bool:
    return not await visitor.page.evaluate("() => window.__parola?.listen?.connectionState === 'connected'")
