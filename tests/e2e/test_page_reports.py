"""From a moment that a listener reports to an appeal that is decided, on the real page; and who is suspended is silent
at once, and can still appeal."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, eventually, give_floor, handle_of, people
from tests.e2e.looking import look, visiting
from tests.e2e.reporting import administers, measure, open_case, report

pytestmark = pytest.mark.any_database


@pytest.mark.timeout(600)
async def test_from_a_report_to_an_appeal_that_is_decided(house: House, chrome: Browser) -> None:
    async with people(house, "root", "other", "ada", "bob", "lia") as (root, other, ada, bob, lia):
        await administers(house, root, other)
        room = await ada.call("POST", "/api/rooms", {"title": "غرفة and a room"})
        bobs = await give_floor(ada, bob, room["id"])
        async with visiting(house, chrome, lia) as listener:
            await listener.open(f"/r/{room['id']}")
            await listener.tap("report-room")
            await listener.page.get_by_test_id("report-reason").select_option("harassment")
            await listener.page.get_by_test_id("report-text").fill("He <b>insults</b> everybody.")
            await look(listener.page, "report")
            await listener.tap("report-send")
            await listener.sees_no("report-send")
            # And the one who speaks, out of their own sheet.
            await report(listener, "hate", bobs)
            async with visiting(house, chrome, root) as hers:
                await open_case(hers, bobs)
                floor = await hers.page.get_by_test_id("case-floor").first.inner_text()
                assert f"@{bobs}" in floor
                await look(hers.page, "admin-reports")
                await measure(hers, "warn", "mind your words")
                await look(hers.page, "admin-measure")
                await hers.tap("measure-do")
                await hers.sees_no("case")
                async with visiting(house, chrome, bob) as his:
                    await his.open("/")
                    await his.sees("decision-warn")
                    assert await his.page.get_by_test_id("decision-reason").inner_text() == "mind your words"
                    assert await handle_of(lia) not in await his.page.content()
                    await look(his.page, "decision")
                    await his.tap("appeal")
                    await his.page.get_by_test_id("appeal-text").fill("I was quoting somebody.")
                    await his.tap("appeal-send")
                    await his.sees("appeal-state")
                    await his.tap("decisions-read")
                    await his.sees_no("decision-warn")
                    await hers.open("/admin/appeals")
                    await hers.sees("appeal-yours")
                    async with visiting(house, chrome, other) as second:
                        await second.open("/admin/appeals")
                        await look(second.page, "admin-appeals")
                        await second.tap(f"lift-{bobs}")
                        await second.page.get_by_test_id("reason").fill("it was a quotation")
                        await second.tap("do-it")
                        await second.sees("appeals-none")
                    await his.page.reload()
                    await his.sees("decision-warn")
                    said = await his.page.get_by_test_id("appeal-state").inner_text()
                    assert "it was a quotation" in said
                    assert his.problems == []
                assert hers.problems == []
            await listener.open("/settings")
            await (
                listener.page.get_by_test_id("own-report-state")
                .filter(has_text="something was done")
                .wait_for()
            )
            await look(listener.page, "settings")
            assert listener.problems == []


async def test_a_report_outlives_the_room_and_ones_place_in_it(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "lia") as (ada, lia), visiting(house, chrome, lia) as listener:
        room = await ada.call("POST", "/api/rooms", {"title": "Over too soon"})
        await listener.open(f"/r/{room['id']}")
        await listener.tap("report-room")
        await listener.page.get_by_test_id("report-text").fill("Half of a")
        await ada.call("POST", f"/api/rooms/{room['id']}/end")
        await listener.sees("ended")
        assert await listener.page.get_by_test_id("report-text").input_value() == "Half of a"
        await reports(listener, "hate", "Half of a sentence.")
        await listener.tap("report-gone")
        await look(listener.page, "report-gone")
        await reports(listener, "hate", "And the rest of it.")
        (said,) = await reported(lia, room)
        assert "Half of a sentence." in said["text"]
        assert "And the rest of it." in said["text"]
        assert said["at_ms"] is not None
        other = await ada.call("POST", "/api/rooms", {"title": "Put out"})
        await listener.open(f"/r/{other['id']}")
        await listener.sees("report-room")
        await ada.call("PUT", f"/api/rooms/{other['id']}/removed/{await handle_of(lia)}")
        await listener.sees("removed")
        await listener.page.reload()
        await listener.sees("removed")
        await listener.tap("report-gone")
        await reports(listener, "harassment", "For a question.")
        assert [one["text"] for one in await reported(lia, other)] == ["For a question."]
        await listener.open("/r/there_is_none")
        await listener.sees("hidden")
        assert await listener.page.get_by_test_id("report-gone").count() == 0
        assert listener.problems == []


async def reports(visitor: Visitor, reason: str, text: str) -> None:
    """In the dialog that is open."""
    await visitor.page.get_by_test_id("report-reason").select_option(reason)
    await visitor.page.get_by_test_id("report-text").fill(text)
    await visitor.tap("report-send")
    await visitor.sees_no("report-send")


async def reported(api: Api, room: dict[str, Any]) -> list[dict[str, Any]]:
    found = (await api.call("GET", "/api/me/reports"))["reports"]
    return [one for one in found if one["room"] and one["room"]["id"] == room["id"]]


@pytest.mark.timeout(600)
async def test_who_is_suspended_is_silent_at_once_and_can_appeal(house: House, chrome: Browser) -> None:
    async with people(house, "root", "ada", "bob", "lia") as (root, ada, bob, lia):
        await administers(house, root)
        room = await ada.call("POST", "/api/rooms", {"title": "A room"})
        bobs = await give_floor(ada, bob, room["id"])
        async with visiting(house, chrome, bob) as his:
            await his.open(f"/r/{room['id']}")
            await his.tap("take-floor")
            await his.speaking()
            about = {"handle": bobs, "room": room["id"]}
            await lia.call("POST", "/api/reports", {"about": about, "reason": "violence"})
            async with visiting(house, chrome, root) as hers:
                await open_case(hers, bobs)
                await measure(hers, "suspend", "threatens people")
                await hers.tap("measure-do")
                await hers.sees_no("case")
            speakers = (await ada.call("GET", f"/api/rooms/{room['id']}"))["speakers"]
            assert bobs not in {one["handle"] for one in speakers}
            await eventually(lambda: _is_silent(his))
            await his.open("/")
            await his.tap("sign-in")
            await his.page.get_by_test_id("signin-handle").fill(bobs)
            await his.page.get_by_test_id("signin-password").fill("correct horse battery")
            await his.tap("signin-submit")
            await his.sees("decision-suspend")
            await look(his.page, "suspended")
            await his.open(f"/r/{room['id']}")
            await his.sees("suspended")
            await his.tap("appeal")
            await his.page.get_by_test_id("appeal-text").fill("I was not there.")
            await his.tap("appeal-send")
            await his.sees("appeal-state")
            assert his.problems == []


async def _is_silent(visitor: Visitor) -> bool:
    return not await visitor.page.evaluate("() => window.__parola?.speak?.connectionState === 'connected'")
