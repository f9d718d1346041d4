"""One room over two media processes: owner here, edge there, and what happens when one of them, or the bus, dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from parola.client.api import Api, ProtocolError
from parola.client.webrtc import RATE, Clip, Ear, Mouth, listening, speaking
from tests.e2e.hearing import tone, tone_amplitude, tone_level
from tests.e2e.house import House, children, eventually, give_floor, media_pid, opened, people

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

SILENT = 40


@pytest.fixture
def house() -> Iterator[House]:
    with (
        tempfile.TemporaryDirectory(prefix="parola-test-") as folder,
        opened(House(Path(folder), media_processes=2)) as house,
    ):
        yield house


async def test_every_edge_hears_and_every_edge_falls_silent(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "Two edges"})
        handle = await give_floor(ada, bob, room["id"])
        async with speaking(bob, room["id"], Clip(tone(700, 60))):
            async with listening(carla, room["id"]) as first, listening(bob, room["id"]) as own:
                await eventually(lambda: tone_level(first.heard[-RATE:], 700) > 0.8)
                async with listening_elsewhere(carla, room["id"], process_of(first.location)) as second:
                    await eventually(lambda: tone_level(second.heard[-RATE:], 700) > 0.8)
                    assert await ada.call("DELETE", f"/api/rooms/{room['id']}/floor/{handle}") == {
                        "silent": True
                    }
                    await asyncio.sleep(0.3)
                    for ear in (first, second, own):
                        ear.forget()
                    await asyncio.sleep(1)
                    for ear in (first, second, own):
                        assert tone_amplitude(ear.heard, 700) < SILENT


async def test_the_bus_dies_and_nobody_has_to_do_anything(house: House) -> None:
    async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "The bus dies"})
        async with speaking(ada, room["id"], Clip(tone(700, 60))), listening(carla, room["id"]) as ear:
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)
            os.kill(children(house)["nats-server"][0], signal.SIGKILL)
            await asyncio.sleep(2)
            handle = await eventually_given(ada, bob, room["id"])
            async with speaking(bob, room["id"], Clip(tone(1000, 30))):
                await eventually(lambda: tone_level(ear.heard[-RATE:], 1000) > 0.2, 15)
            assert handle


async def test_a_killed_owner_is_replaced(house: House) -> None:
    async with people(house, "ada", "carla") as (ada, carla):
        room = await ada.call("POST", "/api/rooms", {"title": "The owner dies"})
        async with speaking(ada, room["id"], Clip(tone(700, 60))) as connection:
            owner = process_of(connection.location)
            os.kill(media_pid(house, owner), signal.SIGKILL)
        async with (
            speaking_again(ada, room["id"]) as again,
            listening(carla, room["id"]) as ear,
        ):
            assert process_of(again.location) != owner
            await eventually(lambda: tone_level(ear.heard[-RATE:], 700) > 0.8)


@contextlib.asynccontextmanager
async def listening_elsewhere(api: Api, room_id: str, here: str) -> AsyncIterator[Ear]:
    """Loads are told once a second, and go up and down: another one takes one of the next listeners."""
    for _ in range(20):
        async with listening(api, room_id) as ear:
            if process_of(ear.location) != here:
                yield ear
                return
    raise AssertionError("every listener goes to the same process")


@contextlib.asynccontextmanager
async def speaking_again(api: Api, room_id: str) -> AsyncIterator[Mouth]:
    """As every client does that is told to try again: until its death is reported, its rooms are the dead one's."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(20):
            try:
                yield await stack.enter_async_context(speaking(api, room_id, Clip(tone(700, 60))))
                return
            except ProtocolError as error:
                if error.code != "owner_unreachable":
                    raise
                await asyncio.sleep(0.25)
    raise AssertionError("nobody takes the room over")


async def eventually_given(host: Api, guest: Api, room_id: str) -> str:
    """A command may be refused with 503 while the bus is away; it is never half done."""
    return await give_floor(host, guest, room_id)


def process_of(location: str) -> str:
    return location.rpartition("/")[2].partition(".")[0]
