"""How many rooms one host has at once: whoever calls many times at one moment gets no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.domain.limits import ROOMS_OF_A_HOST
from parola.services import clock
from tests.services.house import House, opened, refusal_of

LIVE, SCHEDULED = ROOMS_OF_A_HOST[r.Lifecycle.LIVE], ROOMS_OF_A_HOST[r.Lifecycle.SCHEDULED]


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path, limits="default") as house:
        yield house


async def opens(house: House, later: bool = False, handle: str = "ada") -> str:
    """The refusal's code, or the new room's id."""
    starts_at = clock.now() + timedelta(days=1) if later else None
    room: list[str] = []

    async def opening() -> None:
        caller = await house.caller(handle)
        room.append((await house.services.rooms.open(caller, "A room", "open", None, starts_at)).id)

    code = await refusal_of(opening())
    return room[0] if code == "yes" else code


async def test_of_many_calls_at_once_so_many_rooms_are_live(house: House) -> None:
    await house.caller("ada")
    found = await asyncio.gather(*(opens(house) for _ in range(LIVE + 6)))
    ids = [one for one in found if one != "too_many_live"]
    assert len(ids) == LIVE
    assert len(await opens(house, handle="bob")) > len("too_many_live"), "another host has their own"
    await house.services.rooms.command(await house.caller("ada"), ids[0], r.End)
    assert await opens(house) != "too_many_live"
    assert await opens(house) == "too_many_live"


async def test_scheduled_rooms_are_counted_and_starting_them_is_no_way_around(house: House) -> None:
    ada = await house.caller("ada")
    planned = [await opens(house, later=True) for _ in range(SCHEDULED)]
    assert "too_many_scheduled" not in planned
    assert await opens(house, later=True) == "too_many_scheduled"
    start = house.services.rooms.start
    found = await asyncio.gather(*(refusal_of(start(ada, id)) for id in planned[: LIVE + 6]))
    assert sorted(found) == ["too_many_live"] * 6 + ["yes"] * LIVE
    assert await opens(house) == "too_many_live"
    assert await opens(house, later=True) != "too_many_scheduled", "what has started is not to come any more"
