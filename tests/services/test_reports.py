"""Reports: who may say what of whom, one for each thing, one administrator at a time, and what is sealed meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from parola.bus import subjects
from parola.bus.messages import PresenceChanged
from parola.domain import rooms as r
from parola.domain.moderation import Measure, Reason
from parola.services import clock
from parola.services.actor import Actor
from parola.services.reports import HELD_FOR, FakeEvidence, Reports
from parola.store import DISMISSED, Said
from tests.services.house import MEDIA, House, always, opened, refusal_of
from tests.services.test_administering import administrator, deeds, speaking


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        house.services.reports.evidence = FakeEvidence()
        yield house


def evidence(house: House) -> FakeEvidence:
    found = house.services.reports.evidence
    assert isinstance(found, FakeEvidence)
    return found


async def reports(
    house: House,
    by: str,
    handle: str | None = None,
    room: str | None = None,
    at_ms: int | None = None,
    reason: Reason = Reason.SPAM,
    text: str = "",
) -> Said:
    return await house.services.reports.file(
        await house.caller(by), handle, room, at_ms, reason, text, always
    )


async def queue(house: House, root: Actor, closed: bool = False) -> list[str]:
    return [one.id for one in (await house.services.reports.queue(root, closed, None, 50)).reports]


async def test_one_thing_is_one_report_and_one_reporter_one_voice(house: House) -> None:
    await house.caller("mallory")
    first = await reports(house, "bob", "mallory", text="insults me")
    again = await reports(house, "bob", "mallory", reason=Reason.HATE, text="and my family")
    other = await reports(house, "carla", "mallory")
    assert first.report.id == again.report.id == other.report.id
    assert (again.voice.id, again.voice.text, again.voice.reason) == (
        first.voice.id,
        "insults me\n\nand my family",
        Reason.HATE,
    )
    assert other.report.voices == 2
    assert (await reports(house, "bob", "carla")).report.id != first.report.id


async def test_many_at_once_are_one_report(house: House) -> None:
    people = [f"person{n}" for n in range(6)]
    for handle in ("mallory", *people):
        await house.caller(handle)
    said = await asyncio.gather(*(reports(house, handle, "mallory") for handle in people))
    assert len({one.report.id for one in said}) == 1
    report = await house.store.reports.load(said[0].report.id)
    assert report is not None
    assert report.voices == 6


async def test_all_are_counted_and_the_newest_are_read(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("parola.services.reports._MOST_VOICES", 2)
    root = await administrator(house, "root")
    await house.caller("mallory")
    for handle, reason in (("bob", Reason.SPAM), ("carla", Reason.HATE), ("dora", Reason.SPAM)):
        said = await reports(house, handle, "mallory", reason=reason, text=handle)
    desk = house.services.reports
    case = await desk.show(root, said.report.id)
    assert case.report.voices == 3
    assert [told.voice.text for told in case.told] == ["carla", "dora"]
    assert await desk.reasons(root, [case.report]) == {case.report.id: {Reason.SPAM: 2, Reason.HATE: 1}}


async def test_what_cannot_be_reported(house: House) -> None:
    room = await speaking(house)
    assert await refusal_of(reports(house, "bob")) == "invalid"
    assert await refusal_of(reports(house, "bob", "bob")) == "invalid"
    assert await refusal_of(reports(house, "ada", room=room)) == "invalid", "the host's own"
    assert await refusal_of(reports(house, "bob", "nobody")) == "not_found"
    assert await refusal_of(reports(house, "bob", "ada", at_ms=5)) == "invalid"
    assert await refusal_of(reports(house, "bob", room=room, at_ms=-1)) == "invalid"
    assert await refusal_of(reports(house, "bob", room=room, text="x" * 1001)) == "invalid"
    guest = await house.services.sessions.authenticate("no token")
    asked = house.services.reports.file(guest, None, room, None, Reason.SPAM, "", always)
    assert await refusal_of(asked) == "not_signed_in"


async def test_a_room_that_one_may_not_know_cannot_be_reported_and_one_that_removed_one_can(
    house: House,
) -> None:
    ada, bob = await house.caller("ada"), await house.caller("bob")
    rooms = house.services.rooms
    hidden = await rooms.open(ada, "Secret", "invited", None, None)
    assert await refusal_of(reports(house, "bob", room=hidden.id)) == "not_found"
    assert await refusal_of(reports(house, "bob", "ada", room=hidden.id)) == "not_found"
    room = await rooms.open(ada, "A room", "open", None, None)
    await rooms.command(ada, room.id, lambda by: r.Remove(by, bob.account_id or ""))
    assert (await reports(house, "bob", room=room.id)).report.room_id == room.id
    await house.services.blocking.block(ada, "bob")
    assert await refusal_of(reports(house, "bob", room=room.id)) == "not_found"
    assert (await reports(house, "bob", "ada")).report.room_id is None, "who blocks is not out of reach"


async def test_the_gravest_and_the_most_reported_come_first(house: House) -> None:
    root = await administrator(house, "root")
    for handle in ("one", "two", "three"):
        await house.caller(handle)
    first = await reports(house, "bob", "one")
    second = await reports(house, "bob", "two")
    third = await reports(house, "bob", "three", reason=Reason.MINORS)
    assert await queue(house, root) == [third.report.id, first.report.id, second.report.id]
    await reports(house, "carla", "two")
    assert await queue(house, root) == [third.report.id, second.report.id, first.report.id]


async def test_two_administrators_do_not_deal_with_one_report(house: House) -> None:
    root, other = await administrator(house, "root"), await administrator(house, "other")
    await house.caller("mallory")
    id = (await reports(house, "bob", "mallory")).report.id
    desk = house.services.reports
    await desk.take(root, id)
    await desk.take(root, id)
    assert await refusal_of(desk.take(other, id)) == "taken"
    assert await refusal_of(desk.dismiss(other, id, "nothing")) == "taken"
    assert await refusal_of(desk.resolve(other, id, Measure.WARN, "spam")) == "taken"
    assert (
        await house.services.moderating.history(root, (await desk.show(root, id)).report.account_id)
    ) == []
    await desk.release(root, id)
    await desk.take(other, id)
    await desk.take(root, id, anyway=True)
    both = await asyncio.gather(
        refusal_of(desk.dismiss(root, id, "nothing")), refusal_of(desk.dismiss(other, id, "nothing"))
    )
    assert both[0] == "yes"
    assert both[1] in ("taken", "closed")
    assert await refusal_of(desk.take(other, id)) == "closed"
    assert (await queue(house, root), await queue(house, root, closed=True)) == ([], [id])
    assert (await deeds(house))[-1] == ("dismiss", "nothing")


async def test_a_report_is_resolved_with_a_measure_and_its_reporters_see_that(house: House) -> None:
    root = await administrator(house, "root")
    await house.caller("mallory")
    id = (await reports(house, "bob", "mallory")).report.id
    desk = house.services.reports
    assert await refusal_of(desk.resolve(root, id, Measure.WARN, " ")) == "invalid"
    await desk.resolve(root, id, Measure.WARN, "spam")
    (measure,) = (await desk.show(root, id)).measures
    assert (measure.kind, measure.reason, measure.report_id) == (Measure.WARN, "spam", id)
    (mine,) = (await desk.mine(await house.caller("bob"), None, 10)).said
    assert (mine.report.outcome, mine.report.closed_at is None) == ("warn", False)
    assert (await desk.mine(await house.caller("mallory"), None, 10)).said == ()
    assert [deed for deed, _ in await deeds(house)][-2:] == ["warn", "resolve"]
    again = await reports(house, "bob", "mallory")
    assert again.report.id != id, "what is closed stays closed"
    earlier = (await desk.show(root, again.report.id)).earlier
    assert [one.id for one in earlier] == [id]
    await desk.dismiss(root, again.report.id, "nothing new")
    assert (await desk.show(root, again.report.id)).report.outcome == DISMISSED


async def test_who_had_the_floor_at_the_moment_is_read_off_the_rooms_events(house: House) -> None:
    room_id = await speaking(house)
    ada, bob = await house.caller("ada"), await house.caller("bob")
    root = await administrator(house, "root")
    await reports(house, "carla", room=room_id, at_ms=10**9)  # a page whose clock is far ahead
    await reports(house, "dora", room=room_id, at_ms=0)
    bobs = bob.account_id or ""
    await house.services.rooms.command(ada, room_id, lambda by: r.Revoke(by, bobs))
    await house.services.rooms.command(ada, room_id, r.End)
    case = await house.services.reports.show(root, (await reports(house, "carla", room=room_id)).report.id)
    by_reporter = {told.voice.reporter: told for told in case.told}
    late, early = by_reporter[(await house.caller("carla")).account_id or ""], by_reporter[
        (await house.caller("dora")).account_id or ""
    ]  # fmt: skip
    assert set(late.floor) == {ada.account_id, bobs}
    assert early.floor == (ada.account_id,)
    assert late.voice.at_ms is not None
    assert late.voice.at_ms < 60_000


async def test_what_was_heard_is_sealed_while_the_report_is_open(house: House) -> None:
    root = await administrator(house, "root")
    room_id = await speaking(house)
    said = await reports(house, "bob", "ada", room=room_id)
    assert evidence(house).sealed == [(room_id, said.report.id)]
    await reports(house, "bob", "ada")
    assert len(evidence(house).sealed) == 1, "about no room"
    await house.services.rooms.command(await house.caller("ada"), room_id, r.End)
    await reports(house, "carla", room=room_id)
    assert len(evidence(house).sealed) == 2, "it has ended just now"
    late = Reports(
        house.store,
        house.services.gate,
        house.services.audience,
        house.services.people,
        house.services.moderating,
        evidence(house),
        lambda: clock.now() + HELD_FOR + timedelta(seconds=1),
    )
    await late.file(await house.caller("dora"), None, room_id, None, Reason.SPAM, "", always)
    assert len(evidence(house).sealed) == 2, "nothing is held any more"
    await house.services.reports.dismiss(root, said.report.id, "nothing")
    assert evidence(house).gone == [said.report.id]


async def test_a_room_is_sealed_for_who_was_in_it_and_not_once_for_everybody_there_is(house: House) -> None:
    room_id = await speaking(house)
    ada, rooms = await house.caller("ada"), house.services.rooms
    absent = [f"stranger{n}" for n in range(3)]
    for handle in (*absent, "carla", "dora", "eve"):
        await house.caller(handle)

    async def id_of(handle: str) -> str:
        return (await house.caller(handle)).account_id or ""

    # What a host does to somebody brings nobody into the room.
    target = await id_of(absent[0])
    for command in (r.Invite, r.AddCohost, r.Grant, r.Remove):
        await rooms.command(ada, room_id, lambda by, command=command: command(by, target))  # type: ignore[misc]
    for handle in absent:
        assert (await reports(house, "zoe", handle, room=room_id)).report.room_id == room_id
    assert evidence(house).sealed == []
    await rooms.command(await house.caller("carla"), room_id, r.RaiseHand)
    await rooms.command(await house.caller("carla"), room_id, r.LowerHand)
    came = PresenceChanged(MEDIA, room_id, 0, 1, [("c1", await id_of("dora"))], [], [])
    await house.bus.publish(subjects.PRESENCE, came.to_bytes())
    await house.bus.drained()
    bobs = await id_of("bob")
    await rooms.command(ada, room_id, lambda by: r.Remove(by, bobs))
    heard = [
        (await reports(house, "zoe", handle, room=room_id)).report
        for handle in ("ada", "bob", "carla", "dora")
    ]
    assert evidence(house).sealed == [(room_id, report.id) for report in heard]


async def test_who_has_sealed_enough_still_reports(house: House) -> None:
    room_id = await speaking(house)
    filed = await house.services.reports.file(
        await house.caller("carla"), "bob", room_id, None, Reason.SPAM, "", lambda: False
    )
    assert await house.store.reports.load(filed.report.id) is not None
    assert evidence(house).sealed == []


async def test_evidence_never_fails_a_report(house: House) -> None:
    root = await administrator(house, "root")
    room_id = await speaking(house)
    evidence(house).fails = True
    said = await reports(house, "bob", "ada", room=room_id)
    await house.services.reports.dismiss(root, said.report.id, "nothing")
    assert await queue(house, root) == []


async def test_a_silence_that_nobody_confirms_closes_the_report_and_is_said(house: House) -> None:
    room_id = await speaking(house)
    root = await administrator(house, "root")
    id = (await reports(house, "carla", "bob", room=room_id)).report.id
    house.media.deaf = True
    asked = house.services.reports.resolve(root, id, Measure.REMOVE, "shouts")
    assert await refusal_of(asked) == "not_confirmed"
    assert await queue(house, root, closed=True) == [id]
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert not room.may_be_heard((await house.caller("bob")).account_id or "")


async def test_who_administers_and_is_reported_does_not_learn_by_whom_and_decides_nothing(
    house: House,
) -> None:
    root = await administrator(house, "root")
    said = await reports(house, "bob", "root")
    here = house.services.reports
    assert await queue(house, root) == [said.report.id], "the only administrator there is"
    other = await administrator(house, "other")
    assert (await queue(house, root), await here.open_count(root)) == ([], 0)
    assert (await queue(house, other), await here.open_count(other)) == ([said.report.id], 1)
    for asked in (
        here.show(root, said.report.id),
        here.take(root, said.report.id),
        here.release(root, said.report.id),
        here.dismiss(root, said.report.id, "no"),
        here.resolve(root, said.report.id, Measure.WARN, "no"),
        house.services.evidence.about(root, said.report.id),
        house.services.evidence.listen(root, said.report.id, "to know"),
        house.services.evidence.redeem(root, said.report.id, "ticket"),
        house.services.administering.restore(root, "root", "I was right"),
    ):
        assert await refusal_of(asked) == "own_account"
    await here.dismiss(other, said.report.id, "nothing in it")


async def test_without_a_reason_nothing_is_resolved_nor_taken(house: House) -> None:
    root = await administrator(house, "root")
    await house.caller("mallory")
    said = await reports(house, "bob", "mallory")
    resolving = house.services.reports.resolve(root, said.report.id, Measure.WARN, " ")
    assert await refusal_of(resolving) == "invalid"
    report = await house.store.reports.load(said.report.id)
    assert report is not None
    assert report.taken_by is None
