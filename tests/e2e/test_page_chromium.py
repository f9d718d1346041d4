"""The page in a real browser: people sign up, open a room, speak from a sound file, hear each other, and come back."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, Response

from parola.client.webrtc import Clip, Pcm, speaking
from tests.e2e.browsing import Visitor, browser
from tests.e2e.conftest import as_float
from tests.e2e.hearing import RATE, intelligibility, tone, tone_amplitude, tone_level, trace
from tests.e2e.house import House, children, eventually, give_floor, handle_of, media_pid, opened, people
from tools.speech import Clip as Speech

pytestmark = [pytest.mark.alone, pytest.mark.any_database]


async def test_a_host_from_sign_up_to_being_heard(house: House, chrome: Browser, english: Pcm) -> None:
    ada = await Visitor.arrive(chrome, house.origin)
    await ada.open("/")
    await sign_up(ada, "ada_page")
    await ada.page.get_by_test_id("open-title").fill("A room that is heard")
    await ada.tap("open-submit")
    await ada.page.wait_for_url("**/r/*")
    await ada.tap("take-floor")
    await ada.speaking()

    guest = await Visitor.arrive(chrome, house.origin)
    await guest.page.goto(ada.page.url)
    await guest.tap("listen")
    await guest.listening()
    await guest.record()
    await asyncio.sleep(len(english) / RATE + 2)
    heard = await guest.take()
    # The fake microphone repeats the file: any whole turn of it will do. The browser's own microphone
    # processing is part of what a listener hears, so this bound is lower than that of the server alone.
    assert intelligibility(as_float(english), as_float(np.tile(heard, 1))) >= 0.75
    statistics = await guest.statistics()
    assert statistics["packetsReceived"] > 100
    assert ada.problems == guest.problems == []


async def test_hand_floor_mute_revoke(house: House, chrome: Browser, english: Pcm) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Hand and floor"})
        bob_handle = await handle_of(bob)
        host, guest, listener = [await Visitor.arrive(chrome, house.origin) for _ in range(3)]
        for visitor, api in ((host, ada), (guest, bob), (listener, carla)):
            await visitor.use_token(str(api.token))
            await visitor.open(f"/r/{room['id']}")
            await visitor.tap("listen")
            await visitor.listening()
        await guest.tap("raise-hand")
        await host.sees(f"hand-{bob_handle}")
        await host.tap(f"grant-{bob_handle}")
        await guest.sees("take-floor")
        assert await guest.page.evaluate("() => window.__parola.speak === null")
        await guest.tap("take-floor")
        await guest.speaking()
        await listener.record()
        await guest.record()
        await asyncio.sleep(4)
        assert np.abs((await listener.take()).astype(int)).max() > 1000
        assert trace(as_float(english), as_float(await guest.take())) < 0.25

        await host.tap(f"face-{bob_handle}")
        await host.tap(f"mute-{bob_handle}")
        await guest.sees("unmute")
        await asyncio.sleep(0.5)
        await listener.take()
        await asyncio.sleep(1)
        assert np.abs((await listener.take()).astype(int)).max() < 200
        await guest.tap("unmute")
        await asyncio.sleep(2)
        assert np.abs((await listener.take()).astype(int)).max() > 1000

        await host.tap(f"face-{bob_handle}")
        await host.tap(f"revoke-{bob_handle}")
        await guest.sees("raise-hand")
        await asyncio.sleep(0.5)
        await listener.take()
        await asyncio.sleep(1)
        assert np.abs((await listener.take()).astype(int)).max() < 200


async def test_a_host_reloads_and_goes_on(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "carla") as (ada, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Reload"})
        host, listener = [await Visitor.arrive(chrome, house.origin) for _ in range(2)]
        await host.use_token(str(ada.token))
        await host.open(f"/r/{room['id']}")
        await host.tap("take-floor")
        await host.speaking()
        await listener.use_token(str(carla.token))
        await listener.open(f"/r/{room['id']}")
        await listener.tap("listen")
        await listener.listening()
        await host.page.reload()
        await host.tap("take-floor")
        await host.speaking()
        await listener.record()
        await asyncio.sleep(3)
        assert np.abs((await listener.take()).astype(int)).max() > 1000
        view = await carla.call("GET", f"/api/rooms/{room['id']}")
        assert [s["connected"] for s in view["speakers"]] == [True]


async def test_a_server_that_was_killed_comes_back_by_itself(speech: dict[str, Speech]) -> None:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        async with (
            people(house, "ada", "bob") as (ada, bob),
            browser(speech["english-1"].microphone) as chrome,
        ):
            room = await ada.call("POST", "/api/rooms", {"title": "Killed and back"})
            handle = await give_floor(ada, bob, room["id"])
            listener = await Visitor.arrive(chrome, house.origin)
            await listener.open(f"/r/{room['id']}")
            await listener.tap("listen")
            await listener.listening()
            await asyncio.to_thread(house.stop, signal.SIGKILL)
            await asyncio.sleep(1)
            await asyncio.to_thread(house.start)
            view = await ada.call("GET", f"/api/rooms/{room['id']}")
            assert handle in [speaker["handle"] for speaker in view["speakers"]]
            async with speaking(bob, room["id"], Clip(tone(700, 60))):
                await listener.page.wait_for_function(
                    "() => document.querySelector('[data-testid=connection-state]').dataset.state === 'connected'",
                    timeout=40_000,
                )
                await listener.listening()

                async def hears_again() -> bool:
                    # The page may still be about to replace its connection: listen to the one of now.
                    await listener.record()
                    await asyncio.sleep(0.7)
                    return tone_level(await listener.take(), 700) > 0.5

                await eventually(hears_again, 15)


async def test_pages_of_a_dead_media_process_come_back_by_themselves(speech: dict[str, Speech]) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="parola-test-") as folder,
        opened(House(Path(folder), media_processes=2)) as house,
    ):
        async with people(house, "ada") as (ada,), browser(speech["english-1"].microphone) as chrome:
            room = await ada.call("POST", "/api/rooms", {"title": "A process dies"})
            host, guest = [await Visitor.arrive(chrome, house.origin) for _ in range(2)]
            host_at, guest_at = processes_of(host, "whip"), processes_of(guest, "whep")
            await host.use_token(str(ada.token))
            await host.open(f"/r/{room['id']}")
            await host.tap("take-floor")
            await host.speaking()
            await guest.open(f"/r/{room['id']}")
            await guest.tap("listen")
            await guest.listening()
            for processes in (guest_at, host_at):
                dead = processes[-1]
                os.kill(media_pid(house, dead), signal.SIGKILL)
                await eventually(lambda processes=processes, dead=dead: processes[-1] != dead)
                await host.speaking()
                await guest.listening()
                await eventually(lambda: is_heard(guest))
                await eventually(lambda: len(children(house)["media"]) == 2)
            assert host.problems == guest.problems == []


async def test_a_removed_person_is_told_and_hears_nothing(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Removed"})
        listener = await Visitor.arrive(chrome, house.origin)
        await listener.use_token(str(bob.token))
        await listener.open(f"/r/{room['id']}")
        async with speaking(ada, room["id"], Clip(tone(700, 60))):
            await listener.tap("listen")
            await listener.listening()
            await listener.record()
            await asyncio.sleep(1.5)
            assert tone_level(await listener.take(), 700) > 0.5
            await ada.call("PUT", f"/api/rooms/{room['id']}/removed/{await handle_of(bob)}")
            await listener.sees("removed")
            await asyncio.sleep(0.5)
            await listener.take()
            await asyncio.sleep(1)
            assert tone_amplitude(await listener.take(), 700) < 40


def processes_of(visitor: Visitor, kind: str) -> list[str]:
    """The media processes that this page's connections of a kind came to, one after the other."""
    found: list[str] = []

    def note(response: Response) -> None:
        if response.status == 201 and response.url.endswith(f"/{kind}"):
            found.append(response.headers["location"].rpartition("/")[2].partition(".")[0])

    visitor.page.on("response", note)
    return found


async def is_heard(listener: Visitor) -> bool:
    """By whoever listens at a connection that may just have been made."""
    await listener.record()
    await asyncio.sleep(1)
    return int(np.abs((await listener.take()).astype(int)).max(initial=0)) > 1000


async def sign_up(visitor: Visitor, handle: str) -> None:
    await visitor.page.get_by_test_id("signup-handle").fill(handle)
    await visitor.page.get_by_test_id("signup-name").fill(handle.capitalize())
    await visitor.page.get_by_test_id("signup-password").fill("correct horse battery")
    await visitor.tap("signup-submit")
