"""Measures: silent before the answer, without the floor from then on, ended by themselves, and appealed against."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from parola.domain import rooms as r
from parola.domain.audit import Deed
from parola.domain.errors import NotSignedIn
from parola.domain.moderation import Decision, Measure
from parola.services import moderating as module
from parola.services.actor import AT_THE_MACHINE
from parola.services.caller import Caller
from parola.services.notifying import FakeMailboxes
from parola.store import Measured, Wanted
from tests.services.house import PASSWORD, House, opened, refusal_of
from tests.services.test_administering import administrator, deeds, speaking


class Times:
    """A wall clock and a monotonic one, which a test moves apart."""

    def __init__(self) -> None:
        self.wall = datetime.now(UTC).replace(microsecond=0)
        self.monotonic = 1000.0

    def pass_by(self, hours: float) -> None:
        self.wall += timedelta(hours=hours)
        self.monotonic += hours * 3600


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with opened(tmp_path) as house:
        yield house


@pytest.fixture
def times(house: House) -> Times:
    times = Times()
    house.services.moderating._now = house.services.administering._now = lambda: times.wall
    house.services.moderating._monotonic = lambda: times.monotonic
    return times


async def narrow(house: House, handle: str) -> Caller:
    """Somebody suspended, signed in anew."""
    signed_in = await house.services.sessions.sign_in(handle, PASSWORD)
    return await house.services.sessions.authenticate(signed_in.token)


async def newest(house: House, who: Caller) -> Measured:
    return (await house.services.moderating.notices(who))[0]


async def test_a_warning_is_a_notice_and_nothing_else(house: House) -> None:
    root = await administrator(house, "root")
    room_id = await speaking(house)
    await house.services.moderating.act(root, "bob", Measure.WARN, "mind your words")
    bob = await house.caller("bob")
    notice = await newest(house, bob)
    assert (notice.kind, notice.reason, notice.seen_at, notice.holds) == (
        Measure.WARN,
        "mind your words",
        None,
        False,
    )
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert room.may_be_heard(bob.account_id or "")
    await house.services.moderating.see(bob, notice.id)
    assert (await newest(house, bob)).seen_at is not None
    assert (
        await refusal_of(house.services.moderating.see(await house.caller("ada"), notice.id)) == "not_found"
    )


async def test_who_is_removed_is_out_of_all_rooms_and_has_no_floor_anywhere(
    house: House, times: Times
) -> None:
    room_id = await speaking(house)
    root = await administrator(house, "root")
    bob = await house.caller("bob")
    bobs = bob.account_id or ""
    own = await house.services.rooms.open(bob, "Bob's", "open", None, None)
    await house.services.moderating.act(
        root, "bob", Measure.REMOVE, "shouts", times.wall + timedelta(hours=2)
    )
    room, ended = await house.store.rooms.load(room_id), await house.store.rooms.load(own.id)
    assert room is not None
    assert ended is not None
    assert bobs in room.removed
    assert house.media.settled[-1].seq == room.seq, "the owner has confirmed it"
    assert ended.state is r.Lifecycle.ENDED
    ada = await house.caller("ada")
    rooms = house.services.rooms
    other = await rooms.open(ada, "Another", "open", None, None)
    assert await refusal_of(rooms.command(bob, other.id, r.RaiseHand)) == "no_floor"
    assert await refusal_of(rooms.command(ada, other.id, lambda by: r.Grant(by, bobs))) == "no_floor"
    assert await refusal_of(rooms.open(bob, "Again", "open", None, None)) == "no_floor"
    assert (await house.services.gate.enter(bob, other.id)).id == other.id, "they may listen"
    times.pass_by(2.1)
    await house.services.moderating.look()
    await rooms.command(bob, other.id, r.RaiseHand)


async def test_a_floor_given_at_the_same_moment_is_found(house: House) -> None:
    """Whichever comes first: in the end nobody hears them."""
    root = await administrator(house, "root")
    ada, bob = await house.caller("ada"), await house.caller("bob")
    bobs = bob.account_id or ""
    rooms = [await house.services.rooms.open(ada, f"Room {n}", "open", None, None) for n in range(6)]
    for room in rooms:
        await house.services.rooms.command(bob, room.id, r.RaiseHand)

    async def grant(room: r.Room) -> str:
        return await refusal_of(house.services.rooms.command(ada, room.id, lambda by: r.Grant(by, bobs)))

    removing = house.services.moderating.act(root, "bob", Measure.REMOVE, "shouts")
    await asyncio.gather(*(grant(room) for room in rooms[:3]), removing, *(grant(room) for room in rooms[3:]))
    for room in rooms:
        after = await house.store.rooms.load(room.id)
        assert after is not None
        assert not after.may_be_heard(bobs)


async def test_a_suspension_ends_by_itself_and_no_wall_clock_ends_it_early(
    house: House, times: Times
) -> None:
    root = await administrator(house, "root")
    await house.caller("bob")
    await house.services.moderating.act(
        root, "bob", Measure.SUSPEND, "shouts", times.wall + timedelta(hours=2)
    )
    await house.services.moderating.look()
    times.wall += timedelta(hours=5)
    await house.services.moderating.look()
    assert (await narrow(house, "bob")).suspended is not None, "the wall clock alone has moved"
    times.wall -= timedelta(hours=8)
    times.monotonic += 2.1 * 3600
    await house.services.moderating.look()
    assert (await narrow(house, "bob")).member is not None
    assert (await deeds(house))[-1] == ("suspend_over", "")
    await house.services.moderating.look()
    assert [deed for deed, _ in await deeds(house)].count("suspend_over") == 1


async def test_a_ban_takes_the_place_of_a_suspension_and_has_no_end(house: House, times: Times) -> None:
    root = await administrator(house, "root")
    await house.caller("bob")
    act = house.services.moderating.act
    assert await refusal_of(act(root, "bob", Measure.BAN, "spam", times.wall + timedelta(1))) == "invalid"
    assert await refusal_of(act(root, "bob", Measure.SUSPEND, "spam", times.wall)) == "invalid"
    await act(root, "bob", Measure.SUSPEND, "spam", times.wall + timedelta(hours=1))
    await act(root, "bob", Measure.BAN, "spam again")
    times.pass_by(2)
    await house.services.moderating.look()
    bob = await narrow(house, "bob")
    assert bob.suspended is not None
    found = await house.services.moderating.notices(bob)
    assert {m.kind: m.holds for m in found} == {Measure.SUSPEND: False, Measure.BAN: True}
    await act(root, "bob", Measure.RESTORE, "a mistake")
    assert (await newest(house, await narrow(house, "bob"))).kind is Measure.RESTORE
    assert await refusal_of(act(root, "bob", Measure.RESTORE, "again")) == "nothing_holds"


async def test_the_suspended_read_and_appeal_and_somebody_else_decides(house: House) -> None:
    root, other = await administrator(house, "root"), await administrator(house, "other")
    await house.caller("bob")
    moderating = house.services.moderating
    await moderating.act(root, "bob", Measure.SUSPEND, "shouts")
    bob = await narrow(house, "bob")
    with pytest.raises(NotSignedIn):
        bob.signed_in()
    notice = await newest(house, bob)
    assert await refusal_of(moderating.appeal(bob, notice.id, "x" * 1001)) == "invalid"
    assert await refusal_of(moderating.appeal(bob, notice.id, " ")) == "invalid"
    assert await refusal_of(moderating.appeal(await house.caller("ada"), notice.id, "me")) == "not_found"
    tries = [refusal_of(moderating.appeal(bob, notice.id, "It was my brother.")) for _ in range(3)]
    assert sorted(await asyncio.gather(*tries)) == ["already_appealed", "already_appealed", "yes"]
    assert [m.id for m in await moderating.appeals(root)] == [notice.id]
    assert await refusal_of(moderating.decide(root, notice.id, Decision.LIFTED, "hm")) == "own_action"
    await moderating.decide(other, notice.id, Decision.LIFTED, "it was his brother")
    assert await refusal_of(moderating.decide(other, notice.id, Decision.UPHELD, "no")) == "not_waiting"
    free = await narrow(house, "bob")
    assert free.member is not None
    told = await newest(house, free)
    assert (told.decision, told.decided_why, told.seen_at) == (Decision.LIFTED, "it was his brother", None)


async def test_where_there_is_one_administrator_they_decide_themselves(house: House) -> None:
    root = await administrator(house, "root")
    bob = await house.caller("bob")
    moderating = house.services.moderating
    await moderating.act(root, "bob", Measure.WARN, "spam")
    notice = await newest(house, bob)
    await moderating.appeal(bob, notice.id, "no")
    await moderating.decide(root, notice.id, Decision.UPHELD, "yes")
    assert (await newest(house, bob)).decision is Decision.UPHELD
    assert await refusal_of(moderating.act(root, "root", Measure.WARN, "myself")) == "own_account"
    await moderating.act(AT_THE_MACHINE, "root", Measure.WARN, "from above")
    mine = await newest(house, await house.caller("root"))
    await moderating.appeal(await house.caller("root"), mine.id, "no")
    assert await refusal_of(moderating.decide(root, mine.id, Decision.LIFTED, "mine")) == "own_account"


async def test_of_two_administrators_the_one_who_acted_decides_where_the_other_appeals(house: House) -> None:
    root, _ = await administrator(house, "root"), await administrator(house, "other")
    moderating = house.services.moderating
    await moderating.act(root, "other", Measure.WARN, "spam")
    other = await house.caller("other")
    notice = await newest(house, other)
    await moderating.appeal(other, notice.id, "no")
    assert not await moderating.is_for_others(root, notice)
    await moderating.decide(root, notice.id, Decision.UPHELD, "yes")
    assert (await newest(house, other)).decision is Decision.UPHELD


async def test_what_was_decided_comes_by_mail_where_there_is_an_address(house: House) -> None:
    root = await administrator(house, "root")
    bob = await house.caller("bob")
    house.services.moderating._notifying.mailboxes = FakeMailboxes(
        **{bob.account_id or "": "bob@rooms.example"}
    )
    until = datetime(2030, 1, 2, 3, 4, tzinfo=UTC)
    await house.services.moderating.act(root, "bob", Measure.SUSPEND, "shouts", until)
    notice = await newest(house, await narrow(house, "bob"))
    await house.services.moderating.appeal(await narrow(house, "bob"), notice.id, "no")
    await house.services.moderating.decide(root, notice.id, Decision.LIFTED, "well then")
    written = await house.store.outbox.take(1 << 50, 1 << 51, 10)
    assert {letter.recipient for letter in written} == {"bob@rooms.example"}
    suspended, decided = sorted((letter.body for letter in written), key=lambda body: "well then" in body)
    assert "shouts" in suspended
    assert "2030-01-02 03:04" in suspended
    assert "appeal" in suspended
    assert "well then" in decided


async def test_other_terms_come_by_mail_and_the_same_once_more_does_not(house: House) -> None:
    root = await administrator(house, "root")
    bob = await house.caller("bob")
    house.services.moderating._notifying.mailboxes = FakeMailboxes(
        **{bob.account_id or "": "bob@rooms.example"}
    )
    act = house.services.moderating.act
    for measure, reason in ((Measure.SUSPEND, "shouts"), (Measure.BAN, "spam"), (Measure.BAN, "again")):
        await act(root, "bob", measure, reason)
    written = await house.store.outbox.take(1 << 50, 1 << 51, 10)
    assert ["shouts" in letter.body or "spam" in letter.body for letter in written] == [True, True]


async def test_a_host_keeps_somebody_out_of_all_rooms(house: House) -> None:
    room_id = await speaking(house)
    ada, bob = await house.caller("ada"), await house.caller("bob")
    bobs = bob.account_id or ""
    keeping = house.services.keeping_out
    later = await house.services.rooms.open(
        ada, "Later", "open", None, datetime.now(UTC) + timedelta(hours=1)
    )
    await keeping.keep_out(ada, "bob")
    for id in (room_id, later.id):
        room = await house.store.rooms.load(id)
        assert room is not None
        assert bobs in room.removed
        assert not room.has_floor(bobs)
    fresh = await house.services.rooms.open(ada, "Fresh", "open", None, None)
    assert await refusal_of(house.services.gate.enter(bob, fresh.id)) == "removed"
    listed = (await house.services.rooms.page(bob, Wanted(r.Lifecycle.LIVE), None, 50)).rooms
    assert fresh.id not in {one.id for one in listed}
    assert await house.store.rooms.removed_at(bobs) is not None
    assert [one.handle for one in (await keeping.list(ada, None, 10)).people] == ["bob"]
    assert await refusal_of(keeping.keep_out(ada, "ada")) == "invalid"
    await keeping.let_back(ada, "bob")
    assert (await house.services.gate.enter(bob, fresh.id)).id == fresh.id
    assert await refusal_of(keeping.let_back(ada, "bob")) == "not_found"


async def test_a_new_room_of_the_same_host_does_not_begin_the_cooling_off_anew(house: House) -> None:
    await house.caller("bob")
    ada, bobs = await house.caller("ada"), (await house.caller("bob")).account_id or ""
    await house.services.keeping_out.keep_out(ada, "bob")
    await house.services.rooms.open(ada, "A room", "open", None, None)
    assert await house.store.rooms.removed_at(bobs) is None


async def test_blocked_words_are_refused_in_titles_and_names(house: House) -> None:
    root = await administrator(house, "root")
    ada = await house.caller("ada")
    words = house.services.words
    await words.add(root, "Idiot")
    await words.add(root, "1d10t")
    assert [one.word for one in await words.list(root)] == ["Idiot"], "one that looks the same is the same"
    rooms, people, sessions = house.services.rooms, house.services.people, house.services.sessions
    assert await refusal_of(rooms.open(ada, "You i.d.i.o.t!", "open", None, None)) == "word_blocked"
    assert await refusal_of(people.update(ada, "Ídiot", None, None, None)) == "word_blocked"
    assert await refusal_of(sessions.sign_up("an_idiot", "Ann", PASSWORD, None)) == "word_blocked"
    assert await refusal_of(sessions.sign_up("ann", "An Idiot", PASSWORD, None)) == "word_blocked"
    assert (await rooms.open(ada, "Idiotic", "open", None, None)).title == "Idiotic"
    await words.remove(root, "idiot")
    assert await refusal_of(words.remove(root, "idiot")) == "not_found"
    assert (await rooms.open(ada, "You idiot", "open", None, None)).title == "You idiot"
    assert [deed for deed, _ in await deeds(house)][-2:] == ["block", "allow"]


async def test_who_is_still_heard_when_a_process_dies_is_silenced_by_the_next_look(house: House) -> None:
    root = await administrator(house, "root")
    room_id, bob = await speaking(house), (await house.caller("bob")).account_id or ""
    await house.services.moderating.look()
    deed = Deed(root.id, "remove", "account", bob, "shouts")
    await house.store.measures.silence(deed, None, None, datetime.now(UTC))
    await house.services.moderating.look()
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert not room.may_be_heard(bob)
    assert bob in room.removed


async def test_who_is_suspended_at_the_moment_of_a_process_death_is_silenced_too(house: House) -> None:
    root = await administrator(house, "root")
    room_id, bob = await speaking(house), (await house.caller("bob")).account_id or ""
    deed = Deed(root.id, "suspend", "account", bob, "shouts")
    await house.store.administration.suspend([deed], datetime.now(UTC))
    await house.services.moderating.look()
    room = await house.store.rooms.load(room_id)
    assert room is not None
    assert not room.may_be_heard(bob)
    ada = await house.caller("ada")
    giving = house.services.rooms.command(ada, room_id, lambda by: r.Grant(by, bob))
    assert await refusal_of(giving) == "no_floor"


async def wanting(house: House) -> tuple[r.Room, str, str]:
    """A live room of ada's in which first bob and then cleo raise their hands; and the ids of the two."""
    room = await house.services.rooms.open(await house.caller("ada"), "A room", "open", None, None)
    callers = [await house.caller(handle) for handle in ("bob", "cleo")]
    for caller in callers:
        room = (await house.services.rooms.command(caller, room.id, r.RaiseHand)).room
    bob, cleo = (str(caller.account_id) for caller in callers)
    return room, bob, cleo


async def barred(house: House, who: str, measure: Measure, at: datetime | None = None) -> None:
    """By a process that died before it came to the rooms."""
    deed, at = Deed("root", measure.value, "account", who, "shouts"), at or datetime.now(UTC)
    if measure is Measure.REMOVE:
        await house.store.measures.silence(deed, None, None, at)
    else:
        await house.store.administration.suspend([deed], at, measure)


LEFT_BEHIND = pytest.mark.parametrize("measure", [Measure.REMOVE, Measure.SUSPEND])


@LEFT_BEHIND
async def test_hands_and_offers_that_a_process_death_left_are_taken_too(
    house: House, measure: Measure
) -> None:
    room, bob, cleo = await wanting(house)
    rooms, ada = house.services.rooms, await house.caller("ada")
    await rooms.command(await house.caller("cleo"), room.id, r.LowerHand)
    await rooms.command(ada, room.id, lambda by: r.Grant(by, cleo))
    for who in (bob, cleo):
        await barred(house, who, measure)
    await house.services.moderating.look()
    after = await house.store.rooms.load(room.id)
    assert after is not None
    assert (after.hands, after.offers) == ((), ())
    assert after.removed == ({bob, cleo} if measure is Measure.REMOVE else set())


@LEFT_BEHIND
async def test_next_goes_on_to_the_hand_behind_one_that_may_have_no_floor(
    house: House, measure: Measure
) -> None:
    room, bob, cleo = await wanting(house)
    await barred(house, bob, measure)
    after = (await house.services.rooms.command(await house.caller("ada"), room.id, r.Next)).room
    assert after.has_floor(cleo)
    assert not after.has_hand(bob)
    assert (bob in after.removed) == (measure is Measure.REMOVE)


async def test_next_calls_nobody_else_up_in_the_place_of_whom_the_host_meant(house: House) -> None:
    room, bob, cleo = await wanting(house)
    await barred(house, bob, Measure.SUSPEND)
    meant = house.services.rooms.command(await house.caller("ada"), room.id, lambda by: r.Next(by, bob))
    assert await refusal_of(meant) == "not_next"
    after = await house.store.rooms.load(room.id)
    assert after is not None
    assert [hand.account for hand in after.hands] == [cleo]


async def test_a_room_whose_silence_nobody_confirms_keeps_no_other_from_its_own(
    house: House, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ROOMS_AT_ONCE", 1)
    ada = await house.caller("ada")
    others = [await house.services.rooms.open(ada, f"Room {n}", "open", None, None) for n in range(3)]
    for room in others:
        await house.services.rooms.command(await house.caller("cleo"), room.id, r.RaiseHand)
    newest = await speaking(house)
    for handle in ("bob", "cleo"):
        await barred(house, (await house.caller(handle)).account_id or "", Measure.SUSPEND, times.wall)
    house.media.deaf = True
    assert await refusal_of(house.services.moderating.look()) == "not_confirmed"
    for id in (newest, *(room.id for room in others)):
        after = await house.store.rooms.load(id)
        assert after is not None
        assert ([s.account for s in after.speakers], after.hands) == ([ada.account_id], ())


async def test_a_host_who_was_silenced_already_is_not_silenced_again(house: House) -> None:
    await speaking(house)
    ada = (await house.caller("ada")).account_id or ""
    await barred(house, ada, Measure.SUSPEND)
    await house.services.moderating.look()
    settled = len(house.media.settled)
    assert settled > 0
    await house.services.moderating.look()
    assert len(house.media.settled) == settled


async def test_rooms_are_not_read_where_no_measure_is_new(
    house: House, times: Times, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, _ = await wanting(house)
    await barred(house, bob, Measure.SUSPEND, times.wall)
    await house.services.moderating.look()
    times.pass_by(1)
    await house.services.moderating.look()
    monkeypatch.setattr(house.store.rooms, "live", None)
    await house.services.moderating.look()
    await barred(house, bob, Measure.BAN, times.wall)
    with pytest.raises(TypeError):
        await house.services.moderating.look()
