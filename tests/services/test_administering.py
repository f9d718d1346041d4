"""Who gets in, what administrators do, and that none of it goes without an entry that stays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from parola.domain import rooms as r
from parola.domain.errors import Refusal, Unavailable
from parola.services import clock
from parola.services.administering import AT_THE_MACHINE, Actor
from parola.services.claims import LIFE, Claims
from tests.services.house import MEDIA, PASSWORD, House, opened, refusal_of


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


async def administrator(house: House, handle: str) -> Actor:
    await house.caller(handle)
    await house.services.administering.set_role(AT_THE_MACHINE, handle, "administrator", "begins")
    return house.services.administering.admit(await house.caller(handle))


async def speaking(house: House) -> str:
    """A live room of ada's in which bob has the floor, mixed by the media process that answers."""
    ada, bob = await house.caller("ada"), await house.caller("bob")
    rooms = house.services.rooms
    room = await rooms.open(ada, "A room", "open", None, None)
    await rooms.command(bob, room.id, r.RaiseHand)
    target = bob.signed_in().account.id
    await rooms.command(ada, room.id, lambda by: r.Grant(by, target))
    await house.media_lives()
    assert await house.store.rooms.claim(room.id, MEDIA, 0) == 1
    return room.id


async def deeds(house: House) -> list[tuple[str, str]]:
    entries = await house.store.audit.after(0, 100)
    return [(entry.deed.action, entry.deed.reason) for entry in entries]


async def test_only_administrators_get_in(house: House) -> None:
    root = await administrator(house, "root")
    for caller in (await house.caller("ada"), await house.services.sessions.authenticate("no token")):
        with pytest.raises(Refusal) as refused:
            house.services.administering.admit(caller)
        assert refused.value.code == "not_found"
    await house.services.administering.set_role(AT_THE_MACHINE, "ada", "administrator", "helps")
    await house.services.administering.set_role(root, "ada", "member", "helps no more")
    with pytest.raises(Refusal):
        house.services.administering.admit(await house.caller("ada"))


async def test_a_suspended_person_is_silent_before_the_answer(house: House) -> None:
    room_id = await speaking(house)
    root = await administrator(house, "root")
    bob = await house.caller("bob")
    await house.services.administering.suspend(root, "bob", "shouts")
    seen = await house.store.rooms.load(room_id)
    assert seen is not None
    assert not seen.may_be_heard(bob.signed_in().account.id)
    assert house.media.settled[-1].seq == seen.seq, "the owner has confirmed it"
    assert (await house.services.sessions.authenticate(house.tokens["bob"])).member is None
    wrong = house.services.sessions.sign_in("bob", "not the password")
    assert await refusal_of(wrong) == "wrong_credentials"
    assert await refusal_of(house.services.sessions.sign_in("bob", PASSWORD)) == "suspended"
    profile = await house.services.people.profile(await house.caller("ada"), "bob")
    assert profile.account.handle == "bob", "nothing else is hidden"
    await house.services.administering.restore(root, "bob", "has calmed down")
    assert (await house.services.sessions.sign_in("bob", PASSWORD)).account.handle == "bob"


async def test_a_suspended_host_keeps_the_room_and_is_not_heard(house: House) -> None:
    room_id = await speaking(house)
    root = await administrator(house, "root")
    await house.services.administering.suspend(root, "ada", "shouts")
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert room.state is r.Lifecycle.LIVE
    assert not room.may_be_heard(room.host)
    await house.services.administering.end_room(root, room_id, "nobody leads it")
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert room.state is r.Lifecycle.ENDED


async def test_a_silence_that_nobody_confirms_is_said_and_asked_for_again(house: House) -> None:
    await speaking(house)
    root = await administrator(house, "root")
    house.media.deaf = True
    with pytest.raises(Unavailable) as refused:
        await house.services.administering.suspend(root, "bob", "shouts")
    assert refused.value.code == "not_confirmed"
    house.media.deaf = False
    heard = len(house.media.settled)
    assert await house.services.administering.suspend(root, "bob", "shouts") == 0, "it stood already"
    assert len(house.media.settled) == heard, "what holds no voice needs no silence"
    assert (await deeds(house)).count(("suspend", "shouts")) == 1


async def test_a_session_that_begins_during_a_suspension_is_none(house: House) -> None:
    bob = (await house.caller("bob")).signed_in().account
    root = await administrator(house, "root")
    await house.services.administering.suspend(root, "bob", "shouts")
    late = await house.services.sessions.begin(bob)
    assert (await house.services.sessions.authenticate(late.token)).member is None
    session = "late"
    await house.store.sessions.add(session, "hash", bob.id, clock.now())
    assert await house.store.sessions.alive([session]) == set()


async def test_somebody_is_always_left_to_administer(house: House) -> None:
    root, other = await administrator(house, "root"), await administrator(house, "other")
    administering = house.services.administering
    assert await refusal_of(administering.suspend(root, "root", "tired")) == "own_account"
    both = await asyncio.gather(
        refusal_of(administering.set_role(root, "other", "member", "alone")),
        refusal_of(administering.set_role(other, "root", "member", "alone")),
    )
    assert sorted(both) == ["last_administrator", "yes"]
    left = [one for one in await house.store.administration.people("", "", 10) if one.role != "member"]
    assert len(left) == 1
    assert (
        await refusal_of(administering.suspend(AT_THE_MACHINE, left[0].handle, "x")) == "last_administrator"
    )
    assert ("suspend", "x") not in await deeds(house)


async def test_a_link_makes_one_administrator_and_ends_with_it(house: House) -> None:
    claims = house.services.claims
    links = [await claims.first_link() for _ in range(2)]
    tokens = [str(link).partition("#")[2] for link in links]
    assert all(str(link).startswith("http://localhost:8080/admin/claim#") for link in links)
    assert len(tokens[0]) >= 22, "128 bits and more"
    ada, bob = await house.caller("ada"), await house.caller("bob")
    assert await refusal_of(claims.claim(ada, "guessed")) == "not_found"
    both = await asyncio.gather(
        refusal_of(claims.claim(ada, tokens[0])), refusal_of(claims.claim(bob, tokens[0]))
    )
    assert sorted(both) == ["not_found", "yes"]
    for token in tokens:
        assert await refusal_of(claims.claim(bob, token)) == "not_found", "all others ended with it"
    assert await claims.first_link() is None
    again = (await claims.link()).partition("#")[2]
    assert await refusal_of(claims.claim(bob, again)) == "yes"
    later = Claims(house.store, lambda: clock.now() - LIFE - timedelta(seconds=1), "http://x")
    stale = (await later.link()).partition("#")[2]
    assert await refusal_of(claims.claim(await house.caller("carla"), stale)) == "not_found"


async def test_entries_hold_each_other(house: House, tmp_path: Path) -> None:
    root = await administrator(house, "root")
    administering = house.services.administering
    await house.caller("ada")
    await asyncio.gather(*(administering.suspend(root, "ada", "twice at once") for _ in range(4)))
    await asyncio.gather(*(house.services.claims.link() for _ in range(8)))
    verified = await administering.verify(root)
    assert (verified.count, verified.broken_at) == (10, None)
    assert [entry.seq for entry in await administering.audit(root, None, 3)] == [10, 9, 8]
    assert [entry.seq for entry in await administering.audit(root, 3, 5)] == [2, 1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET reason = 'nothing'",
        "DELETE FROM audit WHERE seq = 1",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "INSERT OR REPLACE INTO audit SELECT seq, at, actor, action, kind, object, 'x', before, hash FROM audit",
    ],
)
async def test_the_database_refuses_to_change_an_entry(house: House, statement: str) -> None:
    await administrator(house, "root")
    engine = create_async_engine(house.store._database.engine.url)
    is_sqlite = engine.dialect.name == "sqlite"
    if statement.startswith("TRUNCATE" if is_sqlite else "INSERT OR"):
        pytest.skip("the other database's words")
    with pytest.raises(DBAPIError, match="cannot be changed"):
        async with engine.begin() as connection:
            await connection.execute(sa.text(statement))
    await engine.dispose()


@pytest.mark.parametrize("change", ["reason = 'nothing'", "at = 'now'", "before = 'x'", "hash = 'x'"])
async def test_who_changes_an_entry_all_the_same_is_found_out(house: House, change: str) -> None:
    root = await administrator(house, "root")
    for _ in range(3):
        await house.services.claims.link()
    engine = create_async_engine(house.store._database.engine.url)
    async with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            await connection.execute(sa.text("DROP TRIGGER audit_no_update"))
        else:
            await connection.execute(sa.text("DROP TRIGGER audit_no_change ON audit"))
        await connection.execute(sa.text(f"UPDATE audit SET {change} WHERE seq = 3"))
    await engine.dispose()
    verified = await house.services.administering.verify(root)
    assert (verified.count, verified.broken_at) == (2, 3)
