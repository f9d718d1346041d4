"""What a house says of itself, and a neighbouring room in it that has to lose nothing."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from fire.neighbour import Heard, Neighbour, neighbour
from parola.client.api import Api
from tests.e2e.house import House


async def asked(house: House, path: str = "/readyz") -> tuple[int, Any]:
    """Status and body; status 0 where nobody answers."""
    try:
        async with aiohttp.request("GET", house.origin + path, headers={"Connection": "close"}) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text
    except (aiohttp.ClientError, OSError):
        return 0, None


async def is_missing(house: House, what: str) -> bool:
    status, body = await asked(house)
    return status == 503 and what in body["missing"]


async def is_ready(house: House) -> bool:
    return (await asked(house))[0] == 200


def logged(house: House, event: str) -> list[dict[str, Any]]:
    lines = [line for line in house.log.read_text().splitlines() if line.startswith("{")]
    return [said for said in map(json.loads, lines) if said["event"] == event]


def assert_unbroken(heard: Heard | None) -> None:
    assert heard is not None
    assert heard.packets > 50
    assert (heard.lost, heard.packets - heard.loud) == (0, 0)


@contextlib.asynccontextmanager
async def playing(house: House) -> AsyncIterator[Neighbour]:
    async with neighbour(house.origin) as neighbours:
        yield neighbours
    assert_unbroken(neighbours.heard)


@contextlib.asynccontextmanager
async def reading(api: Api, room_id: str) -> AsyncIterator[aiohttp.StreamReader]:
    headers = {"Authorization": f"Bearer {api.token}"}
    async with (
        aiohttp.ClientSession(headers=headers) as http,
        http.get(f"{api.origin}/api/rooms/{room_id}/events") as answer,
    ):
        yield answer.content
