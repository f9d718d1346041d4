"""Words that a host has blocked: in titles of their own, in notes, and in the names of those who raise a hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Forbidden, Invalid
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE
from parola.services.words import MOST_OF_A_HOST
from tests.services.house import House, opened, refusal_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def raised(house: House, room: r.Room, handle: str, note: str | None = None) -> str:
    return await refusal_of(house.services.rooms.raise_hand(await house.caller(handle), room.id, note))


async def open_room(house: House, handle: str = "ada", title: str = "A room") -> r.Room:
    return await house.services.rooms.open(await house.caller(handle), title, "open", None, None)


async def test_a_host_title_has_none_of_the_words_of_the_host_or_the_operator(house: House) -> None:
    ada, rooms = await house.caller("ada"), house.services.rooms
    await house.services.words.add(AT_THE_MACHINE, "rubbish")
    await house.services.host_words.add(ada, "Idiot")
    for title in ("You 1.d.i.0.t", "All rubbish"):
        with pytest.raises(Invalid) as refused:
            await rooms.open(ada, title, "open", None, None)
        assert refused.value.code == "word_blocked"
        assert [one.field for one in refused.value.errors] == ["title"]
    planned = rooms.open(ada, "Idiot", "open", None, clock.now() + timedelta(days=1))
    assert await refusal_of(planned) == "word_blocked"
    assert (await open_room(house, "bob", "You idiot")).title == "You idiot", "the list of another"


async def test_a_note_has_none_of_the_words_of_the_host_or_the_operator(house: House) -> None:
    await house.services.words.add(AT_THE_MACHINE, "rubbish")
    await house.services.host_words.add(await house.caller("ada"), "Idiot")
    room = await open_room(house)
    for note in ("You idiot", "What rubbish!"):
        with pytest.raises(Invalid) as refused:
            await house.services.rooms.raise_hand(await house.caller("bob"), room.id, note)
        assert [one.field for one in refused.value.errors] == ["note"]
    assert await raised(house, room, "bob", "A question") == "yes"
    assert await raised(house, room, "bob", "idiot") == "word_blocked", "also of a hand that is up"
    assert await raised(house, await open_room(house, "carla"), "bob", "idiot") == "yes"


async def test_who_has_a_word_of_the_hosts_in_their_name_raises_no_hand(house: House) -> None:
    ada, eve, dan = [await house.caller(handle) for handle in ("ada", "an_idiot", "dan")]
    await house.services.people.update(dan, "Dan the Ídiot", None, None, None)
    await house.services.words.add(AT_THE_MACHINE, "dan")  # whoever had such a name before keeps it
    room, theirs = await open_room(house), await open_room(house, "carla")
    assert await raised(house, room, "dan") == "yes"
    await house.services.rooms.command(dan, room.id, r.LowerHand)
    await house.services.host_words.add(ada, "Idiot")
    for one in (eve, dan):
        handle = one.signed_in().account.handle
        with pytest.raises(Forbidden) as refused:
            await house.services.rooms.raise_hand(await house.caller(handle), room.id, None)
        assert (refused.value.code, "“Idiot”" in refused.value.detail) == ("word_blocked", True)
        assert await raised(house, theirs, handle) == "yes"
    given = await house.services.rooms.command(ada, room.id, lambda by: r.Grant(by, dan.account_id or ""))
    assert given.room.is_offered(dan.account_id or ""), "the host's own deed"
    accepted = await house.services.rooms.command(dan, room.id, r.Accept)
    assert accepted.room.has_floor(dan.account_id or "")


async def test_whom_the_room_is_closed_to_learns_of_no_word(house: House) -> None:
    ada = await house.caller("ada")
    await house.caller("an_idiot")
    await house.services.host_words.add(ada, "Idiot")
    room = await house.services.rooms.open(ada, "A room", "invited", None, None)
    assert await raised(house, room, "an_idiot", "idiot") == "not_found"


async def test_a_list_is_full_at_so_many(house: House) -> None:
    ada, words = await house.caller("ada"), house.services.host_words
    for i in range(MOST_OF_A_HOST):
        await words.add(ada, f"word{i:03}x")
    assert await refusal_of(words.add(ada, "another")) == "too_many_words"
    await words.remove(ada, "WORD000X")
    assert await refusal_of(words.add(ada, "another")) == "yes"
    assert len(await words.list(ada)) == MOST_OF_A_HOST
