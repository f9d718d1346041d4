"""Hands with notes, `next`, turns, a stage that is full, offers that expire, slow hands; each clock is an argument."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Conflict, Invalid
from parola.domain.people import parse_note
from tests.domain.test_rooms import NOW, after, room, stage


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def refused(start: r.Room, command: r.Command, now: datetime = NOW) -> Conflict:
    with pytest.raises(Conflict) as refusal:
        r.decide(start, command, now)
    return refusal.value


def speakers(found: r.Room) -> list[str]:
    return [s.account for s in found.speakers]


def queue(*names: str) -> r.Room:
    return after(room(), *(r.RaiseHand(name) for name in names))


# Notes


def test_a_note_goes_up_with_a_hand_changes_and_goes_with_it() -> None:
    asked = after(room(), r.RaiseHand("lia", "why?"))
    assert asked.hands == (r.Hand("lia", NOW, "why?"),)
    events = r.decide(asked, r.RaiseHand("lia", "how?"), later(9))
    assert [r.type_name(e) for e in events] == ["hand.noted"]
    changed = r.fold(asked, events)
    assert changed.hands == (r.Hand("lia", NOW, "how?"),), "the place in the queue stays"
    assert r.decide(changed, r.RaiseHand("lia", "how?"), NOW) == ()
    assert r.decide(changed, r.RaiseHand("lia"), NOW) == (), "who says nothing of a note keeps it"
    assert after(changed, r.RaiseHand("lia", "")).hands[0].note == ""


def test_a_note_may_change_while_hands_are_locked() -> None:
    locked = after(room(), r.RaiseHand("lia"), r.LockHands("host"), r.RaiseHand("lia", "still?"))
    assert locked.hands[0].note == "still?"


def test_what_a_note_may_be() -> None:
    assert parse_note("  two\u0020 words ") == "two words"
    assert parse_note("") == ""
    assert len(parse_note("x" * 140)) == 140
    for wrong in ("x" * 141, "a\x00", "a\u202eb"):
        with pytest.raises(Invalid):
            parse_note(wrong)


# Next


def test_next_calls_up_one_after_the_other() -> None:
    first = after(queue("ada", "bob"), r.Next("host"))
    assert speakers(first) == ["host", "ada"]
    events = r.decide(first, r.Next("host"), NOW)
    assert [(r.type_name(e), e.account) for e in events if isinstance(e, r.FloorRevoked | r.FloorGranted)] == [
        ("floor.revoked", "ada"), ("floor.granted", "bob"),
    ]  # fmt: skip
    assert isinstance(events[0], r.FloorRevoked)
    assert events[0].reason == "next"
    second = r.fold(first, events)
    assert speakers(second) == ["host", "bob"]
    assert refused(second, r.Next("host")).code == "no_hands"
    assert speakers(second) == ["host", "bob"], "without a hand nobody goes"


def test_next_leaves_whom_the_host_granted_by_name_and_who_leads() -> None:
    mixed = after(queue("ada", "bob", "cora", "dora"), r.Grant("host", "bob"), r.Next("host"))
    assert speakers(mixed) == ["host", "bob", "ada"]
    led = after(mixed, r.AddCohost("host", "ada"), r.Next("host"), r.Next("host"))
    assert speakers(led) == ["host", "bob", "ada", "dora"]


def test_next_asked_twice_for_the_same_hand_calls_up_nobody_else() -> None:
    start = queue("ada", "bob")
    called = after(start, r.Next("host", "ada"))
    assert r.decide(called, r.Next("host", "ada"), NOW) == ()
    assert refused(start, r.Next("host", "bob")).code == "not_next"


# Turns


def with_turns() -> r.Room:
    return after(queue("ada"), r.SetTurns("host", 90, 120), r.Next("host"))


def test_a_turn_begins_with_the_floor_and_its_end_stands_in_the_event() -> None:
    start = after(queue("ada"), r.SetTurns("host", 90, 120))
    (granted,) = r.decide(start, r.Grant("host", "ada"), later(5))
    assert isinstance(granted, r.FloorGranted)
    assert (granted.soft_at, granted.hard_at) == (later(95), later(125))
    speaking = r.fold(start, [granted])
    assert speaking.speakers[1].turn == r.Turn(later(5), later(95), later(125))
    assert speaking.due_at == later(125)


def test_the_house_takes_the_floor_when_the_turn_is_over_and_once_only() -> None:
    speaking = with_turns()
    assert r.decide(speaking, r.Sweep(r.HOUSE), later(119.999)) == ()
    (revoked,) = r.decide(speaking, r.Sweep(r.HOUSE), later(120))
    assert revoked == r.FloorRevoked(
        seq=speaking.seq + 1, at=later(120), by=r.HOUSE, account="ada", reason="turn_over"
    )
    silent = r.fold(speaking, [revoked])
    assert not silent.may_be_heard("ada")
    assert r.decide(silent, r.Sweep(r.HOUSE), later(120)) == ()


def test_host_and_cohosts_have_no_turn_and_who_stops_leading_has_one() -> None:
    speaking = after(with_turns(), r.AddCohost("host", "ada"))
    assert [s.turn for s in speaking.speakers] == [None, None]
    assert r.decide(speaking, r.Sweep(r.HOUSE), later(1000)) == ()
    former = r.fold(speaking, r.decide(speaking, r.RemoveCohost("host", "ada"), later(1000)))
    assert former.due_at == later(1120)


def test_turns_begin_for_those_who_speak_already_and_can_be_lifted() -> None:
    start = after(queue("ada"), r.Grant("host", "ada"))
    assert start.due_at is None
    timed = r.fold(start, r.decide(start, r.SetTurns("host", 10, 60), later(30)))
    assert timed.due_at == later(90)
    assert r.decide(timed, r.SetTurns("host", 10, 60), later(40)) == ()
    longer = r.fold(timed, r.decide(timed, r.SetTurns("host", 10, 600), later(40)))
    assert longer.due_at == later(640)
    assert after(longer, r.LiftTurns("host")).due_at is None


@pytest.mark.parametrize(("soft_s", "hard_s"), [(0, 60), (61, 60), (5, 9), (5, 7201)])
def test_what_turns_may_not_be(soft_s: int, hard_s: int) -> None:
    with pytest.raises(Invalid):
        r.decide(room(), r.SetTurns("host", soft_s, hard_s), NOW)


def test_an_ended_room_has_nothing_due() -> None:
    ended = after(with_turns(), r.End("host"))
    assert ended.due_at is None
    assert r.decide(ended, r.Sweep(r.HOUSE), later(1000)) == ()


# The stage's capacity


def test_a_full_stage_takes_nobody() -> None:
    full = after(queue("ada", "bob"), r.SizeStage("host", 2), r.Grant("host", "ada"))
    for command in (r.Grant("host", "bob"), r.Grant("host", "cora")):
        assert refused(full, command).code == "stage_full"
    assert r.decide(full, r.Grant("host", "ada"), NOW) == (), "who has the floor has it"
    assert after(full, r.Revoke("host", "ada"), r.Grant("host", "bob")).has_floor("bob")


def test_next_takes_the_place_of_whom_it_takes_the_floor() -> None:
    full = after(queue("ada", "bob"), r.SizeStage("host", 2), r.Next("host"), r.Next("host"))
    assert speakers(full) == ["host", "bob"]


def test_an_offer_holds_a_place_while_it_is_open() -> None:
    offered = after(queue("ada"), r.SizeStage("host", 2), r.Grant("host", "olga"))
    assert refused(offered, r.Grant("host", "ada"), later(59)).code == "stage_full"
    assert after(offered, r.Accept("olga")).has_floor("olga")
    granted = r.fold(offered, r.decide(offered, r.Grant("host", "ada"), later(60)))
    assert granted.has_floor("ada")
    own = after(offered, r.RaiseHand("olga"), r.Grant("host", "olga"))
    assert own.has_floor("olga"), "the place that is held is their own"


def test_a_stage_made_smaller_takes_the_floor_from_nobody() -> None:
    small = after(stage(), r.SizeStage("host", 1))
    assert speakers(small) == speakers(stage())
    assert refused(small, r.Accept("olga")).code == "stage_full"
    with pytest.raises(Invalid):
        r.decide(small, r.SizeStage("host", 0), NOW)


def test_a_room_is_made_with_a_capacity_and_an_old_one_has_no_bound() -> None:
    made = r.fold(None, r.create("room", "host", "A room", r.Access.OPEN, True, None, NOW, 7))
    assert made.capacity == 7
    assert room().capacity is None


# Offers


def test_an_offer_whose_time_is_over_cannot_be_accepted_though_nobody_has_swept() -> None:
    assert stage().due_at == later(60)
    assert after(stage(), r.Accept("olga")).has_floor("olga")
    assert refused(stage(), r.Accept("olga"), later(60)).code == "offer_expired"
    (swept,) = r.decide(stage(), r.Sweep(r.HOUSE), later(60))
    assert isinstance(swept, r.FloorDeclined)
    assert (swept.by, swept.reason) == (r.HOUSE, "expired")
    assert r.fold(stage(), [swept]).offers == ()


def test_an_offer_is_made_anew_once_it_has_expired() -> None:
    assert r.decide(stage(), r.Grant("host", "olga"), later(59)) == ()
    anew = r.fold(stage(), r.decide(stage(), r.Grant("host", "olga"), later(61)))
    assert anew.offers == (r.Offer("olga", later(121)),)
    assert r.decide(anew, r.Accept("olga"), later(100)) != ()


# Slow hands


def test_a_hand_rests_after_it_was_lowered_and_after_its_turn() -> None:
    slow = after(queue("ada", "bob"), r.SlowHands("host", 30), r.LowerHand("ada"), r.Grant("host", "bob"))
    slow = r.fold(slow, r.decide(slow, r.Revoke("bob", "bob"), later(10)))
    refusal = refused(slow, r.RaiseHand("ada"), later(9.5))
    assert (refusal.code, refusal.retry_after_s) == ("slow_hands", 21)
    assert refused(slow, r.RaiseHand("bob"), later(39)).retry_after_s == 1
    assert r.decide(slow, r.RaiseHand("ada"), later(30)) != ()
    assert r.decide(slow, r.RaiseHand("lia"), later(1)) != (), "a first hand waits for nothing"


def test_hands_that_are_not_slow_any_more_go_up_at_once_and_cohosts_never_wait() -> None:
    slow = after(
        queue("ada", "cora"), r.AddCohost("host", "cora"), r.SlowHands("host", 30), r.LowerHand("ada"),
        r.LowerHand("cora"),
    )  # fmt: skip
    assert after(slow, r.RaiseHand("cora")).has_hand("cora")
    assert after(slow, r.UnslowHands("host"), r.RaiseHand("ada")).has_hand("ada")
    with pytest.raises(Invalid):
        r.decide(slow, r.SlowHands("host", 4), NOW)


def test_rests_that_are_over_are_forgotten() -> None:
    slow = after(room(), r.SlowHands("host", 30))
    for i in range(200):
        for command in (r.RaiseHand(f"p{i}"), r.LowerHand(f"p{i}")):
            slow = r.fold(slow, r.decide(slow, command, later(i)))
    assert len(slow.rests) == 30


# Old rooms


def test_a_room_written_before_all_this_is_read() -> None:
    written = r.encode_room(after(stage(), r.RaiseHand("lia")))
    for name in ("hands_pause_s", "rests", "turns", "capacity", "successor", "acting"):
        del written[name]
    written["speakers"] = [values[:2] for values in written["speakers"]]
    written["hands"] = [values[:2] for values in written["hands"]]
    written["offers"] = ["olga"]
    found = r.decode_room(written)
    assert found.offers == (r.Offer("olga"),)
    assert found.due_at is None, "an offer of then does not expire"
    assert after(found, r.Accept("olga")).has_floor("olga")
    assert [h.account for h in found.hands] == ["hanna", "lia"]


def test_events_written_before_all_this_are_read() -> None:
    start = stage()
    for event in (
        r.FloorGranted(seq=9, at=NOW, by="host", account="ada"), r.HandRaised(seq=9, at=NOW, by="ada", account="ada"),
        r.FloorOffered(seq=9, at=NOW, by="host", account="ada"), r.RoomEnded(seq=9, at=NOW, by="host"),
        r.CohostRemoved(seq=9, at=NOW, by="host", account="cora"),
    ):  # fmt: skip
        old = {k: v for k, v in r.encode_event(event).items() if k in ("type", "seq", "at", "by", "account")}
        assert r.decode_event(old) == event
    assert start.host == "host"
