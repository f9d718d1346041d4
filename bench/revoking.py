"""The floor taken back from somebody who talks: how soon that is answered, and what still comes after the answer."""

from __future__ import annotations

import asyncio
import contextlib
import time

from bench.figures import Figure, quantile, spread
from bench.scene import LOUD, Ear, live_room, peer, talk
from tests.e2e.house import House, give_floor, handle_of

TRIES = 100


async def revoke_while_talking(house: House) -> list[Figure]:
    waits, after = [], 0
    async with (
        live_room(house, "ada", "bob", "carla") as (room_id, (ada, bob, carla)),
        peer(carla, room_id, "whep") as listener,
    ):
        handle = await handle_of(bob)
        for _ in range(TRIES):
            await give_floor(ada, bob, room_id)
            async with peer(bob, room_id, "whip") as speaker:
                talking = asyncio.create_task(talk(speaker))
                await asyncio.sleep(0.35)
                listener.arrivals.clear()
                began = time.time()
                answer = await ada.call("DELETE", f"/api/rooms/{room_id}/floor/{handle}")
                answered = time.time()
                assert answer == {"silent": True}
                waits.append((answered - began) * 1000)
                await asyncio.sleep(0.15)
                talking.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await talking
            ear = Ear()
            # All packets go through the decoder, in order; those that came after the answer are counted.
            loud = [(a.at, ear.rms(a.opus) > LOUD) for a in listener.arrivals]
            after += sum(is_loud for at, is_loud in loud if at > answered)
    return [
        Figure(
            "revoke answered, at 20 ms packets, p99", quantile(waits, 0.99), "ms", 50, spread(waits, "ms")
        ),
        Figure("packets with that voice after the answer", after, "packets", 0, f"in {TRIES} tries"),
    ]
