"""Follows, requests, blocks and hushes, and what a block does to all of them."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain import rooms as r
from parola.store import BadCursor, PeoplePage, Standing, Store, StoreUnavailable, privacy
from parola.store import relations as module
from parola.store.database import Database
from parola.store.tables import follows

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@pytest.fixture(autouse=True)
async def people(store: Store) -> None:
    for person in ("ada", "bob", "carla", "dan"):
        await store.accounts.add(person, person, person.title(), "", NOW)


def handles(page: PeoplePage) -> list[str]:
    return [one.handle for one in page.people]


async def test_the_same_wish_many_times_at_once_holds_once(store: Store) -> None:
    await asyncio.gather(*(store.relations.follow("bob", "ada", 5) for _ in range(8)))
    await asyncio.gather(*(store.relations.block("carla", "ada", 5) for _ in range(8)))
    assert (await store.relations.counts("ada")).followers == 1
    assert handles(await store.relations.blocked_by("carla", None, 10)) == ["ada"]


async def test_those_who_came_last_are_shown_first_page_by_page(store: Store) -> None:
    for at, person in ((3, "bob"), (9, "carla"), (9, "dan")):
        await store.relations.follow(person, "ada", at)
    seen, cursor = [], None
    for size in (2, 1):
        page = await store.relations.followers("ada", None, cursor, 2)
        assert len(page.people) == size
        seen += handles(page)
        cursor = page.next
    assert cursor is None
    assert seen == ["dan", "carla", "bob"]
    assert handles(await store.relations.following("dan", None, None, 2)) == ["ada"]
    with pytest.raises(BadCursor):
        await store.relations.followers("ada", None, "nonsense", 2)


async def test_a_block_ends_follows_and_requests_both_ways_and_lets_none_begin(store: Store) -> None:
    both = [("ada", "bob"), ("bob", "ada")]
    for one, other in both:
        await store.relations.follow(one, other, 1)
        await store.relations.request(one, other, 1)
    await store.relations.request("ada", "carla", 1)
    await store.relations.block("ada", "bob", 2)
    assert await store.relations.standing("ada", "bob") == Standing(blocked=True)
    assert await store.relations.standing("bob", "ada") == Standing()
    for one, other in both:
        await store.relations.follow(one, other, 3)
        await store.relations.request(one, other, 3)
        assert not await store.relations.approve(one, other, 3)
        assert not await store.relations.follows(one, other)
        assert await store.relations.is_blocked(one, other)
    assert await store.relations.standing("ada", "carla") == Standing(requested=True)
    await store.relations.unblock("bob", "ada")
    assert await store.relations.is_blocked("ada", "bob"), "nobody takes another's block back"
    await store.relations.unblock("ada", "bob")
    assert not await store.relations.is_blocked("ada", "bob")
    await store.relations.follow("bob", "ada", 4)
    assert await store.relations.standing("ada", "bob") == Standing(followed=True)


async def test_lists_and_search_do_not_show_whom_a_block_keeps_away(store: Store) -> None:
    for person in ("bob", "carla", "dan"):
        await store.relations.follow(person, "ada", 1)
    await store.relations.block("bob", "carla", 2)
    for viewer, missing in (("bob", "carla"), ("carla", "bob")):
        assert missing not in handles(await store.relations.followers("ada", viewer, None, 10))
        assert missing not in [one.handle for one in await store.accounts.search(missing, 10, viewer)]
        assert await store.relations.unseen_by(viewer, ["ada", missing]) == {missing}
    assert len((await store.relations.followers("ada", "dan", None, 10)).people) == 3
    assert [one.handle for one in await store.accounts.search("bob", 10, "dan")] == ["bob"]
    assert await store.relations.visible("bob", "carla") is None
    seen = await store.relations.visible("carla", "bob")
    assert seen is not None
    assert seen.handle == "carla", "whoever has blocked somebody can see whom"


async def test_a_private_account_that_opens_takes_in_who_waits(store: Store) -> None:
    await store.privacy.set("ada", True, 1)
    ada = await store.accounts.by_handle("ada")
    assert ada is not None
    assert ada.private
    for person in ("bob", "carla"):
        await store.relations.request(person, "ada", 1)
        await store.relations.request(person, "ada", 2)
    assert sorted(handles(await store.relations.requests("ada", None, 10))) == ["bob", "carla"]
    assert await store.relations.approve("bob", "ada", 3)
    assert not await store.relations.approve("bob", "ada", 3)
    await store.relations.request("bob", "ada", 4)
    assert handles(await store.relations.requests("ada", None, 10)) == ["carla"], "who follows need not ask"
    await store.privacy.set("ada", False, 5)
    assert handles(await store.relations.requests("ada", None, 10)) == []
    assert handles(await store.relations.followers("ada", None, None, 10)) == ["carla", "bob"]
    assert not await store.relations.refuse("carla", "ada")


async def test_a_follow_at_the_same_moment_does_not_keep_an_account_from_opening(store: Store) -> None:
    await store.privacy.set("ada", True, 1)
    for person in ("bob", "carla"):
        await store.relations.request(person, "ada", 1)
    async with store._database.write() as connection:
        await connection.execute(sa.insert(follows).values(follower="bob", followed="ada", since=2))
        opening = asyncio.ensure_future(store.privacy.set("ada", False, 3))
        await asyncio.wait({opening}, timeout=0.3)
    await opening
    assert handles(await store.relations.requests("ada", None, 10)) == []
    assert handles(await store.relations.followers("ada", None, None, 10)) == ["carla", "bob"]


class Breaking:
    """A database that is away after so many transactions."""

    def __init__(self, database: Database, after: int) -> None:
        self.left = after
        self._database = database

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        self.left -= 1
        if self.left < 0:
            raise StoreUnavailable("away")
        return self._database.write()


async def test_an_opening_that_breaks_off_has_opened_and_its_rest_is_taken_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(privacy, "_MOVED_AT_ONCE", 2)
    for person in ("ada", "dan"):
        await store.privacy.set(person, True, 1)
    for person in ("bob", "carla", "dan"):
        await store.relations.request(person, "ada", 1)
    await store.relations.request("bob", "dan", 1)
    with monkeypatch.context() as breaking:
        breaking.setattr(store.privacy, "_database", Breaking(store._database, after=2))
        with pytest.raises(StoreUnavailable):
            await store.privacy.set("ada", False, 2)
    ada = await store.accounts.by_handle("ada")
    assert ada is not None
    assert not ada.private
    assert (await store.relations.counts("ada")).followers == 2
    await store.privacy.let_in_waiting(3)
    assert (await store.relations.counts("ada")).followers == 3
    assert handles(await store.relations.requests("ada", None, 10)) == []
    assert handles(await store.relations.requests("dan", None, 10)) == ["bob"], "still private"


async def test_whom_a_block_bars(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    await store.relations.block("ada", "bob", 1)
    await store.relations.block("carla", "ada", 1)
    assert await store.relations.barred(["ada", "dan"]) == {
        "ada": frozenset({"bob", "carla"}),
        "dan": frozenset(),
    }
    assert await store.relations.barred([]) == {}
    assert await store.relations.blockers_of(["ada", "bob"]) == {"ada", "carla"}
    assert await store.relations.blocked_among("ada", ["bob", "carla"]) == {"bob"}
    monkeypatch.setattr(module, "MOST_BARRED", 1)
    assert await store.relations.barred(["ada", "dan"]) == {"ada": None, "dan": None}
    assert await store.relations.blockers_of(["ada", "bob"]) is None
    assert await store.relations.blockers_of(["bob"]) == {"ada"}


@pytest.mark.parametrize(
    ("access", "told"),
    [
        (r.Access.OPEN, {"follower", "mutual", "invited"}),
        (r.Access.FOLLOWERS, {"follower", "mutual", "invited"}),
        (r.Access.MUTUALS, {"mutual", "invited"}),
        (r.Access.INVITED, {"invited"}),
        (r.Access.LINK, set()),
    ],
)
async def test_who_is_told_that_a_room_has_started(store: Store, access: r.Access, told: set[str]) -> None:
    everybody = ["stranger", "follower", "mutual", "invited", "hushing", "removed", "blocked"]
    for person in (*everybody, "elsewhere"):
        await store.accounts.add(person, person, person, "", NOW)
        if person != "stranger":
            await store.relations.follow(person, "ada", 1)
    for person in ("mutual", "hushing", "removed"):
        await store.relations.follow("ada", person, 1)
    await store.relations.hush("hushing", "ada", 1)
    await store.relations.block("ada", "blocked", 1)
    created = r.create("room", "ada", "A room", access, True, None, NOW)
    room = r.fold(None, created)
    await store.rooms.create(room, created)
    for command in (r.Invite("ada", "invited"), r.Remove("ada", "removed")):
        events = r.decide(room, command, NOW)
        before, room = room, r.fold(room, events)
        await store.rooms.append(before, events, room)
    assert await store.relations.to_be_told("ada", "room", access, everybody) == told
    assert await store.relations.to_be_told("ada", "room", access, []) == set()
