"""Every page, and the room in every role, looked at on phone and desk, light and dark: axe finds nothing, and nothing
lies beyond the edge. The pictures stay in `build/look`."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, give_floor, handle_of, people
from tests.e2e.looking import context, look, visiting

pytestmark = [pytest.mark.any_database, pytest.mark.timeout(300)]

LONG = "Wolfeschlegelsteinhausenbergerdorffwelchevoralternwaren " * 2
NAMES = ("Ada Lovelace", "😀 Émile 👩‍🚀", "مريم الإسطرلابي", "<b>Bold</b> & Co", LONG[:60])


async def test_home(house: House, chrome: Browser) -> None:
    async with visiting(house, chrome) as guest, people(house, "bob") as (bob,):
        await guest.open("/")
        await guest.sees("signup-handle")
        await look(guest.page, "home-empty-guest")
        async with crowd(house) as hosts:
            for host, title in zip(
                hosts, ("Town council, live", "🎙️ " * 40, "مجلس المدينة", "A <i>b</i>"), strict=False
            ):
                await host.call("POST", "/api/rooms", {"title": title})
            await hosts[-1].call(
                "POST", "/api/rooms", {"title": "Tomorrow’s lesson", "starts_at": soon(timedelta(days=1))}
            )
            await guest.open("/")
            await guest.sees("rooms")
            await look(guest.page, "home-guest")
            async with visiting(house, chrome, bob) as member:
                await bob.call("PUT", f"/api/accounts/{await handle_of(hosts[0])}/follow")
                await member.open("/")
                await member.sees("rooms")
                await look(member.page, "home-member")


async def test_room_as_a_guest(house: House, chrome: Browser) -> None:
    async with crowd(house) as hosts, visiting(house, chrome) as guest:
        room = await full_room(house, hosts)
        await guest.open(f"/r/{room['id']}")
        await guest.sees("listen")
        await look(guest.page, "room-guest")
        await guest.tap("listen")
        await guest.listening()
        await guest.sees("sign-in-to-raise")
        await look(guest.page, "room-guest-listening")
        await guest.tap("sign-in-to-raise")
        await look(guest.page, "room-account")
        await guest.page.keyboard.press("Escape")
        await guest.tap("share")
        await look(guest.page, "room-share")
        await guest.page.keyboard.press("Escape")
        await guest.tap("connection-state")
        await look(guest.page, "room-connection")
        await guest.page.keyboard.press("Escape")
        await guest.page.keyboard.press("?")
        await guest.sees("keys")
        await look(guest.page, "help")
        await guest.page.keyboard.press("Escape")
        await guest.page.locator("header a.home").click()
        await guest.sees("mini-player")
        await look(guest.page, "mini-player")
        assert guest.problems == []


async def test_room_as_its_host(house: House, chrome: Browser) -> None:
    async with crowd(house) as hosts, visiting(house, chrome, hosts[0]) as host:
        room = await full_room(house, hosts)
        await host.open(f"/r/{room['id']}")
        await host.sees("take-floor")
        await look(host.page, "room-host")
        await host.tap("take-floor")
        await host.speaking()
        await host.sees("mute")
        await look(host.page, "room-host-on-air")
        await host.tap("microphone-settings")
        await look(host.page, "room-microphone")
        await host.page.keyboard.press("Escape")
        await host.tap("lead-room")
        await look(host.page, "room-lead")
        await host.tap("end")
        await look(host.page, "room-end")
        await host.tap("end-cancel")
        await host.page.keyboard.press("Escape")
        await host.tap(f"face-{await handle_of(hosts[1])}")
        await look(host.page, "room-person")
        await host.page.keyboard.press("Escape")
        await host.tap("mute")
        await host.sees("unmute")
        await look(host.page, "room-host-muted")
        assert host.problems == []


async def test_room_as_a_member(house: House, chrome: Browser) -> None:
    async with crowd(house) as (ada, bob, *_), visiting(house, chrome, bob) as member:
        room = await ada.call("POST", "/api/rooms", {"title": "Hand, floor, and back"})
        here, handle = f"/api/rooms/{room['id']}", await handle_of(bob)
        await member.open(f"/r/{room['id']}")
        await member.tap("listen")
        await member.listening()
        await member.sees("raise-hand")
        await look(member.page, "room-member")
        await ada.call("PUT", f"{here}/floor/{handle}")
        await member.sees("accept-offer")
        await look(member.page, "room-offered")
        await member.tap("decline-offer")
        await member.tap("raise-hand")
        await member.sees("lower-hand")
        await look(member.page, "room-waiting")
        await ada.call("PUT", f"{here}/floor/{handle}")
        await member.sees("take-floor")
        await look(member.page, "room-granted")
        await member.tap("take-floor")
        await member.speaking()
        await member.tap("microphone-settings")
        await member.page.get_by_test_id("push-to-talk").check()
        await member.page.keyboard.press("Escape")
        await member.sees("talk")
        await look(member.page, "room-hold-to-talk")
        await ada.call("PUT", f"{here}/cohosts/{handle}")
        await member.sees("lead-room")
        await look(member.page, "room-cohost")
        assert member.problems == []


async def test_where_there_is_no_room(house: House, chrome: Browser) -> None:
    async with crowd(house) as (ada, bob, *_), visiting(house, chrome, bob) as member:
        await member.open("/r/there_is_none")
        await member.sees("hidden")
        await look(member.page, "gone-hidden")
        await member.open("/no/such/address")
        await member.sees("unknown")
        await look(member.page, "gone-unknown")
        later = await ada.call(
            "POST", "/api/rooms", {"title": "Later", "starts_at": soon(timedelta(hours=2))}
        )
        await member.open(f"/r/{later['id']}")
        await member.sees("room-title")
        await look(member.page, "room-scheduled")
        room = await ada.call("POST", "/api/rooms", {"title": "Over soon"})
        await member.open(f"/r/{room['id']}")
        await member.sees("room-title")
        await ada.call("PUT", f"/api/rooms/{room['id']}/removed/{await handle_of(bob)}")
        await member.sees("removed")
        await look(member.page, "gone-removed")
        async with visiting(house, chrome) as guest:
            await guest.open(f"/r/{room['id']}")
            await guest.sees("room-title")
            await ada.call("POST", f"/api/rooms/{room['id']}/end")
            await guest.sees("ended")
            await look(guest.page, "gone-ended")


async def test_profiles(house: House, chrome: Browser) -> None:
    async with crowd(house) as (ada, bob, *others), visiting(house, chrome, bob) as member:
        await ada.call("PATCH", "/api/me", {"bio": f"Counts. {LONG}"})
        ended = await ada.call("POST", "/api/rooms", {"title": "What was said last week"})
        await ada.call("POST", f"/api/rooms/{ended['id']}/end")
        await ada.call("POST", "/api/rooms", {"title": "Live again"})
        await member.open(f"/@{await handle_of(ada)}")
        await member.sees("follow")
        await look(member.page, "profile")
        await member.open(f"/@{await handle_of(bob)}")
        await member.page.locator("h1").wait_for()
        await look(member.page, "profile-own")
        await member.open(f"/@{await handle_of(others[-1])}")
        await member.sees("follow")
        await look(member.page, "profile-long-name")


async def test_words_are_italian_too(house: House, chrome: Browser) -> None:
    async with crowd(house) as hosts, context(chrome, locale="it-IT") as italian:
        room = await full_room(house, hosts)
        page = await italian.new_page()
        visitor = Visitor(page, house.origin)
        await visitor.open("/")
        assert await page.evaluate("() => document.documentElement.lang") == "it"
        await look(page, "home-italian")
        await visitor.open(f"/r/{room['id']}")
        await visitor.sees("listen")
        await look(page, "room-italian")


@contextlib.asynccontextmanager
async def crowd(house: House) -> AsyncIterator[list[Api]]:
    """Five people whose names are hard to write."""
    async with contextlib.AsyncExitStack() as stack:
        apis = []
        for number, name in enumerate(NAMES):
            api = await stack.enter_async_context(Api(house.origin))
            await api.sign_up(f"p{number}_{secrets.token_hex(3)}", name, "correct horse battery")
            apis.append(api)
        yield apis


async def full_room(house: House, apis: list[Api]) -> dict[str, Any]:
    """The first one's room: two more have the floor, one of them muted, and two ask for it."""
    host, first, second, *asking = apis
    room: dict[str, Any] = await host.call(
        "POST", "/api/rooms", {"title": "Should the old bridge be closed to cars?"}
    )
    await give_floor(host, first, room["id"])
    await host.call("PUT", f"/api/rooms/{room['id']}/mutes/{await give_floor(host, second, room['id'])}")
    for one in asking:
        await one.call("PUT", f"/api/rooms/{room['id']}/hands/me")
    return room


def soon(delta: timedelta) -> str:
    return (datetime.now(UTC) + delta).isoformat().replace("+00:00", "Z")
