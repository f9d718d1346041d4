"""Whom a plan lets in, what it may say, and when a guard trips."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.domain.errors import Invalid
from parola.domain.rollout import (
    Guard,
    Measured,
    Plan,
    Policies,
    Stage,
    Standing,
    Thresholds,
    judge,
    may_use,
    parse_plan,
    place,
    stage_of,
)

IDS = [f"account-{n}" for n in range(4000)]


def one(id: str = "ada", followers: int = 10, age_days: float = 30.0) -> Standing:
    return Standing(id, followers, age_days)


@pytest.mark.parametrize(
    ("stage", "named", "stranger"),
    [
        (Stage.OFF, None, None),
        (Stage.TESTERS, Stage.TESTERS, None),
        (Stage.PERCENT, Stage.TESTERS, None),
        (Stage.EVERYONE, Stage.TESTERS, Stage.EVERYONE),
    ],
)
def test_each_stage(stage: Stage, named: Stage | None, stranger: Stage | None) -> None:
    plan = Plan(stage, testers=frozenset({"ada"}), percent=0)
    assert stage_of(plan, "hosting", one("ada")) is named
    assert stage_of(plan, "hosting", one("bob")) is stranger


def test_who_is_denied_is_denied_in_every_stage_even_as_a_tester() -> None:
    for stage in Stage:
        plan = Plan(stage, 100, testers=frozenset({"ada"}), denied=frozenset({"ada"}))
        assert not may_use(plan, "hosting", one("ada"))


def test_thresholds_are_for_strangers_alone() -> None:
    plan = Plan(Stage.EVERYONE, testers=frozenset({"ada"}), thresholds=Thresholds(600, 7))
    assert may_use(plan, "hosting", one("ada", followers=0, age_days=0))
    assert not may_use(plan, "hosting", one("bob", followers=599, age_days=8))
    assert not may_use(plan, "hosting", one("bob", followers=600, age_days=6.9))
    assert may_use(plan, "hosting", one("bob", followers=600, age_days=7))


@pytest.mark.parametrize("percent", [0, 1, 10, 50, 99.5, 100])
def test_a_percentage_is_that_part_of_all_accounts(percent: float) -> None:
    plan = Plan(Stage.PERCENT, percent)
    let_in = sum(may_use(plan, "hosting", one(id)) for id in IDS)
    deviation = math.sqrt(len(IDS) * percent / 100 * (1 - percent / 100))
    assert abs(let_in - len(IDS) * percent / 100) <= 4 * deviation


def test_who_is_in_stays_in_as_the_trial_grows() -> None:
    before: set[str] = set()
    for plan in (
        Plan(Stage.PERCENT, 5),
        Plan(Stage.PERCENT, 10),
        Plan(Stage.PERCENT, 60),
        Plan(Stage.EVERYONE),
    ):
        now = {id for id in IDS if may_use(plan, "hosting", one(id))}
        assert before <= now
        before = now
    assert before == set(IDS)


def test_each_feature_is_tried_by_others() -> None:
    first = {id for id in IDS if place("hosting", id) < 1000}
    second = {id for id in IDS if place("recording", id) < 1000}
    assert len(first & second) < 0.2 * len(first)


def test_policies_are_those_of_the_stage_that_lets_one_in() -> None:
    strict = Policies(speakers_at_most=3, guests=False, access=("followers",))
    plan = Plan(Stage.EVERYONE, testers=frozenset({"ada"}), policies={Stage.TESTERS: strict})
    assert plan.policies_of(Stage.TESTERS) == strict
    assert plan.policies_of(Stage.EVERYONE) == Policies()


guards = st.builds(
    Guard,
    figure=st.sampled_from(["reports_per_1000_hours", "failed_join_part", "liked"]),
    bound=st.floats(0, 1e6),
    side=st.sampled_from(["most", "least"]),
    action=st.sampled_from(["warn", "stop"]),
    enough=st.floats(0, 1e6),
)
plans = st.builds(
    Plan,
    stage=st.sampled_from(Stage),
    percent=st.floats(0, 100),
    testers=st.frozensets(st.text(max_size=5), max_size=3),
    denied=st.frozensets(st.text(max_size=5), max_size=3),
    thresholds=st.builds(Thresholds, followers=st.integers(0, 10**6), age_days=st.integers(0, 10**6)),
    policies=st.dictionaries(
        st.sampled_from(Stage),
        st.builds(Policies, speakers_at_most=st.integers(1, 100), guests=st.booleans()),
    ),
    guards=st.lists(guards, max_size=3).map(tuple),
)


@given(plans)
def test_a_plan_comes_back_from_json_as_it_was(plan: Plan) -> None:
    assert parse_plan(json.loads(json.dumps(plan.to_json()))) == plan


@pytest.mark.parametrize(
    ("given_", "field"),
    [
        ({"stage": "soon"}, "stage"),
        ({"percent": 101}, "percent"),
        ({"percent": True}, "percent"),
        ({"percent": float("nan")}, "percent"),
        ({"testers": "ada"}, "testers"),
        ({"testers": [1]}, "testers"),
        ({"thresholds": {"followers": -1}}, "thresholds.followers"),
        ({"thresholds": {"followers": True}}, "thresholds.followers"),
        ({"thresholds": []}, "thresholds"),
        ({"policies": {"testers": {"guests": 1}}}, "policies.testers.guests"),
        ({"policies": {"soon": {}}}, "policies.soon"),
        ({"policies": {"testers": {"access": ["secret"]}}}, "policies.testers.access"),
        ({"policies": {"testers": {"speakers_at_most": 0}}}, "policies.testers.speakers_at_most"),
        ({"policies": {"testers": {"colour": 1}}}, "policies.testers.colour"),
        ({"guards": [{"figure": "colour", "bound": 1}]}, "guards.0"),
        ({"guards": [{"figure": "liked"}]}, "guards.0"),
        ({"guards": {}}, "guards"),
        ({"colour": 1}, "colour"),
    ],
)
def test_what_a_plan_may_not_say_is_named(given_: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_plan(given_)
    assert [error.field for error in refused.value.errors] == [field]


def test_a_guard_trips_beyond_its_bound_and_not_before_there_is_enough() -> None:
    most = Guard("reports_per_1000_hours", 2.0)
    least = Guard("liked", 0.5, "least", "warn")
    few = Measured(listening_minutes=59, reports=5, liked=0.1)
    assert judge([most, least], few) == []
    fine = Measured(listening_minutes=60_000, reports=2, liked=0.5)
    assert judge([most, least], fine) == []
    bad = Measured(listening_minutes=60_000, reports=3, liked=0.4)
    assert [(b.guard, b.measured, b.stops) for b in judge([most, least], bad)] == [
        (most, 3.0, True),
        (least, 0.4, False),
    ]


def test_what_was_not_measured_trips_nothing() -> None:
    nothing = Measured(listening_minutes=100)
    assert judge([Guard("liked", 0.5, "least"), Guard("failed_join_part", 0.0)], nothing) == []
