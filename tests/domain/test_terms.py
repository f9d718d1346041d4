"""What the terms of its start mean for a room, to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parola.domain import rooms as r
from parola.domain.errors import Invalid, NotYet, Refusal
from parola.domain.rollout import (
    Measured,
    Plan,
    Policies,
    Stage,
    Standing,
    Thresholds,
    bucket_of,
    check_cooled,
    check_room,
    goes_further,
    next_step,
    percentile,
    stage_before,
    stage_of,
    why_not_hosting,
)

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def begun(policies: Policies, capacity: int | None = None) -> r.Room:
    terms = r.Terms(4, Stage.TESTERS, policies)
    return r.fold(
        None, r.create("room", "host", "A room", r.Access.OPEN, True, None, NOW, capacity, terms=terms)
    )


def after(room: r.Room, *commands: r.Command, at: datetime = NOW) -> r.Room:
    for command in commands:
        room = r.fold(room, r.decide(room, command, at))
    return room


def code_of(room: r.Room, command: r.Command) -> str:
    with pytest.raises(Refusal) as refused:
        r.decide(room, command, NOW)
    return refused.value.code


def test_the_stage_holds_as_many_as_the_terms_say_and_offers_hold_their_place() -> None:
    room = after(begun(Policies(speakers_at_most=3)), r.RaiseHand("ada"), r.Grant("host", "ada"))
    room = after(room, r.RaiseHand("bob"), r.Grant("host", "carla"))
    assert code_of(room, r.Grant("host", "bob")) == "stage_full"
    assert code_of(room, r.Grant("host", "dan")) == "stage_full"
    assert r.decide(room, r.Grant("host", "carla"), NOW) == ()
    room = after(room, r.Accept("carla"))
    assert code_of(room, r.Grant("host", "bob")) == "stage_full"
    room = after(room, r.Revoke("host", "ada"), r.Grant("host", "bob"))
    assert [s.account for s in room.speakers] == ["host", "carla", "bob"]


@pytest.mark.parametrize(("own", "wanted"), [(None, 3), (2, 2), (9, 3)])
def test_a_room_of_its_own_size_is_never_larger_than_the_terms(own: int | None, wanted: int) -> None:
    assert begun(Policies(speakers_at_most=3), own).capacity == wanted


def test_the_host_sizes_the_stage_within_the_terms() -> None:
    room = begun(Policies(speakers_at_most=3))
    assert after(room, r.SizeStage("host", 2)).capacity == 2
    with pytest.raises(Invalid):
        r.decide(room, r.SizeStage("host", 4), NOW)


def test_a_room_is_warned_five_minutes_before_its_time_is_over_and_ends_then() -> None:
    room = begun(Policies(minutes_at_most=30))
    out = r.RunOut(r.HOUSE)
    assert room.wakes_at == NOW + timedelta(minutes=25)
    assert r.decide(room, out, NOW + timedelta(minutes=24, seconds=59)) == ()
    at = NOW + timedelta(minutes=25)
    room = after(room, out, at=at)
    assert room.closing
    assert room.state is r.Lifecycle.LIVE
    assert r.decide(room, out, at) == (), "it is said once"
    (ended,) = r.decide(room, out, NOW + timedelta(minutes=30))
    assert isinstance(ended, r.RoomEnded)
    assert ended.reason == "time_over"
    assert r.fold(room, [ended]).wakes_at is None


def test_who_looks_late_ends_a_room_without_a_warning() -> None:
    (only,) = r.decide(begun(Policies(minutes_at_most=30)), r.RunOut(r.HOUSE), NOW + timedelta(hours=1))
    assert isinstance(only, r.RoomEnded)


def test_a_room_without_a_bound_in_time_never_wakes() -> None:
    room = begun(Policies())
    assert room.wakes_at is None
    assert r.decide(room, r.RunOut(r.HOUSE), NOW + timedelta(days=9)) == ()


def test_where_hands_are_no_part_of_the_trial_none_goes_up_and_the_host_cannot_change_it() -> None:
    room = begun(Policies(hands=False))
    assert code_of(room, r.RaiseHand("ada")) == "hands_locked"
    assert code_of(room, r.UnlockHands("host")) == "hands_off"


def test_a_scheduled_room_begins_under_the_terms_of_its_start() -> None:
    room = r.fold(None, r.create("room", "host", "A room", r.Access.OPEN, True, NOW, NOW))
    assert room.terms is None
    terms = r.Terms(7, Stage.EVERYONE, Policies(speakers_at_most=5))
    room = after(room, r.Start("host", terms))
    assert (room.terms, room.capacity) == (terms, 5)


def test_a_room_that_was_written_before_there_were_terms_is_read() -> None:
    data = r.encode_room(begun(Policies()))
    for name in ("terms", "capacity", "closing"):
        del data[name]
    room = r.decode_room(data)
    assert (room.terms, room.capacity, room.wakes_at) == (None, None, None)
    started = r.encode_event(r.RoomStarted(seq=2, at=NOW, by="host"))
    del started["terms"]
    assert r.decode_event(started) == r.RoomStarted(seq=2, at=NOW, by="host")


def test_policies_of_an_older_version_are_read_with_todays_defaults() -> None:
    assert Policies.from_json({"guests": False, "gone": 1}) == Policies(guests=False)


@pytest.mark.parametrize(
    ("plan", "because", "wanted"),
    [
        (Plan(Stage.OFF, testers=frozenset({"ada"})), "off", None),
        (Plan(Stage.EVERYONE, denied=frozenset({"ada"})), "denied", None),
        (Plan(Stage.TESTERS), "testers", None),
        (Plan(Stage.EVERYONE, thresholds=Thresholds(followers=600)), "followers", 600),
        (Plan(Stage.EVERYONE, thresholds=Thresholds(age_days=7)), "age", 5),
        (Plan(Stage.PERCENT, 0), "percent", None),
    ],
)
def test_a_no_says_what_would_change_it(plan: Plan, because: str, wanted: int | None) -> None:
    one = Standing("ada", 3, 2.5)
    assert stage_of(plan, "hosting", one) is None
    no = why_not_hosting(plan, one)
    assert (no.status, no.code, no.because, no.wanted) == (403, "not_yet_hosting", because, wanted)


@pytest.mark.parametrize(
    ("policies", "access", "guests", "because"),
    [
        (Policies(), "open", True, None),
        (Policies(access=("followers", "invited")), "open", False, "access"),
        (Policies(access=("followers", "invited")), "invited", False, None),
        (Policies(guests=False), "open", True, "guests"),
        (Policies(guests=False), "open", False, None),
    ],
)
def test_rooms_of_a_stage_are_of_the_kind_that_it_allows(
    policies: Policies, access: str, guests: bool, because: str | None
) -> None:
    if because is None:
        check_room(policies, access, guests)
        return
    with pytest.raises(NotYet) as refused:
        check_room(policies, access, guests)
    assert refused.value.because == because


def test_cooling_off_is_over_to_the_minute() -> None:
    policies = Policies(cooling_off_minutes=60)
    with pytest.raises(NotYet) as refused:
        check_cooled(policies, NOW - timedelta(minutes=59, seconds=30), NOW)
    assert (refused.value.because, refused.value.wanted) == ("cooling_off", 1)
    check_cooled(policies, NOW - timedelta(minutes=60), NOW)
    check_cooled(policies, None, NOW)
    check_cooled(Policies(), NOW, NOW)


def test_steps_lead_from_nobody_to_everyone_and_each_is_further_than_the_one_before() -> None:
    plan, seen = Plan(Stage.OFF), []
    for _ in range(7):
        following = next_step(plan)
        assert goes_further(plan, following) == (following != plan)
        assert not goes_further(following, plan)
        plan = following
        seen.append((plan.stage.value, plan.percent))
    assert seen[:5] == [("testers", 0), ("percent", 5), ("percent", 10), ("percent", 25), ("percent", 50)]
    assert [stage for stage, _ in seen[5:]] == ["everyone", "everyone"]


def test_going_back_is_one_stage_and_remembers_the_percentage() -> None:
    assert stage_before(Plan(Stage.EVERYONE, 50)) == Plan(Stage.PERCENT, 50)
    assert stage_before(Plan(Stage.PERCENT, 50)).stage is Stage.TESTERS
    assert stage_before(Plan(Stage.TESTERS)).stage is Stage.OFF
    assert stage_before(Plan(Stage.OFF)) == Plan(Stage.OFF)


def test_the_percentile_of_times_is_right_to_a_tenth() -> None:
    times = [*range(100, 1100, 10)]
    counts: dict[int, int] = {}
    for ms in times:
        counts[bucket_of(ms)] = counts.get(bucket_of(ms), 0) + 1
    found = percentile(counts, 0.95)
    assert found is not None
    assert 1040 <= found <= 1040 * 1.1
    assert percentile({}, 0.95) is None
    assert bucket_of(0) == bucket_of(20) == 0
    assert percentile({bucket_of(60_000): 1}, 0.95) is not None


def test_a_guard_watches_what_is_measured() -> None:
    assert Measured(failed_joins=1, joins=4).failed_join_part == 0.25
