"""Each host's own list of words."""

from __future__ import annotations

import asyncio

import pytest

from parola.store import Store
from tests.web_process import NOW

MOST = 3


@pytest.fixture(autouse=True)
async def people(store: Store) -> None:
    for person in ("ada", "bob"):
        await store.accounts.add(person, person, person.title(), "", NOW)


async def added(store: Store, account: str, key: str, word: str, at: int = 1) -> bool:
    return await store.host_words.add(account, key, word, MOST, at)


async def listed(store: Store, account: str) -> list[tuple[str, str, int]]:
    return [(one.key, one.word, one.at) for one in await store.host_words.of(account)]


async def test_a_word_is_its_hosts_alone_and_stands_as_it_came_first(store: Store) -> None:
    assert await added(store, "ada", "two", "Two", 5)
    assert await added(store, "ada", "one", "One", 6)
    assert await added(store, "ada", "two", "TWO", 7)
    assert await added(store, "bob", "two", "two", 8)
    assert await listed(store, "ada") == [("one", "One", 6), ("two", "Two", 5)]
    assert await store.host_words.remove("ada", "two")
    assert not await store.host_words.remove("ada", "two")
    assert await listed(store, "ada") == [("one", "One", 6)]
    assert await listed(store, "bob") == [("two", "two", 8)]


async def test_there_are_so_many_at_most(store: Store) -> None:
    assert [await added(store, "ada", f"word{i}", f"word{i}") for i in range(MOST + 1)] == [True] * MOST + [
        False
    ]
    assert await added(store, "ada", "word0", "word0"), "what is there needs no more room"
    assert await added(store, "bob", "word0", "word0"), "each host has their own"


async def test_the_same_word_many_times_at_once_is_there_once(store: Store) -> None:
    assert await asyncio.gather(*(added(store, "ada", "one", "One") for _ in range(8))) == [True] * 8
    assert await listed(store, "ada") == [("one", "One", 1)]
