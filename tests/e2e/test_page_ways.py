"""Who uses the page by keys alone, enlarged to twice its size, or without motion."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.e2e.browsing import Visitor
from tests.e2e.house import House, eventually, give_floor, handle_of, people
from tests.e2e.looking import beyond, visiting

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(180)]

# The longest time that anything takes to move or to change, in seconds, pseudo-elements included.
_LONGEST_MOVE = """() => {
  let longest = 0;
  for (const one of document.querySelectorAll("body, body *"))
    for (const which of [null, "::before", "::after"]) {
      const style = getComputedStyle(one, which);
      const seconds = `${style.transitionDuration},${style.animationName === "none" ? "0s" : style.animationDuration}`;
      for (const part of seconds.split(",")) longest = Math.max(longest, parseFloat(part));
    }
  return longest;
}"""
_FOCUS = """() => {
  const {activeElement: at} = document;
  const style = getComputedStyle(at);
  return {
    label: at.dataset.testid ?? at.id,
    marked: at.matches(":focus-visible") && style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
  };
}"""


async def test_by_keys_alone_from_the_home_page_to_the_stage(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob), visiting(house, chrome, bob) as member:
        room = await ada.call("POST", "/api/rooms", {"title": "Ten fingers"})
        keys, handle = member.page.keyboard, await handle_of(bob)
        await member.open("/")
        await member.sees(f"room-{room['id']}")
        await keys.press("Tab")
        assert (await focus(member))["label"] == ""
        await expect(member.page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
        await keys.press("Enter")
        await walk_to(member, f"room-{room['id']}")
        await keys.press("Enter")
        await member.sees("room-title")
        assert (await focus(member))["label"] == "content"
        await walk_to(member, "listen")
        await keys.press("Enter")
        await member.listening()
        # The action that matters next has the focus already.
        assert (await focus(member))["label"] == "raise-hand"
        await keys.press("h")
        await member.sees(f"hand-{handle}")
        await keys.press("h")
        await member.sees_no(f"hand-{handle}")
        await keys.press("?")
        await member.sees("keys")
        await keys.press("h")
        await keys.press("Escape")
        await member.sees_no("keys")
        await expect(member.page.get_by_test_id("raise-hand")).to_be_focused()
        await keys.press("Enter")
        await member.sees(f"hand-{handle}")
        await ada.call("PUT", f"/api/rooms/{room['id']}/floor/{handle}")
        await expect(member.page.get_by_test_id("take-floor")).to_be_focused()
        await keys.press("Enter")
        await member.speaking()
        await expect(member.page.get_by_test_id("mute")).to_be_focused()
        voice = member.page.get_by_test_id("microphone-state")
        for action, state in (("unmute", "muted"), ("mute", "open")):
            await keys.press("m")
            await expect(voice).to_have_attribute("data-voice", state)
            await expect(member.page.get_by_test_id(action)).to_be_focused()
        assert member.problems == []


async def test_enlarged_to_twice_its_size_everything_can_be_reached(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call(
            "POST", "/api/rooms", {"title": "A title of some length that has to go somewhere"}
        )
        await give_floor(ada, bob, room["id"])
        twice: dict[str, Any] = {"viewport": {"width": 640, "height": 400}, "device_scale_factor": 2}
        async with visiting(house, chrome, ada, **twice) as host:
            for path, label in (
                ("/", "rooms"),
                (f"/@{await handle_of(bob)}", "follow"),
                (f"/r/{room['id']}", "listen"),
            ):
                await host.open(path)
                await host.sees(label)
                assert await beyond(host.page) == []
            # What is last on the page can be brought above the bar.
            await host.page.keyboard.press("End")
            last = host.page.get_by_role("heading", name="Audience")
            await last.scroll_into_view_if_needed()
            await host.page.mouse.wheel(0, 10_000)
            await eventually(
                lambda: above(host.page, "section[aria-labelledby=audience-title]", "[role=group]")
            )
            for opener in ("lead-room", "share", f"face-{await handle_of(bob)}"):
                await host.tap(opener)
                dialog = host.page.locator("dialog[open]")
                await expect(dialog).to_be_visible()
                assert await beyond(host.page) == []
                await dialog.get_by_role("button", name="Close").click()
                await expect(dialog).to_have_count(0)
            assert host.problems == []


async def test_nothing_moves_for_those_who_want_no_motion(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "Still"})
        longest = {}
        for motion in ("no-preference", "reduce"):
            async with visiting(house, chrome, ada, reduced_motion=motion) as host:
                await host.open(f"/r/{room['id']}")
                await host.tap("take-floor")
                await host.speaking()
                await host.page.locator("[data-speaking=true]").wait_for()
                longest[motion] = await host.page.evaluate(_LONGEST_MOVE)
                ring = (
                    "() => getComputedStyle(document.querySelector('.face.speaking'), '::before').transform"
                )
                scaled = await host.page.evaluate(ring)
                assert (scaled == "none") == (motion == "reduce")
                assert host.problems == []
        assert longest["no-preference"] > 0.05
        assert longest["reduce"] < 0.001


async def above(page: Page, upper: str, lower: str) -> bool:
    upper_box, lower_box = [await page.locator(one).bounding_box() for one in (upper, lower)]
    assert upper_box is not None
    assert lower_box is not None
    return upper_box["y"] + upper_box["height"] <= lower_box["y"]


async def focus(visitor: Visitor) -> dict[str, Any]:
    return dict(await visitor.page.evaluate(_FOCUS))


async def walk_to(visitor: Visitor, label: str) -> None:
    """By Tab, and one sees where one is at every step."""
    for _ in range(40):
        await visitor.page.keyboard.press("Tab")
        at = await focus(visitor)
        assert at["marked"], at
        if at["label"] == label:
            return
    raise AssertionError(f"Tab does not come to {label}")
