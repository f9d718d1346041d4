"""A page whose network or server goes away comes back by itself: what one was, wished and said stands as before."""

from __future__ import annotations

import asyncio
import signal
import tempfile
from pathlib import Path

import pytest
from playwright.async_api import Browser

from parola.client.api import Api
from parola.client.webrtc import Clip, speaking
from tests.e2e.browsing import Visitor, browser
from tests.e2e.hearing import tone, tone_level
from tests.e2e.house import House, eventually, give_floor, handle_of, opened, people
from tools.speech import Clip as Speech

pytestmark = [pytest.mark.waits, pytest.mark.any_database]

_STATE = "() => document.querySelector('[data-testid=connection-state]').dataset.state"


async def test_from_offline_to_online_the_room_goes_on(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Through a tunnel"})
        bob_handle = await handle_of(bob)
        guest = await Visitor.arrive(chrome, house.origin)
        await guest.use_token(str(bob.token))
        await guest.open(f"/r/{room['id']}")
        async with speaking(ada, room["id"], Clip(tone(700, 60))):
            await guest.tap("listen")
            await guest.listening()
            await guest.page.context.set_offline(True)
            await guest.sees("offline")
            # What happens meanwhile is told afterwards.
            await ada.call("PUT", f"/api/rooms/{room['id']}/floor/{bob_handle}")
            await asyncio.sleep(2)
            await guest.page.context.set_offline(False)
            await guest.sees_no("offline")
            await guest.sees("accept-offer")
            await eventually(lambda: is_connected(guest), 15)
            await eventually(lambda: hears(guest, 700), 15)
        assert guest.problems == []


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
async def test_after_a_restart_hand_floor_and_mute_are_as_they_were(
    how: signal.Signals, speech: dict[str, Speech]
) -> None:
    environment = {"PAROLA_HAND_AWAY_S": "60"}
    with (
        tempfile.TemporaryDirectory(prefix="parola-test-") as folder,
        opened(House(Path(folder), environment=environment)) as house,
    ):
        async with (
            people(house, "ada", "bob", "carla", "dora") as (ada, bob, carla, dora),
            browser(speech["english-1"].microphone) as chrome,
        ):
            room = await ada.call("POST", "/api/rooms", {"title": "Before and after"})
            await give_floor(ada, bob, room["id"])
            await give_floor(ada, carla, room["id"])
            muted, talking, handed = [await Visitor.arrive(chrome, house.origin) for _ in range(3)]
            for visitor, api in ((muted, bob), (talking, carla), (handed, dora)):
                await visitor.use_token(str(api.token))
                await visitor.open(f"/r/{room['id']}")
            for visitor in (muted, talking):
                await visitor.tap("take-floor")
                await visitor.speaking()
            await muted.tap("mute")
            await voice_is(muted, "muted")
            await voice_is(talking, "open")
            await handed.tap("raise-hand")
            await handed.sees("lower-hand")
            await handed.tap("listen")
            await handed.listening()

            await asyncio.to_thread(house.stop, how)
            await handed.sees("server-away", 15)
            await asyncio.to_thread(house.start)
            for visitor in (muted, talking, handed):
                await visitor.sees_no("server-away", 20)
                await eventually(lambda visitor=visitor: is_connected(visitor), 30)
            await talking.speaking(30)
            await muted.speaking(30)
            await voice_is(muted, "muted")
            await voice_is(talking, "open")
            await handed.sees("lower-hand")
            await eventually(lambda: stands(ada, room["id"], bob=(True, True), carla=(False, True)), 20)
            view = await ada.call("GET", f"/api/rooms/{room['id']}")
            assert [one["name"] for one in view["hands"]] == ["Dora"]
            await eventually(lambda: is_sounding(handed), 15)
            assert muted.problems == talking.problems == handed.problems == []


async def is_connected(visitor: Visitor) -> bool:
    return bool(await visitor.page.evaluate(_STATE) == "connected")


async def voice_is(visitor: Visitor, voice: str) -> None:
    label = f'[data-testid=microphone-state][data-voice="{voice}"][data-state="connected"]'
    await visitor.page.locator(label).wait_for(state="attached", timeout=15_000)


async def hears(visitor: Visitor, frequency: float) -> bool:
    # The page may still be about to replace its connection: listen to the one of now.
    await visitor.record()
    await asyncio.sleep(0.7)
    return tone_level(await visitor.take(), frequency) > 0.5


async def is_sounding(visitor: Visitor) -> bool:
    await visitor.record()
    await asyncio.sleep(1)
    return bool(abs((await visitor.take()).astype(int)).max(initial=0) > 1000)


async def stands(api: Api, room_id: str, **wanted: tuple[bool, bool]) -> bool:
    """Whether these speakers are muted and connected as given."""
    view = await api.call("GET", f"/api/rooms/{room_id}")
    found = {one["name"].lower(): (one["muted"], one["connected"]) for one in view["speakers"]}
    return {name: found.get(name) for name in wanted} == wanted
