"""Whether the time of a 404 tells that a private room exists: real answers, told apart by nothing but the clock."""

from __future__ import annotations

import secrets
import statistics
import time
from pathlib import Path

import aiohttp

from bench.figures import Figure, spread
from parola.client.api import Api
from tests.e2e.house import House, opened, people

TRIES = 1000
LIMIT_MS = 0.3
HANDS = 40
"""A room that is much to read, for whoever reads it before asking who wants to."""
_CALLS = (("GET", ""), ("GET", "/events"), ("POST", "/whep"))


async def private_rooms(folder: Path) -> list[Figure]:
    with opened(House(folder)) as house:
        async with people(house, "ada", "stranger") as (ada, stranger):
            room = await ada.call("POST", "/api/rooms", {"title": "Not for you", "access": "invited"})
            path = f"/api/rooms/{room['id']}"
            for _ in range(HANDS):
                async with await house.person("guest") as guest:
                    handle = (await guest.call("GET", "/api/me"))["handle"]
                    await ada.call("PUT", f"{path}/invited/{handle}")
                    await guest.call("PUT", f"{path}/hands/me")
            return [
                await _figure(stranger, who, method, room["id"], rest)
                for who in ("a member", "a guest")
                for method, rest in _CALLS
            ]


async def _figure(stranger: Api, who: str, method: str, room_id: str, rest: str) -> Figure:
    headers = {"Content-Type": "application/sdp"}
    if who == "a member":
        headers["Authorization"] = f"Bearer {stranger.token}"
    there, nowhere = [], []
    async with aiohttp.ClientSession(stranger.origin, headers=headers) as http:
        for _ in range(TRIES):
            # One after the other, so that whatever else the machine does happens to both.
            there.append(await _ms(http, method, f"/api/rooms/{room_id}{rest}"))
            nowhere.append(await _ms(http, method, f"/api/rooms/{secrets.token_urlsafe(16)}{rest}"))
    apart = abs(statistics.median(there) - statistics.median(nowhere))
    name = f"private room, {method} {rest or '/'} by {who}: medians of 404s apart"
    return Figure(
        name, apart, "ms", LIMIT_MS, f"there {spread(there, 'ms')}; nowhere {spread(nowhere, 'ms')}"
    )


async def _ms(http: aiohttp.ClientSession, method: str, path: str) -> float:
    began = time.perf_counter()
    async with http.request(method, path, data=b"v=0\r\n" if method == "POST" else None) as answer:
        await answer.read()
        assert answer.status == 404
    return (time.perf_counter() - began) * 1000
