"""What goes wrong while people are in a room: names that are hard to write, microphones that vanish or are refused, a
second tab, an end or a removal in the wrong moment."""

from __future__ import annotations

import asyncio
import contextlib

import numpy as np
import pytest
from playwright.async_api import Browser, Route, expect

from tests.e2e.browsing import Visitor, browser
from tests.e2e.house import House, eventually, give_floor, handle_of, people
from tests.e2e.looking import NARROW, beyond, visiting
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


async def hears(listener: Visitor) -> bool:
    await listener.record()
    await asyncio.sleep(0.7)
    return int(np.abs((await listener.take()).astype(int)).max(initial=0)) > 1000
