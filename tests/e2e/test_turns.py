"""A real house: a turn ends by itself and is silent, also across a restart; a host who has gone is noticed, and so is
whose hand is up; and how the page shows all of it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest
from playwright.async_api import Browser

from parola.client.api import Api, ProtocolError
from parola.client.webrtc import Clip, Pcm, speaking
from tests.e2e.browsing import Visitor
from tests.e2e.house import House, children, eventually, give_floor, handle_of, opened, people
from tests.e2e.watching import reading

pytestmark = [pytest.mark.waits, pytest.mark.any_database]

AWAY_S = 15
"""The shortest that may be set."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    environment = {
        "PAROLA_WEB_PROCESSES": "2",
        "PAROLA_HOST_AWAY_S": str(AWAY_S),
        "PAROLA_HAND_AWAY_S": str(AWAY_S),
    }
    with opened(House(tmp_path_factory.mktemp("house"), environment=environment)) as house:
        yield house


@contextlib.asynccontextmanager
async def following(api: Api, room_id: str) -> AsyncIterator[asyncio.Queue[tuple[str, dict[str, Any]]]]:
    """Whatever is told from now on."""
    queue: asyncio.Queue[tuple[str, dict[str, Any]]] = asyncio.Queue()

    async def read(stream: aiohttp.StreamReader) -> None:
        kind = ""
        async for line in stream:
            text = line.decode().rstrip("\n")
            if text.startswith("event: "):
                kind = text.removeprefix("event: ")
            elif text.startswith("data: "):
                queue.put_nowait((kind, json.loads(text.removeprefix("data: "))))

    async with reading(api, room_id) as stream:
        task = asyncio.create_task(read(stream))
        try:
            yield queue
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(
    queue: asyncio.Queue[tuple[str, dict[str, Any]]], wanted: str, seconds: float
) -> dict[str, Any]:
    async with asyncio.timeout(seconds):
        while True:
            kind, data = await queue.get()
            if kind == wanted:
                return data


async def test_a_turn_is_warned_of_and_ends_and_is_silent(house: House, english: Pcm) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Ten seconds each"})
        path = f"/api/rooms/{room['id']}"
        async with following(ada, room["id"]) as events:
            await ada.call("PUT", f"{path}/turns", {"soft_s": 5, "hard_s": 10})
            handle = await give_floor(ada, bob, room["id"])
            began = time.monotonic()
            async with speaking(bob, room["id"], Clip(np.tile(english, 5))):
                warned = await until(events, "turn", 8)
                assert warned == {"handle": handle, "left_s": 5}
                assert 4 < time.monotonic() - began < 7
                ended = await until(events, "floor.revoked", 8)
            assert (ended["handle"], ended["by"], ended["reason"]) == (handle, "", "turn_over")
            assert 9.5 < time.monotonic() - began < 12.5
        shown = await ada.call("GET", path)
        assert [s["handle"] for s in shown["speakers"]] == [shown["host"]["handle"]]
        with pytest.raises(ProtocolError) as refused:
            await bob.exchange(room["id"], "whip", "v=0\r\n")
        assert refused.value.code == "floor_required"


async def test_a_turn_ends_though_the_web_processes_were_killed(house: House) -> None:
    async with people(house, "ada", "bob") as (ada, bob):
        room = await ada.call("POST", "/api/rooms", {"title": "Killed"})
        await ada.call("PUT", f"/api/rooms/{room['id']}/turns", {"soft_s": 5, "hard_s": 10})
        await give_floor(ada, bob, room["id"])
        for pid in children(house)["web"]:
            os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(1)
        house.wait_ready()

        async def is_over() -> bool:
            with contextlib.suppress(aiohttp.ClientError, ProtocolError):
                return len((await ada.call("GET", f"/api/rooms/{room['id']}"))["speakers"]) == 1
            return False

        assert not await is_over()
        async with reading(ada, room["id"]):  # the host is there
            await eventually(is_over, 15)


@pytest.mark.timeout(180)
async def test_a_host_who_goes_is_followed_and_comes_back(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "On a train"})
        path, cohost = f"/api/rooms/{room['id']}", await handle_of(bob)
        await ada.call("PUT", f"{path}/cohosts/{cohost}")
        await ada.call("PUT", f"{path}/successor/{cohost}")
        async with following(bob, room["id"]) as events:
            async with reading(ada, room["id"]):
                await asyncio.sleep(AWAY_S + 10)
                assert (await bob.call("GET", path))["acting_host"] is None
            assert (await until(events, "host.succeeded", AWAY_S + 40))["handle"] == cohost
            await give_floor(bob, carla, room["id"])
            async with reading(ada, room["id"]):
                await until(events, "host.returned", 20)

        async def has_ended() -> bool:
            return bool((await carla.call("GET", path))["state"] == "ended")

        await eventually(has_ended, AWAY_S + 30)


@pytest.mark.timeout(180)
async def test_a_hand_goes_down_with_who_leaves_and_outlives_a_page(house: House, chrome: Browser) -> None:
    """By the button at once, where the page was closed in a while; a page that is loaded anew comes back to its own."""
    async with people(house, "ada", "bob", "carla", "dora") as (ada, bob, carla, dora):
        room = await ada.call("POST", "/api/rooms", {"title": "Hands"})
        leaves, closes, reloads = [await Visitor.arrive(chrome, house.origin) for _ in range(3)]
        for visitor, api in ((leaves, bob), (closes, carla), (reloads, dora)):
            await visitor.use_token(str(api.token))
            await visitor.open(f"/r/{room['id']}")
            await visitor.tap("raise-hand")
            await visitor.sees("lower-hand")
        async with following(ada, room["id"]) as events:
            await leaves.tap("leave")
            lowered = await until(events, "hand.lowered", 5)
            assert (lowered["handle"], lowered["by"], lowered["reason"]) == (
                *[await handle_of(bob)] * 2,
                None,
            )
            await closes.page.close()
            await reloads.page.reload()
            # Whoever is in doubt is there: what a busy machine is late with begins the time anew.
            lowered = await until(events, "hand.lowered", AWAY_S + 90)
            assert (lowered["handle"], lowered["by"], lowered["reason"]) == (
                await handle_of(carla),
                "",
                "away",
            )
        await reloads.sees("lower-hand")
        back = await Visitor.arrive(chrome, house.origin)
        await back.use_token(str(carla.token))
        await back.open(f"/r/{room['id']}")
        await back.sees("raise-hand")
        shown = await ada.call("GET", f"/api/rooms/{room['id']}")
        assert [hand["handle"] for hand in shown["hands"]] == [await handle_of(dora)]
        assert leaves.problems == reloads.problems == back.problems == []


async def test_the_page_calls_up_the_next_and_counts_their_turn(house: House, chrome: Browser) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Questions"})
        handles = [await handle_of(one) for one in (bob, carla)]
        host, asker = [await Visitor.arrive(chrome, house.origin) for _ in range(2)]
        for visitor, api in ((host, ada), (asker, bob)):
            await visitor.use_token(str(api.token))
            await visitor.open(f"/r/{room['id']}")
            await visitor.tap("listen")
            await visitor.listening()
        await asker.tap("raise-hand")
        await asker.tap("note-hand")
        await asker.page.get_by_test_id("note").fill("Why is the sky blue?")
        await asker.tap("note-save")
        note = host.page.get_by_test_id(f"note-of-{handles[0]}")
        await note.wait_for(timeout=15_000)
        assert await note.text_content() == "Why is the sky blue?"
        await host.tap("lead-room")
        await host.page.get_by_test_id("turn-length").select_option("60")
        await host.page.get_by_test_id("turn-warning").select_option("10")

        async def warns_late() -> bool:
            turns = (await ada.call("GET", f"/api/rooms/{room['id']}"))["turns"]
            return bool(turns == {"soft_s": 50, "hard_s": 60})

        await eventually(warns_late)
        await host.page.keyboard.press("Escape")
        await host.tap("next-hand")
        await asker.sees("take-floor")
        tile = host.page.get_by_test_id(f"speaker-{handles[0]}")
        await tile.get_by_test_id("turn").wait_for(timeout=15_000)
        left = await tile.get_by_test_id("time-left").text_content()
        # The page knows the clock of the server to about a second.
        assert left in {"1:01", "1:00", *(f"0:{s}" for s in range(50, 60))}
        await carla.call("PUT", f"/api/rooms/{room['id']}/hands/me")
        await host.tap("next-hand")
        await host.sees(f"speaker-{handles[1]}")
        await host.sees_no(f"speaker-{handles[0]}")
        await asker.sees("raise-hand")
        assert host.problems == asker.problems == []
