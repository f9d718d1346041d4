"""The rules one by one: who may do what, and that every kind of event is folded as it should be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Conflict, Forbidden, Invalid, NotFound, Refusal
from parola.domain.people import parse_bio, parse_handle, parse_name, parse_password, parse_title
from parola.domain.rollout import Policies, Stage

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def room(access: r.Access = r.Access.OPEN, guests: bool = True, starts_at: datetime | None = None) -> r.Room:
    return r.fold(None, r.create("room", "host", "A room", access, guests, starts_at, NOW))


def after(start: r.Room, *commands: r.Command) -> r.Room:
    for command in commands:
        start = r.fold(start, r.decide(start, command, NOW))
    return start


def stage() -> r.Room:
    """Host, co-hosts cora and cleo, speaker sam, hand hanna, offered olga, removed remo, listener lia."""
    return after(
        room(),
        r.AddCohost("host", "cora"),
        r.AddCohost("host", "cleo"),
        r.RaiseHand("sam"),
        r.Grant("host", "sam"),
        r.RaiseHand("hanna"),
        r.Grant("host", "olga"),
        r.Remove("host", "remo"),
    )


ROLES = {"host": "host", "cohost": "cora", "speaker": "sam", "listener": "lia"}
_Y, _H, _M = "yes", "host_only", "moderator_only"

TABLE: list[tuple[str, type[r.Command], str | None, dict[str, str]]] = [
    ("grant a hand", r.Grant, "hanna", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("offer the floor", r.Grant, "lia", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("revoke a speaker", r.Revoke, "sam", {"host": _Y, "cohost": _Y, "speaker": _Y, "listener": _M}),
    ("revoke the host", r.Revoke, "host", {"host": "host_floor", "cohost": "not_above", "speaker": _M, "listener": _M}),
    ("withdraw an offer", r.Revoke, "olga", {"host": _Y, "cohost": _Y, "speaker": _M, "listener": _M}),
    ("mute a speaker", r.Mute, "sam", {"host": _Y, "cohost": _Y, "speaker": _Y, "listener": _M}),
    ("mute the host", r.Mute, "host", {"host": _Y, "cohost": "not_above", "speaker": _M, "listener": _M}),
    ("mute a listener", r.Mute, "lia", {
        "host": "not_speaking", "cohost": "not_speaking", "speaker": _M, "listener": "not_speaking"}),
    ("unmute another", r.Unmute, "host", {
        "host": _Y, "cohost": "speaker_only", "speaker": "speaker_only", "listener": "speaker_only"}),
    ("mute all", r.MuteAll, None, {"host": _Y, "cohost": _Y, "speaker": _M, "listener": _M}),
    ("dismiss a hand", r.DismissHand, "hanna", {"host": _Y, "cohost": _Y, "speaker": _M, "listener": _M}),
    ("remove a listener", r.Remove, "hanna", {"host": _Y, "cohost": _Y, "speaker": _M, "listener": _M}),
    ("remove a co-host", r.Remove, "cleo", {"host": _Y, "cohost": "not_above", "speaker": _M, "listener": _M}),
    ("remove the host", r.Remove, "host", {"host": "not_above", "cohost": "not_above", "speaker": _M, "listener": _M}),
    ("restore", r.Restore, "remo", {"host": _Y, "cohost": _Y, "speaker": _M, "listener": _M}),
    ("add a co-host", r.AddCohost, "sam", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("end co-hosting", r.RemoveCohost, "cleo", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("invite", r.Invite, "lia", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("uninvite", r.Uninvite, "lia", {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("raise a hand", r.RaiseHand, None, {"host": "has_floor", "cohost": _Y, "speaker": "has_floor", "listener": _Y}),
    ("lower a hand", r.LowerHand, None, {"host": _Y, "cohost": _Y, "speaker": _Y, "listener": _Y}),
    ("lock hands", r.LockHands, None, {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("unlock hands", r.UnlockHands, None, {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
    ("accept nothing", r.Accept, None, dict.fromkeys(ROLES, "nothing_offered")),
    ("decline nothing", r.Decline, None, dict.fromkeys(ROLES, "nothing_offered")),
    ("start again", r.Start, None, {"host": "not_scheduled", "cohost": _H, "speaker": _H, "listener": _H}),
    ("run out", r.RunOut, None, dict.fromkeys(ROLES, "house_only")),
    ("close", r.Close, None, dict.fromkeys(ROLES, "administration_only")),
    ("silence", r.Silence, "sam", dict.fromkeys(ROLES, "administration_only")),
    ("end", r.End, None, {"host": _Y, "cohost": _H, "speaker": _H, "listener": _H}),
]  # fmt: skip
CELLS = [
    pytest.param(kind, target, ROLES[role], outcome, id=f"{role}: {name}")
    for name, kind, target, outcomes in TABLE
    for role, outcome in outcomes.items()
]


@pytest.mark.parametrize(("kind", "target", "by", "outcome"), CELLS)
def test_who_may_do_what(kind: type[r.Command], target: str | None, by: str, outcome: str) -> None:
    command = kind(by) if target is None else kind(by, target)  # type: ignore[call-arg]
    try:
        r.decide(stage(), command, NOW)
        found = _Y
    except Refusal as refusal:
        found = refusal.code
    assert found == outcome


def test_the_table_names_every_command() -> None:
    named = {kind for _, kind, _, _ in TABLE}
    exported = [getattr(r, name) for name in r.__all__]
    there_are = {
        x for x in exported if isinstance(x, type) and issubclass(x, r.Command) and x is not r.Command
    }
    assert named == there_are


def test_the_administration_takes_a_voice_and_leaves_the_rest() -> None:
    by = r.ADMINISTRATION
    start = after(stage(), r.RaiseHand("olga"))
    quiet = after(
        start, *(r.Silence(by, person) for person in ("host", "cora", "sam", "hanna", "olga", "lia"))
    )
    assert not any(quiet.may_be_heard(person) for person in ("host", "sam", "olga", "hanna"))
    assert (quiet.hands, quiet.offers) == ((), ())
    assert quiet.has_floor("host"), "whose room it is"
    assert quiet.cohosts == start.cohosts
    assert quiet.state is r.Lifecycle.LIVE
    assert r.decide(quiet, r.Silence(by, "host"), NOW) == ()
    ended = after(quiet, r.Close(by))
    assert ended.state is r.Lifecycle.ENDED
    assert r.decide(ended, r.Silence(by, "host"), NOW) == ()
    with pytest.raises(Conflict):
        r.decide(ended, r.Close(by), NOW)


def test_a_removed_person_commands_nothing() -> None:
    for command in (r.RaiseHand("remo"), r.LowerHand("remo"), r.Accept("remo"), r.Mute("remo", "remo")):
        with pytest.raises(Forbidden) as refused:
            r.decide(stage(), command, NOW)
        assert refused.value.code == "removed"


def test_a_hand_that_is_granted_leaves_the_queue_and_starts_unmuted() -> None:
    granted = after(stage(), r.Grant("host", "hanna"))
    assert granted.speaker("hanna") == r.Speaker("hanna", muted=False)
    assert not granted.has_hand("hanna")


def test_an_offer_becomes_a_floor_only_by_its_yes() -> None:
    assert not stage().has_floor("olga")
    accepted = after(stage(), r.Accept("olga"))
    assert accepted.has_floor("olga")
    assert accepted.offers == ()
    declined = after(stage(), r.Decline("olga"))
    assert not declined.has_floor("olga")
    assert declined.offers == ()


def test_a_hand_raised_after_an_offer_is_granted_and_takes_the_offer_with_it() -> None:
    both = after(stage(), r.RaiseHand("olga"), r.Grant("host", "olga"))
    assert both.has_floor("olga")
    assert both.offers == ()
    assert not both.has_hand("olga")


def test_granting_somebody_who_was_removed_is_a_conflict() -> None:
    with pytest.raises(Conflict) as refused:
        r.decide(stage(), r.Grant("host", "remo"), NOW)
    assert refused.value.code == "is_removed"


def test_mute_all_spares_host_and_cohosts_and_the_silent() -> None:
    full = after(
        stage(), r.RaiseHand("cora"), r.Grant("host", "cora"), r.RaiseHand("lia"), r.Grant("host", "lia")
    )
    full = after(full, r.Mute("lia", "lia"))
    events = r.decide(full, r.MuteAll("cora"), NOW)
    assert [(type(e), e.account) for e in events if isinstance(e, r.SpeakerMuted)] == [
        (r.SpeakerMuted, "sam")
    ]
    assert len(events) == 1


def test_hands_keep_their_order_through_everything() -> None:
    queue = room()
    for i, name in enumerate(("a", "b", "c", "d")):
        queue = r.fold(queue, r.decide(queue, r.RaiseHand(name), NOW + timedelta(seconds=i)))
    queue = after(queue, r.DismissHand("host", "b"), r.Grant("host", "a"), r.RaiseHand("b"))
    assert [hand.account for hand in queue.hands] == ["c", "d", "b"]


def test_locked_hands_stay_up_and_no_other_goes_up() -> None:
    locked = after(stage(), r.LockHands("host"))
    assert locked.hands_locked
    assert locked.hands == stage().hands
    for who in ("lia", "cora", "olga"):
        with pytest.raises(Conflict) as refused:
            r.decide(locked, r.RaiseHand(who), NOW)
        assert refused.value.code == "hands_locked"
    assert r.decide(locked, r.RaiseHand("hanna"), NOW) == (), "it is up already"
    assert r.decide(locked, r.LockHands("host"), NOW) == ()
    assert after(locked, r.Grant("host", "hanna")).has_floor("hanna")
    lowered = after(locked, r.LowerHand("hanna"))
    with pytest.raises(Conflict):
        r.decide(lowered, r.RaiseHand("hanna"), NOW)
    assert after(lowered, r.UnlockHands("host"), r.RaiseHand("hanna")).has_hand("hanna")


def test_hands_are_locked_before_a_room_starts() -> None:
    started = after(room(starts_at=NOW + timedelta(days=1)), r.LockHands("host"), r.Start("host"))
    with pytest.raises(Conflict):
        r.decide(started, r.RaiseHand("lia"), NOW)


def test_a_room_written_before_hands_could_be_locked_is_read() -> None:
    written = r.encode_room(stage())
    del written["hands_locked"]
    assert r.decode_room(written) == stage()


def test_an_ended_room_takes_no_command() -> None:
    ended = after(stage(), r.End("host"))
    for command in (
        r.RaiseHand("lia"), r.Grant("host", "hanna"), r.Mute("host", "sam"), r.End("host"), r.Remove("host", "lia"),
        r.Restore("host", "remo"), r.AddCohost("host", "lia"), r.Invite("host", "lia"), r.MuteAll("host"),
        r.LockHands("host"), r.UnlockHands("host"),
    ):  # fmt: skip
        with pytest.raises(Conflict) as refused:
            r.decide(ended, command, NOW)
        assert refused.value.code == "not_live"
    assert not any(ended.may_be_heard(s.account) for s in ended.speakers)


def test_a_scheduled_room_can_be_prepared_and_started_once() -> None:
    planned = room(starts_at=NOW + timedelta(days=1))
    assert planned.state is r.Lifecycle.SCHEDULED
    with pytest.raises(Conflict):
        r.decide(planned, r.RaiseHand("lia"), NOW)
    prepared = after(planned, r.AddCohost("host", "cora"), r.Invite("host", "lia"), r.Remove("host", "remo"))
    started = after(prepared, r.Start("host"))
    assert started.state is r.Lifecycle.LIVE
    assert started.may_be_heard("host")
    with pytest.raises(Conflict):
        r.decide(started, r.Start("host"), NOW)


def test_taking_an_invitation_back_takes_what_it_carried() -> None:
    private = after(
        room(r.Access.INVITED), r.Invite("host", "sam"), r.RaiseHand("sam"), r.Grant("host", "sam"),
        r.AddCohost("host", "sam"),
    )  # fmt: skip
    events = r.decide(private, r.Uninvite("host", "sam"), NOW)
    assert [r.type_name(e) for e in events] == ["floor.revoked", "cohost.removed", "person.uninvited"]
    left = r.fold(private, events)
    assert not left.has_floor("sam")
    assert not left.is_moderator("sam")
    assert "sam" not in left.removed
    with pytest.raises(NotFound):
        r.check_entry(left, "sam", False)


def test_the_host_cannot_be_made_cohost() -> None:
    with pytest.raises(Invalid):
        r.decide(stage(), r.AddCohost("host", "host"), NOW)


@pytest.mark.parametrize(
    ("access", "guests", "account", "follows", "knows"),
    [
        (r.Access.OPEN, True, None, False, True),
        (r.Access.OPEN, False, None, False, False),
        (r.Access.OPEN, False, "lia", False, True),
        (r.Access.FOLLOWERS, True, None, False, False),
        (r.Access.FOLLOWERS, True, "lia", False, False),
        (r.Access.FOLLOWERS, True, "lia", True, True),
        (r.Access.FOLLOWERS, True, "host", False, True),
        (r.Access.FOLLOWERS, True, "ivo", False, True),
        (r.Access.INVITED, True, None, False, False),
        (r.Access.INVITED, True, "lia", True, False),
        (r.Access.INVITED, True, "ivo", False, True),
        (r.Access.INVITED, True, "host", False, True),
    ],
)
def test_who_may_know_of_a_room(
    access: r.Access, guests: bool, account: str | None, follows: bool, knows: bool
) -> None:
    private = after(room(access, guests), r.Invite("host", "ivo"))
    assert r.may_know(private, account, follows) is knows


def test_a_removed_person_is_told_so_only_where_they_may_know() -> None:
    with pytest.raises(Forbidden):
        r.check_entry(stage(), "remo", False)
    private = after(room(r.Access.INVITED), r.Remove("host", "remo"))
    with pytest.raises(NotFound):
        r.check_entry(private, "remo", False)


TERMS = r.Terms(3, Stage.PERCENT, Policies(speakers_at_most=3, minutes_at_most=5, access=("invited",)))


def _whole_history() -> list[r.Event]:
    """A history in which every kind of event occurs."""
    events = list(r.create("room", "host", "A room", r.Access.INVITED, True, NOW, NOW))
    current = r.fold(None, events)
    for command in (
        r.Invite("host", "ada"), r.Invite("host", "bob"), r.Start("host", TERMS), r.RunOut(r.HOUSE),
        r.LockHands("host"), r.UnlockHands("host"),
        r.RaiseHand("ada"), r.LowerHand("ada"),
        r.RaiseHand("ada"), r.Grant("host", "ada"), r.Mute("host", "ada"), r.Unmute("ada", "ada"),
        r.Grant("host", "bob"), r.Decline("bob"), r.Revoke("host", "ada"), r.AddCohost("host", "bob"),
        r.RemoveCohost("host", "bob"), r.Remove("host", "ada"), r.Restore("host", "ada"), r.Uninvite("host", "bob"),
        r.End("host"),
    ):  # fmt: skip
        new = r.decide(current, command, NOW)
        current = r.fold(current, new)
        events += new
    return events


def test_every_kind_of_event_converges_from_every_point() -> None:
    events = _whole_history()
    assert {type(e) for e in events} == r.EVENT_TYPES
    whole = r.fold(None, events)
    snapshot = None
    for i, event in enumerate(events):
        written = r.decode_room(r.encode_room(snapshot)) if snapshot is not None else None
        rest = [r.decode_event(r.encode_event(e)) for e in events[i:]]
        assert r.fold(written, rest) == whole
        snapshot = r.evolve(snapshot, event)


def test_a_gap_in_seq_is_a_bug() -> None:
    events = _whole_history()
    with pytest.raises(AssertionError):
        r.fold(r.fold(None, events[:3]), events[4:])


@pytest.mark.parametrize(
    "handle", ["me", "admin", "A", "Ada", "a", "a" * 31, "a-b", "à", "", "a b", "current"]
)
def test_what_no_handle_may_be(handle: str) -> None:
    with pytest.raises(Invalid):
        parse_handle(handle)


def test_names_and_titles_are_cleaned_and_bounded() -> None:
    assert parse_handle("ada_99") == "ada_99"
    assert parse_name("  Ada\tLovelace ".replace("\t", " ")) == "Ada Lovelace"
    assert parse_title("x" * 120) == "x" * 120
    assert parse_bio("two\nlines") == "two\nlines"
    for wrong in ("", "   ", "x" * 121, "a\x00b", "a\u202eb", "\ud800"):
        with pytest.raises(Invalid):
            parse_title(wrong)
    for wrong in ("short", "x" * 201, "\ud800" * 10):
        with pytest.raises(Invalid):
            parse_password(wrong)
