"""What goes wrong while people are in a room: names that are hard to write, microphones that vanish or are refused, a
second tab, an end or a removal in the wrong moment; and who uses the page by keys, enlarged, or without motion."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
from playwright.async_api import Browser, Page, Route, expect

from parola.client.api import Api
from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, eventually, give_floor, handle_of, people
from tests.e2e.looking import NARROW, beyond, context
from tools.speech import Clip

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(180)]

FAMILY = "👩‍👩‍👧‍👦"
NAMES = (
    '<img src=x onerror="window.__ran=1"><script>__ran=1</script>',
    (FAMILY * 9)[:60],
    "عبد الرحمن بن محمد الإسطرلابي",
    "W" * 60,
    "{name} %s &lt;b&gt; ${7*7} {{7*7}}",
)
TITLES = (
    "<svg onload=window.__ran=1><b>bold</b><iframe srcdoc='<script>parent.__ran=1</script>'></iframe> & so on",
    FAMILY * 17,
    "مجلس المدينة (2026): <b>ما رأيكم؟</b>",
    "W" * 120,
    "\\u003cscript\\u003e {title} </h1><script>window.__ran=1</script>",
)

_END_TRACK = """() => {
  const [{track}] = window.__parola.speak.getSenders();
  window.__ended = track;
  track.stop();
  track.dispatchEvent(new Event("ended"));
}"""
_REPLACED = """() => {
  const track = window.__parola.speak?.getSenders()[0]?.track;
  return track && track !== window.__ended && track.readyState === "live" && track.enabled;
}"""
_UNPLUG = """() => {
  const devices = navigator.mediaDevices;
  window.__open = devices.getUserMedia;
  devices.getUserMedia = async () => { throw new DOMException("none", "NotFoundError"); };
}"""
_PLUG_IN = "() => { navigator.mediaDevices.getUserMedia = window.__open; }"
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


@pytest.fixture
async def chrome(speech: dict[str, Clip]) -> AsyncIterator[Browser]:
    async with browser(speech["english-1"].microphone) as launched:
        yield launched


async def test_whatever_people_call_themselves_stands_there_as_text(house: House, chrome: Browser) -> None:
    async with people(house, "a", "b", "c", "d", "e") as apis, visiting(house, chrome, apis[0]) as host:
        handles = [await handle_of(api) for api in apis]
        for api, name in zip(apis, NAMES, strict=True):
            assert (await api.call("PATCH", "/api/me", {"name": name, "bio": name}))["name"] == name
        rooms = [
            await api.call("POST", "/api/rooms", {"title": title})
            for api, title in zip(apis, TITLES, strict=True)
        ]
        assert [room["title"] for room in rooms] == list(TITLES)
        room = rooms[0]["id"]
        for api in apis[1:3]:
            await give_floor(apis[0], api, room)
        for api in apis[3:]:
            await api.call("PUT", f"/api/rooms/{room}/hands/me")
        await host.open("/")
        for one, title in zip(rooms, TITLES, strict=True):
            await shows(host, f"room-{one['id']}", title)
        await fits(host)
        for handle, name in zip(handles, NAMES, strict=True):
            await host.open(f"/@{handle}")
            await expect(host.page.get_by_test_id("profile")).to_have_text(name)
            await fits(host)
        for one, title in zip(rooms, TITLES, strict=True):
            await host.open(f"/r/{one['id']}")
            await expect(host.page.get_by_test_id("room-title")).to_have_text(title)
            assert await host.page.title() == f"{title} · Parola"
            await fits(host)
        await host.open(f"/r/{room}")
        await host.tap("listen")
        await host.listening()
        for number, (handle, name) in enumerate(zip(handles, NAMES, strict=True)):
            label = f"face-{handle}" if number < 3 else f"hand-of-{handle}"
            await shows(host, label, name)
            await host.tap(label)
            await expect(host.page.get_by_test_id("person-name")).to_have_text(name)
            await fits(host)
            await host.page.keyboard.press("Escape")
        await host.tap(f"grant-{handles[4]}")
        await expect(host.page.get_by_test_id("announcer")).to_contain_text(f"{NAMES[4]} has the floor.")
        await host.page.get_by_role("link", name="Parola, home").click()
        await shows(host, "back-to-room", TITLES[0])
        await fits(host)
        assert host.problems == []


async def test_a_microphone_that_vanishes_takes_nobody_off_the_stage(house: House, chrome: Browser) -> None:
    async with (
        people(house, "ada") as (ada,),
        visiting(house, chrome, ada) as host,
        visiting(house, chrome) as guest,
    ):
        room = await ada.call("POST", "/api/rooms", {"title": "Unplugged"})
        for visitor in (host, guest):
            await visitor.open(f"/r/{room['id']}")
        await host.tap("take-floor")
        await host.speaking()
        await guest.tap("listen")
        await guest.listening()

        await host.page.evaluate(_END_TRACK)
        await host.page.wait_for_function(_REPLACED)
        await expect(host.page.get_by_test_id("notice")).to_contain_text(
            "Your microphone is gone. In its place: "
        )
        await eventually(lambda: hears(guest))
        await host.sees("mute")
        await host.sees_no("microphone-trouble")

        await host.page.evaluate(_UNPLUG)
        await host.page.evaluate(_END_TRACK)
        await expect(host.page.get_by_test_id("microphone-trouble")).to_contain_text(
            "No microphone was found."
        )
        await host.sees("take-floor")
        await host.tap("take-floor")
        await expect(host.page.get_by_test_id("microphone-trouble")).to_contain_text(
            "No microphone was found."
        )
        await host.page.evaluate(_PLUG_IN)
        await host.tap("take-floor")
        await host.speaking()
        await host.sees_no("microphone-trouble")
        await eventually(lambda: hears(guest))
        assert host.problems == guest.problems == []


async def test_a_microphone_that_is_refused_can_still_be_allowed(
    house: House, speech: dict[str, Clip]
) -> None:
    async with (
        people(house, "ada") as (ada,),
        browser(speech["english-1"].microphone, asks=True) as chrome,
        visiting(house, chrome, ada) as host,
    ):
        # What is allowed by name refuses the rest.
        await host.page.context.clear_permissions()
        await host.page.context.grant_permissions(["geolocation"], origin=house.origin)
        room = await ada.call("POST", "/api/rooms", {"title": "May I?"})
        await host.open(f"/r/{room['id']}")
        await host.tap("take-floor")
        await expect(host.page.get_by_test_id("microphone-trouble")).to_contain_text(
            "Your browser does not let this page use the microphone. Allow it beside the address"
        )
        assert await host.page.evaluate("() => window.__parola.speak") is None
        # One who may not speak can hear.
        await host.listening()
        await host.page.context.grant_permissions(["microphone"], origin=house.origin)
        await host.tap("take-floor")
        await host.speaking()
        await host.sees_no("microphone-trouble")
        await host.sees("mute")
        assert host.problems == []


async def test_the_newer_of_two_tabs_speaks_until_the_older_takes_it_back(
    house: House, chrome: Browser
) -> None:
    async with people(house, "ada") as (ada,), visiting(house, chrome, ada) as first:
        room = await ada.call("POST", "/api/rooms", {"title": "Here, no, there"})
        second = Visitor(await first.page.context.new_page(), house.origin)
        tabs = [first, second]
        for tab in tabs:
            await tab.open(f"/r/{room['id']}")
            await tab.tap("take-floor")
            await tab.speaking()
        for silent, speaker in (tabs, tabs[::-1]):
            await expect(silent.page.get_by_test_id("speak-trouble")).to_contain_text(
                "You are speaking from another page or device now. Take the floor here to move it back.",
                timeout=15_000,
            )
            await silent.sees("take-floor")
            assert await silent.page.evaluate("() => window.__parola.speak") is None
            await speaker.sees("mute")
            await speaker.sees_no("speak-trouble")
            if silent is first:
                await first.tap("take-floor")
                await first.speaking()
        view = await ada.call("GET", f"/api/rooms/{room['id']}")
        assert [one["connected"] for one in view["speakers"]] == [True]
        assert first.problems == second.problems == []


@pytest.mark.parametrize("late", ["whep", "events"])
async def test_a_room_that_ends_while_somebody_joins(house: House, chrome: Browser, late: str) -> None:
    async with people(house, "ada") as (ada,), visiting(house, chrome) as guest:
        room = await ada.call("POST", "/api/rooms", {"title": "Just missed"})
        asked, over = asyncio.Event(), asyncio.Event()

        async def hold(route: Route) -> None:
            asked.set()
            await over.wait()
            with contextlib.suppress(Exception):  # the page may have given it up
                await route.continue_()

        await guest.page.route(f"**/api/rooms/*/{late}", hold)
        await guest.open(f"/r/{room['id']}")
        if late == "whep":
            await guest.tap("listen")
        await asked.wait()
        await ada.call("POST", f"/api/rooms/{room['id']}/end")
        over.set()
        await guest.sees("ended")
        assert await guest.page.evaluate("() => window.__parola.listen") is None
        await guest.page.get_by_role("link", name="See the live rooms").click()
        await guest.sees("search")
        await guest.sees_no("mini-player")
        assert guest.problems == []


async def test_one_who_was_removed_finds_a_way_on_and_none_back_until_let_in(
    house: House, chrome: Browser
) -> None:
    async with people(house, "ada", "bob") as (ada, bob), visiting(house, chrome, bob) as member:
        room = await ada.call("POST", "/api/rooms", {"title": "Out, and in again"})
        address = f"/r/{room['id']}"
        await give_floor(ada, bob, room["id"])
        await member.open(address)
        await member.tap("take-floor")
        await member.speaking()
        removed = f"/api/rooms/{room['id']}/removed/{await handle_of(bob)}"
        await ada.call("PUT", removed)
        await member.sees("removed")
        await expect(member.page.get_by_role("heading", level=1)).to_have_text(
            "You were removed from this room."
        )
        assert await member.page.evaluate("() => [window.__parola.listen, window.__parola.speak]") == [
            None,
            None,
        ]
        await member.page.get_by_role("link", name="See the live rooms").click()
        await member.sees("search")
        await member.sees_no(f"room-{room['id']}")
        await member.page.go_back()
        await member.sees("removed")
        await member.page.reload()
        await member.sees("removed")
        assert await member.page.get_by_test_id("listen").count() == 0
        await ada.call("DELETE", removed)
        await member.page.reload()
        await member.tap("listen")
        await member.listening()
        # The floor that they had is gone for good.
        await member.sees("raise-hand")
        assert member.problems == []


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


@contextlib.asynccontextmanager
async def visiting(
    house: House, chrome: Browser, who: Api | None = None, **given: Any
) -> AsyncIterator[Visitor]:
    async with context(chrome, **given) as here:
        await here.grant_permissions(["microphone"], origin=house.origin)
        visitor = Visitor(await here.new_page(), house.origin)
        if who is not None:
            await visitor.use_token(str(who.token))
        yield visitor


async def shows(visitor: Visitor, label: str, text: str) -> None:
    await expect(visitor.page.get_by_test_id(label).get_by_text(text, exact=True).first).to_be_visible()


async def fits(visitor: Visitor) -> None:
    """Nothing is wider than the window, narrow or wide, and nothing that people wrote has become part of the page."""
    page = visitor.page
    for width, height in ((NARROW.width, NARROW.height), (1280, 800)):
        await page.set_viewport_size({"width": width, "height": height})
        assert await beyond(page) == [], f"{page.url} at {width}"
    assert await page.evaluate("() => window.__ran") is None
    assert await page.locator("img[src=x], iframe, main svg[onload], main script, body b").count() == 0


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


async def hears(listener: Visitor) -> bool:
    await listener.record()
    await asyncio.sleep(0.7)
    return int(np.abs((await listener.take()).astype(int)).max(initial=0)) > 1000
