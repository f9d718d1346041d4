"""How soon a hostile offer is refused, by a real server, at the worst."""

from __future__ import annotations

import time
from collections import defaultdict
from itertools import product
from pathlib import Path

import aiohttp

from bench.figures import Figure, quantile, spread
from tests.e2e.house import House, opened, people
from tests.hostile.offers import HOSTILE

TRIES = 50
LIMIT_MS = 50.0


async def bad_bodies(folder: Path) -> list[Figure]:
    with opened(House(folder)) as house:
        async with people(house, "ada") as (ada,):
            room = await ada.call("POST", "/api/rooms", {"title": "Offers"})
            headers = {"Authorization": f"Bearer {ada.token}", "Content-Type": "application/sdp"}
            waits: defaultdict[str, list[float]] = defaultdict(list)
            # In turns: whatever else the machine does in the meantime happens to all of them.
            for _, kind, (name, offer) in product(range(TRIES), ("whep", "whip"), HOSTILE.items()):
                url = f"{house.origin}/api/rooms/{room['id']}/{kind}"
                waits[f"{kind}, {name}"].append(await _ms(url, headers, offer.encode()))
    worst = max(waits, key=lambda name: quantile(waits[name], 0.95))
    name = f"hostile offers refused, p95 of the worst of {len(waits)} ({worst})"
    return [Figure(name, quantile(waits[worst], 0.95), "ms", LIMIT_MS, spread(waits[worst], "ms"))]


async def _ms(url: str, headers: dict[str, str], body: bytes) -> float:
    """On a connection of its own: one on which too much was sent is not used again."""
    async with aiohttp.ClientSession(headers=headers) as http:
        began = time.perf_counter()
        async with http.post(url, data=body) as answer:
            said = await answer.json(content_type=None)
            took = (time.perf_counter() - began) * 1000
        assert (answer.status, said["code"]) in ((422, "bad_sdp"), (413, "too_large")), said
    return took
