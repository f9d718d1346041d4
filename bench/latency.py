"""How long the server keeps a voice: a speaker's packet in, the program packet with its sound out."""

from __future__ import annotations

import asyncio

from bench.figures import Figure, quantile, spread
from bench.peer import Arrival, RawPeer
from bench.scene import LOUD, Ear, Tone, live_room, peer
from tests.e2e.house import House, give_floor

CONNECTIONS = 15
TURNS = 10
TICKS_A_TURN = 12


async def added_latency(house: House) -> list[Figure]:
    """Silence and tone in turns, in one unbroken stream of packets: from the first loud packet handed to the kernel to
    the first loud program packet that the kernel has got. Jitter buffer, mixer, codec and bus are all in it. Where a
    speaker's packets fall within the mixer's 20 ms is decided anew with each of their connections."""
    waits: list[float] = []
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        peer(carla, room_id, "whep") as listener,
    ):
        for i in range(CONNECTIONS):
            async with peer(ada, room_id, "whip") as speaker:
                await asyncio.sleep(i / CONNECTIONS * 0.02)
                waits += await _turns(speaker, listener)
            await asyncio.sleep(0.3)
    return [
        Figure(
            "latency that the server adds, speaker's packet in to program packet out, p95",
            quantile(waits, 0.95),
            "ms",
            60,
            spread(waits, "ms"),
        )
    ]


async def _turns(speaker: RawPeer, listener: RawPeer) -> list[float]:
    """Milliseconds, for each turn."""
    ear, tone = Ear(), Tone()
    loud_at: list[float] = []
    was_loud = False

    def arrived(arrival: Arrival) -> None:
        nonlocal was_loud
        loud = ear.rms(arrival.opus) > LOUD
        if loud and not was_loud:
            loud_at.append(arrival.at)
        was_loud = loud

    listener.on_arrival = arrived
    sent_at = []
    loop = asyncio.get_running_loop()
    begin = loop.time()
    for n in range(TURNS * TICKS_A_TURN):
        await asyncio.sleep(max(0.0, begin + n * 0.02 - loop.time()))
        tick = n % TICKS_A_TURN
        at = speaker.speak(tone.packet(tick >= TICKS_A_TURN // 2), dbov=13)
        if tick == TICKS_A_TURN // 2:
            sent_at.append(at)
    await asyncio.sleep(0.2)
    listener.on_arrival = None
    return _paired(sent_at, loud_at)


async def grant_to_sound(house: House) -> list[Figure]:
    """A new voice for each try: from its first packet in to the first program packet out."""
    waits = []
    async with (
        live_room(house, "ada", "carla") as (room_id, (ada, carla)),
        peer(carla, room_id, "whep") as listener,
    ):
        for _ in range(30):
            bob = await house.person("bob")
            async with bob:
                await give_floor(ada, bob, room_id)
                async with peer(bob, room_id, "whip") as speaker:
                    waits.append(await _first_sound(speaker, listener))
                me = await bob.call("GET", "/api/me")
                await ada.call("DELETE", f"/api/rooms/{room_id}/floor/{me['handle']}")
                await asyncio.sleep(0.3)
    return [
        Figure(
            "grant: first packet of that voice out after the speaker's first packet in, p95",
            quantile(waits, 0.95),
            "ms",
            100,
            spread(waits, "ms"),
        )
    ]


async def _first_sound(speaker: RawPeer, listener: RawPeer) -> float:
    ear, tone = Ear(), Tone()
    heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    def arrived(arrival: Arrival) -> None:
        if not heard.done() and ear.rms(arrival.opus) > LOUD:
            heard.set_result(arrival.at)

    listener.on_arrival = arrived
    first = speaker.speak(tone.packet(), dbov=13)
    for _ in range(25):
        await asyncio.sleep(0.02)
        speaker.speak(tone.packet(), dbov=13)
    listener.on_arrival = None
    return ((await asyncio.wait_for(heard, 1)) - first) * 1000


def _paired(sent: list[float], heard: list[float]) -> list[float]:
    """Milliseconds from each sending to the first hearing after it, within a turn."""
    waits = []
    for i, at in enumerate(sent):
        until = sent[i + 1] if i + 1 < len(sent) else at + 1
        found = next((h for h in heard if at <= h < until), None)
        if found is not None:
            waits.append((found - at) * 1000)
    assert len(waits) > 0.95 * len(sent), f"only {len(waits)} of {len(sent)} turns were heard"
    return waits
