"""What the server does when a client's packets come from another address than before."""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.peer import RawPeer
from bench.scene import live_room, peer, talk
from fire.listened import Listened
from fire.moving import TONES
from fire.relay import relay
from parola.client.api import Api
from tests.e2e.house import House, eventually, opened

pytestmark = [pytest.mark.alone, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


@contextlib.asynccontextmanager
async def following(api: Api, room_id: str) -> AsyncIterator[list[dict[str, Any]]]:
    """What a page of this account is told of connections to make anew."""
    told: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {api.token}"}

    async def read(content: aiohttp.StreamReader) -> None:
        event = ""
        async for line in content:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if name == "event":
                event = value
            elif name == "data" and event == "reconnect":
                told.append(json.loads(value))

    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{api.origin}/api/rooms/{room_id}/events") as answer,
    ):
        reading = asyncio.create_task(read(answer.content))
        yield told
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


async def test_speech_from_an_unproved_address_is_not_heard_and_its_page_alone_is_told(house: House) -> None:
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay() as between,
        peer(carla, room_id, "whep") as listener,
        following(ada, room_id) as own,
        following(carla, room_id) as other,
    ):
        heard = Listened(listener, TONES)
        speaker = await RawPeer.connect(ada, room_id, "whip", via=between.behind)
        talking = asyncio.create_task(talk(speaker))
        await eventually(lambda: heard.times("ada"))
        await asyncio.sleep(1.5)  # strays are known by what was heard until a second ago
        speaker.stop_checking()
        between.rebind()
        await eventually(lambda: own)
        assert own == [{"connections": [speaker.location.rpartition("/")[2]], "after_ms": 0}]
        await asyncio.sleep(0.5)  # what came before is played to its end
        heard.heard.clear()
        await asyncio.sleep(1)
        assert heard.times("ada") == []
        assert other == []
        speaker.check()
        await eventually(lambda: heard.times("ada"))
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        speaker.close()


async def test_a_listener_hears_on_at_the_address_of_its_next_check(house: House) -> None:
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        relay() as between,
        peer(ada, room_id, "whip") as speaker,
    ):
        listener = await RawPeer.connect(carla, room_id, "whep", via=between.behind)
        heard = Listened(listener, TONES)
        talking = asyncio.create_task(talk(speaker))
        await eventually(lambda: heard.times("ada"))
        between.rebind()
        listener.check()
        heard.heard.clear()
        await eventually(lambda: len(heard.times("ada")) > 10)
        sequences = [arrival.packet.sequence for arrival in listener.arrivals]
        assert sequences == sorted(sequences), "it is the same stream"
        talking.cancel()
        await asyncio.gather(talking, return_exceptions=True)
        listener.close()
