"""Commands in many rooms at once: what becomes of one room keeps no other from its own.

Invariant: whoever is told "done, not confirmed" may rely on every command being written. Where a room is changed by so
many at once that one could not be, that is said instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from parola.domain.errors import Conflict, NotFound, Unavailable

NOT_CONFIRMED = "not_confirmed"
NOT_DONE = "not_done"
_TRIES = 5
_PAUSE_S = 0.05
AT_ONCE = 8
"""Rooms: whoever has many leaves the database to others as well."""

C = TypeVar("C")


async def in_each(work: Iterable[tuple[str, C]], carry_out: Callable[[str, C], Awaitable[object]]) -> None:
    """`work` are rooms' ids, each with a command; those of one room come one after another. In every room first, and
    then the first failure is raised, `Unavailable("not_confirmed")` only where there is no other. A room that is over,
    or is no more, holds nobody.

    Raises what `carry_out` does, and Unavailable("not_done") for a room that stays busy."""
    by_room: dict[str, list[C]] = {}
    for room_id, command in work:
        by_room.setdefault(room_id, []).append(command)
    places = asyncio.Semaphore(AT_ONCE)

    async def placed(room_id: str, commands: list[C]) -> list[Exception]:
        async with places:
            return await _in_one(room_id, commands, carry_out)

    found = await asyncio.gather(*(placed(*one) for one in by_room.items()))
    failures = [failure for those in found for failure in those]
    failures.sort(key=is_unconfirmed)
    if failures:
        raise failures[0]


def is_unconfirmed(error: BaseException) -> bool:
    """It is done, and nobody could say that all is silent."""
    return isinstance(error, Unavailable) and error.code == NOT_CONFIRMED


async def _in_one(
    room_id: str, commands: list[C], carry_out: Callable[[str, C], Awaitable[object]]
) -> list[Exception]:
    failures: list[Exception] = []
    for command in commands:
        try:
            await _patiently(room_id, command, carry_out)
        except NotFound:
            continue
        except Conflict as error:
            if error.code != "not_live":
                failures.append(error)
        except Exception as error:
            failures.append(error)
    return failures


async def _patiently(room_id: str, command: C, carry_out: Callable[[str, C], Awaitable[object]]) -> None:
    for tried in range(_TRIES):
        try:
            await carry_out(room_id, command)
            return
        except Unavailable as error:
            if error.code != "busy":
                raise
            await asyncio.sleep(_PAUSE_S * (tried + 1))
    raise Unavailable(NOT_DONE, "A room is changed by too many at once: ask again.", 1)
