"""One goes about the site while the room goes on: the mini-player, the lock screen's controls, the screen's lock."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest
from playwright.async_api import Browser

from parola.client.webrtc import Clip, speaking
from tests.e2e.browsing import Visitor
from tests.e2e.hearing import tone, tone_level
from tests.e2e.house import House, eventually, people
from tests.e2e.looking import look, visiting

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

_PLAYING = "() => [navigator.mediaSession.metadata?.title, navigator.mediaSession.playbackState]"
_A_MINUTE_LATER = """() => {
  const now = performance.now.bind(performance);
  performance.now = () => now() + 60_000;
}"""
# Chromium without a screen grants no lock; what is asked for is what counts.
_COUNT_LOCKS = """() => {
  window.__locks = new Set();
  const request = async () => {
    const lock = {released: false, release: async () => { lock.released = true; window.__locks.delete(lock); }};
    window.__locks.add(lock);
    return lock;
  };
  Object.defineProperty(navigator, "wakeLock", {value: {request}});
}"""


async def test_a_guest_moves_about_and_goes_on_hearing(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "It goes on"})
        other = await bob.call("POST", "/api/rooms", {"title": "Another one"})
        guest = await Visitor.arrive(chrome, house.origin)
        await guest.open(f"/r/{room['id']}")
        async with speaking(ada, room["id"], Clip(tone(700, 60))):
            await guest.tap("listen")
            await guest.listening()
            await guest.page.evaluate("() => { window.__parola.listen.mark = 'the first' }")
            await guest.page.get_by_role("link", name="Parola, home").click()
            await guest.sees("mini-player")
            await guest.record()
            await asyncio.sleep(1.5)
            assert tone_level(await guest.take(), 700) > 0.5
            assert await guest.page.evaluate(_PLAYING) == ["It goes on", "playing"]

            await guest.tap("mini-hush")
            await guest.sees("mini-hear")
            assert await guest.page.evaluate(_PLAYING) == ["It goes on", "paused"]
            assert await guest.page.evaluate("() => document.querySelector('audio').paused")
            await guest.tap("mini-hear")
            await guest.sees("mini-hush")

            # Another room's page is only read: the first one sounds until one listens there.
            await guest.page.get_by_role("link", name="Another one").click()
            await guest.sees("listen")
            await guest.sees("mini-player")
            await guest.tap("back-to-room")
            await guest.sees_no("mini-player")
            assert await guest.page.evaluate("() => window.__parola.listen.mark") == "the first"

            await guest.page.go_back()
            await guest.sees("listen")
            await guest.tap("listen")
            await guest.sees_no("mini-player")
            await guest.listening()
            await guest.page.wait_for_function("() => document.querySelectorAll('audio').length === 1")
            assert await guest.page.evaluate(_PLAYING) == ["Another one", "playing"]

            await guest.page.get_by_role("link", name="Parola, home").click()
            await guest.tap("mini-leave")
            await guest.sees_no("mini-player")
            assert await guest.page.evaluate("() => window.__parola.listen") is None
            assert await guest.page.evaluate(_PLAYING) == [None, "none"]
        await bob.call("POST", f"/api/rooms/{other['id']}/end")
        assert guest.problems == []


async def test_whoever_leaves_is_asked_once_how_it_was(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,), visiting(house, chrome) as guest:
        room = await ada.call("POST", "/api/rooms", {"title": "An early train"})

        async def listens() -> None:
            await guest.page.get_by_role("link", name="An early train").click()
            await guest.tap("listen")
            await guest.listening()

        await guest.open("/")
        await listens()
        await guest.tap("leave")
        await guest.sees(f"room-{room['id']}")
        assert await guest.page.get_by_test_id("survey").count() == 0, "who has only looked in"
        await listens()
        await guest.page.evaluate(_A_MINUTE_LATER)
        await guest.page.get_by_role("link", name="Parola, home").click()
        await guest.tap("mini-leave")
        await guest.sees("survey")
        await look(guest.page, "survey-left")
        async with guest.page.expect_response("**/survey") as answered:
            await guest.tap("survey-yes")
        assert (await answered.value).status == 204
        await listens()
        await guest.page.evaluate(_A_MINUTE_LATER)
        await guest.tap("leave")
        await guest.sees(f"room-{room['id']}")
        assert await guest.page.get_by_test_id("left-room").count() == 0
        await listens()
        await ada.call("POST", f"/api/rooms/{room['id']}/end")
        await guest.sees("ended")
        assert await guest.page.get_by_test_id("survey").count() == 0
        assert guest.problems == []


async def test_a_host_speaks_from_anywhere_on_the_site(house: House, chrome: Browser) -> None:
    async with people(house, "ada") as (ada,):
        room = await ada.call("POST", "/api/rooms", {"title": "On stage"})
        host, guest = [await Visitor.arrive(chrome, house.origin) for _ in range(2)]
        await host.page.add_init_script(f"({_COUNT_LOCKS})()")
        await host.use_token(str(ada.token))
        await host.open(f"/r/{room['id']}")
        await host.sees("take-floor")
        assert await locks(host) == 0
        await host.tap("take-floor")
        await host.speaking()
        await eventually(lambda: holds(host, 1))
        await guest.open(f"/r/{room['id']}")
        await guest.tap("listen")
        await guest.listening()
        await host.tap("me")
        await host.sees("mini-mute")
        await host.tap("mini-mute")
        await host.sees("mini-unmute")
        assert await host.page.evaluate(_PLAYING) == ["On stage", "paused"]
        # A decoder may hiss after a voice that was cut; that none comes any more shows in the packets.
        await asyncio.sleep(1)
        assert await packets_of_a_second(guest) < 10
        await host.tap("mini-unmute")
        await host.sees("mini-mute")
        await guest.record()
        await asyncio.sleep(3)
        assert np.abs((await guest.take()).astype(int)).max(initial=0) > 1000
        await host.tap("mini-leave")
        await host.sees_no("mini-player")
        await eventually(lambda: holds(host, 0))
        assert host.problems == guest.problems == []


@pytest.mark.parametrize("width", [320, 390])
async def test_on_a_phone_neither_player_nor_button_hides_anything(
    house: House, chrome: Browser, width: int
) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "A room whose title is too long for any phone"})
        for number in range(6):
            await carla.call(
                "POST", "/api/rooms", {"title": f"Later {number}", "starts_at": "2100-01-01T00:00:00Z"}
            )
        member = await Visitor.arrive(chrome, house.origin)
        page = member.page
        await page.set_viewport_size({"width": width, "height": 640})
        await member.use_token(str(bob.token))
        await member.open(f"/r/{room['id']}")
        await member.tap("listen")
        await member.listening()
        await page.get_by_role("link", name="Parola, home").click()
        await member.sees("mini-player")
        await member.sees("coming")
        player, opener = page.get_by_test_id("mini-player"), page.get_by_test_id("open-room")
        last = page.get_by_test_id("coming").get_by_role("link").last
        await page.evaluate("() => window.scrollTo(0, document.documentElement.scrollHeight)")
        tops = [box["y"] for box in [await player.bounding_box(), await opener.bounding_box()] if box]
        card, button = await last.bounding_box(), await opener.bounding_box()
        assert card is not None
        assert button is not None
        assert card["y"] + card["height"] <= min(tops)
        assert button["y"] + button["height"] <= max(tops)
        # A click waits until nothing lies above what is clicked.
        await opener.click()
        await member.sees("open-submit")
        await page.keyboard.press("Escape")
        for label in ("mini-hush", "mini-hear"):
            await member.tap(label)
        await last.click()
        await member.sees("room-title")
        await member.tap("back-to-room")
        await member.sees_no("mini-player")
        assert member.problems == []


async def locks(visitor: Visitor) -> int:
    return int(await visitor.page.evaluate("() => window.__locks.size"))


async def holds(visitor: Visitor, count: int) -> bool:
    return await locks(visitor) == count


async def packets_of_a_second(visitor: Visitor) -> int:
    before = int((await visitor.statistics())["packetsReceived"])
    await asyncio.sleep(1)
    return int((await visitor.statistics())["packetsReceived"]) - before
