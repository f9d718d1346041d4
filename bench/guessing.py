"""What the time tells of a room that is not for one: every call that names a room, for a private one and for an id that
nobody has, in turns. Their medians may not differ by more than anybody could measure from outside."""

from __future__ import annotations

import secrets
import statistics
import time
from typing import Any

import aiohttp

from bench.figures import Figure
from parola.client.api import Api
from tests.e2e.house import House, people

TRIES = 1000
MOST_MS = 0.3
_GIVEN = {"handle": "ada", "kind": "whep", "connection_id": "media_1.x"}
_BODIES = {
    "/turns": {"soft_s": 30, "hard_s": 60},
    "/stage": {"capacity": 5},
    "/listeners_at_most": {"listeners": 5},
    "/pauses/hands": {"pause_s": 10},
    "/heard": {"connection": "media_1.x", "ms": 100},
    "/survey": {"good": True},
}
_SDP = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"


async def private_rooms(house: House) -> list[Figure]:
    async with people(house, "ada", "stranger") as (ada, stranger):
        body = {"title": "Nobody knows of this", "access": "invited"}
        private = str((await ada.call("POST", "/api/rooms", body))["id"])
        calls = await _calls(stranger)
        apart = {}
        async with aiohttp.ClientSession(house.origin) as http:
            for method, path in calls:
                apart[f"{method} {path}"] = await _apart(http, str(stranger.token), method, path, private)
    worst = max(apart, key=lambda name: apart[name])
    note = f"{len(calls)} calls, {TRIES} tries each; the worst: {worst}"
    return [Figure("a private room and no room, apart by (medians)", apart[worst], "ms", MOST_MS, note)]


async def _calls(api: Api) -> list[tuple[str, str]]:
    """Method and path, with `{room_id}` to be filled in, of all that name a room; and the page itself."""
    paths = (await api.call("GET", "/api/openapi.json"))["paths"]
    found = [("GET", "/r/{room_id}")]
    for path, methods in paths.items():
        if "{room_id}" in path and not path.startswith("/api/admin/"):
            for name, value in _GIVEN.items():
                path = path.replace(f"{{{name}}}", value)
            found += [(method.upper(), path) for method in methods]
    return found


async def _apart(http: aiohttp.ClientSession, token: str, method: str, path: str, private: str) -> float:
    """By how many milliseconds the medians differ. AssertionError where the answers do."""
    took: dict[bool, list[float]] = {True: [], False: []}
    told: dict[bool, set[tuple[int, bytes]]] = {True: set(), False: set()}
    for number in range(2 * TRIES):
        is_private = bool(number % 2)
        where = path.format(room_id=private if is_private else secrets.token_urlsafe(16))
        began = time.perf_counter()
        async with http.request(method, where, **_sent(method, path, token)) as answer:
            body = await answer.read()
        took[is_private].append((time.perf_counter() - began) * 1000)
        told[is_private].add((answer.status, body))
    assert told[True] == told[False], (method, path, told)
    return abs(statistics.median(took[True]) - statistics.median(took[False]))


def _sent(method: str, path: str, token: str) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token}"}
    if path.endswith(("/whep", "/whip")):
        return {"data": _SDP, "headers": {**headers, "Content-Type": "application/sdp"}}
    if method == "PATCH":
        return {"data": "", "headers": {**headers, "Content-Type": "application/trickle-ice-sdpfrag"}}
    body = next(
        (body for end, body in _BODIES.items() if path.endswith(end) and method in ("PUT", "POST")), None
    )
    return {"headers": headers} if body is None else {"json": body, "headers": headers}
