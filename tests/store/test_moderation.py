"""What moderation rests on in SQL: one voice for each reporter, one holder of a report, and no floor by any way."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

from parola.domain import rooms as r
from parola.domain.audit import Deed
from parola.domain.moderation import About, Decision, Measure, Reason
from parola.store import DISMISSED, FloorBarred, Invitation, InviteSpent, LastAdministrator, Store, measures
from tests.web_process import NOW


@pytest.fixture
async def people(store: Store) -> Store:
    for handle in ("root", "ada", "bob", "lia"):
        await store.accounts.add(handle, handle, handle.title(), "-", NOW)
    return store


def deed(action: str, object: str = "bob", kind: str = "account", actor: str = "root") -> Deed:
    return Deed(actor, action, kind, object, "because")


def opened(*commands: r.Command) -> tuple[r.Room, tuple[r.Event, ...]]:
    events = r.create("room", "ada", "A room", r.Access.OPEN, True, None, NOW)
    room = r.fold(None, events)
    for command in commands:
        more = r.decide(room, command, NOW)
        room, events = r.fold(room, more), (*events, *more)
    return room, events


async def test_no_event_gives_a_floor_to_who_has_none(people: Store) -> None:
    before, events = opened(r.RaiseHand("bob"))
    await people.rooms.create(before, events)
    await people.measures.silence(deed("remove"), None, None, NOW)
    granted = r.decide(before, r.Grant("ada", "bob"), NOW)
    with pytest.raises(FloorBarred):
        await people.rooms.append(before, granted, r.fold(before, granted))
    await people.rooms.load("room")
    kept = await people.rooms.load("room")
    assert kept == before, "nothing of it was written"
    own = r.create("own", "bob", "Mine", r.Access.OPEN, True, None, NOW)
    with pytest.raises(FloorBarred):
        await people.rooms.create(r.fold(None, own), own)
    assert await people.administration.restore(deed("restore"), NOW)
    await people.rooms.append(before, granted, r.fold(before, granted))


async def test_a_grant_and_a_measure_at_once_leave_no_floor_that_is_not_found(people: Store) -> None:
    before, events = opened(r.RaiseHand("bob"))
    await people.rooms.create(before, events)
    granted = r.decide(before, r.Grant("ada", "bob"), NOW)

    async def grant() -> bool:
        try:
            await people.rooms.append(before, granted, r.fold(before, granted))
        except FloorBarred:
            return False
        return True

    async def measure() -> bool:
        await people.measures.silence(deed("remove"), None, None, NOW)
        room = await people.rooms.load("room")
        return room is not None and room.has_floor("bob")

    given, found = await asyncio.gather(grant(), measure())
    assert found == given


async def test_who_signs_up_while_their_inviter_is_suspended_is_found_in_the_branch(people: Store) -> None:
    await people.invites.add(Invitation("invitation", "code", "bob", NOW.isoformat(), None))

    async def suspend() -> list[str]:
        await people.administration.suspend([deed("suspend")], NOW)
        return [one.id for one in await people.administration.branch("bob")]

    async def also(_: AsyncConnection) -> None:
        """The suspension waits for this sign-up; else it would be through by the end of it, and have found nobody."""
        began.append(asyncio.ensure_future(suspend()))
        await asyncio.wait(began, timeout=0.3)

    began: list[asyncio.Future[list[str]]] = []
    await people.accounts.add("eve", "eve", "Eve", None, NOW, "code", also)
    assert await began[0] == ["eve"]
    with pytest.raises(InviteSpent):
        await people.accounts.add("late", "late", "Late", None, NOW, "code")


async def test_a_sign_up_waits_for_a_suspension_of_the_inviter_and_is_refused(people: Store) -> None:
    await people.invites.add(Invitation("invitation", "code", "bob", NOW.isoformat(), None))
    async with people._database.write() as connection:
        await measures.suspend(connection, deed("suspend"), Measure.SUSPEND, NOW, None, None)
        coming = asyncio.ensure_future(people.accounts.add("eve", "eve", "Eve", None, NOW, "code"))
        await asyncio.wait({coming}, timeout=0.3)
    with pytest.raises(InviteSpent):
        await coming


async def test_a_report_is_held_by_one_and_closed_once(people: Store) -> None:
    about = About("bob", None)
    voices = (people.reports.file(about, who, Reason.SPAM, "", None, NOW) for who in ("ada", "lia", "ada"))
    said = await asyncio.gather(*voices)
    assert len({one.report.id for one in said}) == 1
    id = said[0].report.id
    report = await people.reports.load(id)
    assert report is not None
    assert report.voices == 2
    taken = await asyncio.gather(*(people.reports.take(id, who, False) for who in ("root", "ada")))
    assert sorted(taken) == [False, True]
    holder = "root" if taken[0] else "ada"
    closing = (people.reports.close(deed("dismiss", id, "report", holder), DISMISSED, NOW) for _ in range(2))
    assert sorted(await asyncio.gather(*closing)) == [False, True]
    again = await people.reports.file(about, "ada", Reason.SPAM, "", None, NOW)
    assert again.report.id != id


async def test_an_appeal_is_decided_once_and_lifting_ends_what_holds(people: Store) -> None:
    await people.administration.set_role("administrator", deed("make_administrator", "root"), NOW)
    done = await people.administration.suspend([deed("ban")], NOW, Measure.BAN)
    assert (done.changed, list(done.ended)) == (("bob",), ["bob"])
    (measure,) = await people.measures.of("bob")
    assert await people.measures.appeal("bob", measure.id, "no", NOW)
    assert not await people.measures.appeal("bob", measure.id, "no", NOW)
    decided = (
        people.measures.decide(measure.id, Decision.LIFTED, deed("appeal_lifted"), NOW) for _ in range(2)
    )
    assert sorted(await asyncio.gather(*decided)) == [False, True]
    account = await people.accounts.by_handle("bob")
    assert account is not None
    assert not account.suspended
    with pytest.raises(LastAdministrator):
        await people.administration.suspend([deed("ban", "root")], NOW, Measure.BAN)
    assert await people.measures.of("root") == [], "nothing of it was written"


async def test_sessions_are_narrow_or_none_while_somebody_is_suspended(people: Store) -> None:
    await people.sessions.add("wide", "wide", "bob", NOW)
    await people.administration.suspend([deed("suspend")], NOW)
    await people.sessions.add("late", "late", "bob", NOW)
    await people.sessions.add("narrow", "narrow", "bob", NOW, narrow=True)

    async def holding() -> set[str]:
        found = {hash: await people.sessions.by_token_hash(hash, NOW) for hash in ("wide", "late", "narrow")}
        return {hash for hash, session in found.items() if session is not None}

    assert await holding() == {"narrow"}
    await people.administration.restore(deed("restore"), NOW)
    assert await holding() == {"late"}
