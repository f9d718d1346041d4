"""Rooms in SQL: two processes at once, sudden death, and who sees what in lists."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Forbidden
from parola.store import BadCursor, HandleTaken, Store, Wanted, upgrade
from parola.store.rooms import Seen

NOW = datetime(2026, 1, 2, tzinfo=UTC)

WRITER = """
import asyncio, sys
from datetime import UTC, datetime
from parola.domain import rooms as r
from parola.store import SeqConflict, Store

async def main(url, name, count):
    store, done = Store.open(url), 0
    while done < count:
        before = await store.rooms.load("room")
        command = (r.LowerHand if before.has_hand(name) else r.RaiseHand)(name)
        events = r.decide(before, command, datetime.now(UTC))
        try:
            await store.rooms.append(before, events, r.fold(before, events))
        except SeqConflict:
            continue
        done += 1
        print(events[0].seq, flush=True)
    await store.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


@pytest.fixture(autouse=True)
async def host(store: Store) -> None:
    await store.accounts.add("host", "host", "Host", "", NOW)


async def add_room(
    store: Store, id: str, access: r.Access = r.Access.OPEN, guests: bool = True, minute: int = 0
) -> r.Room:
    at = NOW + timedelta(minutes=minute)
    events = r.create(id, "host", f"Room {id}", access, guests, None, at)
    room = r.fold(None, events)
    await store.rooms.create(room, events)
    return room


async def do(store: Store, room: r.Room, command: r.Command) -> r.Room:
    events = r.decide(room, command, NOW)
    after = r.fold(room, events)
    await store.rooms.append(room, events, after)
    return after


async def writer(url: str, name: str, count: int) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", WRITER, url, name, str(count), stdout=asyncio.subprocess.PIPE
    )


async def test_two_processes_at_once_neither_lose_nor_double(store: Store, database_url: str) -> None:
    await add_room(store, "room")
    processes = [await writer(database_url, name, 40) for name in ("ada", "bob")]
    outputs = [(await p.communicate())[0].decode().split() for p in processes]
    assert [p.returncode for p in processes] == [0, 0]
    acknowledged = sorted(int(seq) for output in outputs for seq in output)
    events = await store.rooms.events_after("room", 0)
    assert [e.seq for e in events] == list(range(1, 83))
    assert acknowledged == list(range(3, 83))
    assert r.fold(None, events) == await store.rooms.load("room")


async def test_a_writer_killed_at_any_moment_loses_nothing_it_was_told(
    store: Store, database_url: str
) -> None:
    await add_room(store, "room")
    dice = random.Random(7)
    for name in ("ada", "bob", "carla"):
        process = await writer(database_url, name, 100_000)
        assert process.stdout is not None
        told = [int(await process.stdout.readline()) for _ in range(dice.randrange(1, 25))]
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in (await process.stdout.read()).split()]
        await process.wait()
        events = await store.rooms.events_after("room", 0)
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        assert set(told) <= {e.seq for e in events}
        assert r.fold(None, events) == await store.rooms.load("room")


PEOPLE = {
    "stranger": r.NO_TIES,
    "follower": r.Ties(follows=True),
    "followed": r.Ties(followed=True),
    "mutual": r.Ties(follows=True, followed=True),
    "blocked": r.Ties(blocked=True),
    "blocker": r.Ties(blocked=True),
}


@pytest.mark.parametrize("private", [False, True])
async def test_lists_show_exactly_what_the_gate_lets_in(store: Store, private: bool) -> None:
    await _people(store, private)
    some = (None, "stranger", "blocked")
    kinds = itertools.product(r.Access, (True, False), (False, True), some, (None, "follower"))
    all_rooms = []
    for i, (access, guests, ended, invited, removed) in enumerate(kinds):
        room = await add_room(store, f"room{i}", access, guests, minute=i)
        if invited:
            room = await do(store, room, (r.Invite if guests else r.AddCohost)("host", invited))
        if removed:
            room = await do(store, room, r.Remove("host", removed))
        all_rooms.append(await do(store, room, r.End("host")) if ended else room)
    for viewer in (None, "host", *PEOPLE):
        ties = replace(PEOPLE.get(viewer or "", r.NO_TIES), private=private)
        entered = []
        for room in reversed(all_rooms):
            seen = await store.rooms.load_for(room.id, viewer)
            assert (seen is not None) == r.may_know(room, viewer, ties), (viewer, room)
            if seen is None:
                continue
            assert seen == Seen(room, ties)
            with contextlib.suppress(Forbidden):
                r.check_entry(seen.room, viewer, seen.ties)
                if room.access is not r.Access.LINK or viewer == "host":
                    entered.append(room.id)
        assert sorted(await _listed(store, viewer)) == sorted(entered)
        live = [id for id in entered if all_rooms[int(id.removeprefix("room"))].state is r.Lifecycle.LIVE]
        assert await store.rooms.live_room_of("host", viewer) == (live[0] if live else None)


async def _people(store: Store, private: bool) -> None:
    """As PEOPLE says that they stand to the host."""
    for person in PEOPLE:
        await store.accounts.add(person, person, person, "", NOW)
    for person, ties in PEOPLE.items():
        if ties.follows:
            await store.relations.follow(person, "host", 0)
        if ties.followed:
            await store.relations.follow("host", person, 0)
    await store.relations.block("host", "blocked", 0)
    await store.relations.block("blocker", "host", 0)
    await store.privacy.set("host", private, 0)


async def _listed(store: Store, viewer: str | None) -> list[str]:
    listed = []
    for state in (r.Lifecycle.LIVE, r.Lifecycle.ENDED):
        cursor = None
        while True:
            page = await store.rooms.page(Wanted(state), viewer, cursor, 7)
            listed += [room.id for room in page.rooms]
            cursor = page.next
            if cursor is None:
                break
    return listed


async def test_a_cursor_is_not_moved_by_new_rooms(store: Store) -> None:
    for i in range(5):
        await add_room(store, f"room{i}", minute=i)
    first = await store.rooms.page(Wanted(r.Lifecycle.LIVE), None, None, 2)
    await add_room(store, "newest", minute=99)
    second = await store.rooms.page(Wanted(r.Lifecycle.LIVE), None, first.next, 2)
    assert [x.id for x in (*first.rooms, *second.rooms)] == ["room4", "room3", "room2", "room1"]
    for cursor in ("", "%", "aGVsbG8", "OTk5"):
        with pytest.raises(BadCursor):
            await store.rooms.page(Wanted(r.Lifecycle.LIVE), None, cursor, 2)


async def test_ownership_is_taken_by_one_and_its_epoch_never_comes_back(store: Store) -> None:
    await add_room(store, "room")
    assert [await store.rooms.claim("room", p, 0) for p in ("p", "q")] == [1, None]
    await store.leases.release("p")
    head = (await store.rooms.heads(["room"]))["room"]
    assert (head.owner, head.epoch) == (None, 1)
    assert await store.rooms.claim("room", "q", 1) == 2


async def test_what_stood_beside_hands_ends_with_the_room_and_nothing_else_does(store: Store) -> None:
    await store.accounts.add("bob", "bob", "Bob", "", NOW)
    room, other = await add_room(store, "room"), await add_room(store, "other")
    for of in (room, other):
        for note in ("I am Bob Rossi", "of Pisa"):
            events = r.decide(of, r.RaiseHand("bob", note), NOW)
            after = r.fold(of, events)
            await store.rooms.append(of, events, after)
            of = after
        if of.id == "room":
            room = of
    assert "of Pisa" in str(await store.rooms.events_after("room", 0))
    events = r.decide(room, r.End("host"), NOW)
    await store.rooms.append(room, events, r.fold(room, events))
    kept = await store.rooms.events_after("room", 0)
    assert "Bob Rossi" not in str(kept)
    assert "Pisa" not in str(kept)
    assert [event.seq for event in kept] == list(range(1, len(kept) + 1))
    assert "Bob Rossi" in str(await store.rooms.events_after("other", 0)), "which goes on"
    ended = await store.rooms.load("room")
    assert ended is not None
    assert r.fold(None, kept) == ended
    assert ended.hands == ()


async def test_handles_are_taken_once(store: Store) -> None:
    await store.accounts.add("a", "ada", "Ada", "", NOW)
    with pytest.raises(HandleTaken):
        await store.accounts.add("b", "ada", "Other", "", NOW)
    await store.accounts.add("p", "paolo_1", "Paolo", "", NOW)
    for alike in ("pao1o_1", "paolo__l", "pa0lo_1"):
        with pytest.raises(HandleTaken):
            await store.accounts.add("b", alike, "Other", "", NOW)


async def test_migrating_twice_changes_nothing(store: Store, database_url: str) -> None:
    await add_room(store, "room")
    await upgrade(database_url)
    assert await store.rooms.load("room") is not None
