"""Packets that grow with the audience and shrink again: what Chromium makes of it, and how quickly a voice is cut."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from bench.peer import RawPeer
from bench.scene import LOUD, Ear, peer, talk
from parola.client.api import Api
from parola.media.packet_time import CLIMB_EVERY_S, LONGEST
from parola.rtp.opus import frames
from tests.e2e.browsing import Visitor, browser
from tests.e2e.hearing import RATE
from tests.e2e.house import House, give_floor, opened, people
from tests.e2e.test_two_media_processes import process_of

pytestmark = [pytest.mark.alone, pytest.mark.any_database]

AUDIENCE_GROWS = {"PAROLA_LONG_PACKETS_FROM": "2,4"}
"""Of what others need hundreds of listeners for."""
SETTLED_S = 6.0
"""A jitter buffer that has just begun may still be finding its size."""


async def test_packets_grow_to_120_ms_and_shrink_again_and_nobody_hears_it() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="parola-test-") as folder,
        opened(House(Path(folder), environment=AUDIENCE_GROWS)) as house,
    ):
        async with people(house, "ada", "bob") as (ada, bob), browser() as chrome:
            room = (await ada.call("POST", "/api/rooms", {"title": "Many are to come"}))["id"]
            async with peer(ada, room, "whip") as mouth:
                talking = asyncio.create_task(talk(mouth))
                guest = await Visitor.arrive(chrome, house.origin)
                await guest.open(f"/r/{room}")
                await guest.tap("listen")
                await guest.listening()
                await asyncio.sleep(SETTLED_S)
                before = await guest.statistics()
                async with contextlib.AsyncExitStack() as crowd:
                    for _ in range(3):
                        ear = await crowd.enter_async_context(peer(bob, room, "whep"))
                        crowd.push_async_callback(bob.hang_up, ear.location)
                    await asyncio.sleep((LONGEST - 1) * CLIMB_EVERY_S + 5)
                    grown = await guest.statistics()
                    await asyncio.sleep(3)
                    long = await guest.statistics()
                await asyncio.sleep(4)
                short = await guest.statistics()
                await asyncio.sleep(3)
                after = await guest.statistics()
                talking.cancel()
    assert 20 <= received(grown, long) <= 30, "8 packets a second, of 120 ms"
    assert 130 <= received(short, after) <= 170, "50 a second, of 20 ms"
    samples = after["totalSamplesReceived"] - before["totalSamplesReceived"]
    assert samples > RATE * ((LONGEST - 1) * CLIMB_EVERY_S + 10), "it never stopped"
    assert after["concealedSamples"] == before["concealedSamples"]
    assert after["packetsLost"] == before["packetsLost"] == 0


async def test_a_voice_in_long_packets_is_cut_on_every_edge_before_the_answer() -> None:
    with (
        tempfile.TemporaryDirectory(prefix="parola-test-") as folder,
        opened(House(Path(folder), 2, {"PAROLA_PACKET_MS": "120"})) as house,
    ):
        async with people(house, "ada", "bob", "carla") as (ada, bob, carla):
            room = (await ada.call("POST", "/api/rooms", {"title": "Long packets"}))["id"]
            handle = await give_floor(ada, bob, room)
            async with peer(bob, room, "whip") as mouth, contextlib.AsyncExitStack() as stack:
                talking = asyncio.create_task(talk(mouth))
                ears = await on_both(stack, carla, room)
                await asyncio.sleep(15)
                began = time.time()
                answer = await ada.call("DELETE", f"/api/rooms/{room}/floor/{handle}")
                answered = time.time()
                assert answer == {"silent": True}
                await asyncio.sleep(1)
                talking.cancel()
    print(f"cut in {1000 * (answered - began):.0f} ms")
    for ear in ears:
        listener = Ear()
        loud = [(arrival.at, listener.rms(arrival.opus) > LOUD) for arrival in ear.arrivals]
        assert [at for at, is_loud in loud if is_loud][-1] > began - 0.5, "it was heard until it was cut"
        assert not [at for at, is_loud in loud if is_loud and at > answered]
        assert max(len(frames(arrival.opus)) for arrival in ear.arrivals) == LONGEST


async def on_both(stack: contextlib.AsyncExitStack, api: Api, room: str) -> list[RawPeer]:
    """Listeners of two media processes."""
    found: dict[str, RawPeer] = {}
    for _ in range(20):
        ear = await stack.enter_async_context(peer(api, room, "whep"))
        found.setdefault(process_of(ear.location), ear)
        if len(found) == 2:
            return list(found.values())
        await asyncio.sleep(0.3)
    raise AssertionError("every listener goes to the same process")


def received(before: dict[str, Any], after: dict[str, Any]) -> int:
    return int(after["packetsReceived"] - before["packetsReceived"])
