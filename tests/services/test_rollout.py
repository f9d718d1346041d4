"""Who may open rooms as a trial goes on, and what running rooms notice of it: nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from parola.domain import rooms as r
from parola.domain.errors import NotYet
from parola.domain.rollout import Plan, Stage, place
from parola.services.actor import AT_THE_MACHINE
from parola.services.rollout import FRESH_S, Current, PlanProvider
from parola.store import StoreUnavailable
from tests.services.house import refusal_of
from tests.services.trial import BEGIN, Trial, opened


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    async with opened(tmp_path) as trial:
        yield trial


async def because(trial: Trial, handle: str, web: int = 0, **more: object) -> str:
    """Why somebody may not open a room; "" where they may."""
    try:
        await trial.opens(handle, web, **more)
    except NotYet as no:
        return no.because
    return ""


async def test_without_any_plan_everybody_opens_rooms(trial: Trial) -> None:
    room = await trial.opens("ada")
    assert room.terms is not None
    assert (room.terms.version, room.terms.stage) == (0, Stage.EVERYONE)


@pytest.mark.parametrize(
    ("hosting", "answer"),
    [("off", "off"), ("testers", "testers"), ("percent:0", "percent"), ("percent:100", "")],
)
async def test_the_settings_say_how_it_begins(tmp_path: Path, hosting: str, answer: str) -> None:
    async with opened(tmp_path, 1, hosting=hosting) as trial:
        assert await because(trial, "ada") == answer


async def test_each_stage_lets_in_whom_it_names(trial: Trial) -> None:
    for handle in ("ada", "bob", "eve"):
        await trial.caller(handle)
    named = {"testers": ["ada"], "denied": ["eve"]}
    for stage, answers in {
        "off": ("off", "off", "off"),
        "testers": ("", "testers", "denied"),
        "everyone": ("", "", "denied"),
    }.items():
        await trial.plans(stage=stage, **named)
        assert tuple([await because(trial, handle) for handle in ("ada", "bob", "eve")]) == answers


async def test_a_percentage_is_the_same_people_whichever_process_is_asked(trial: Trial) -> None:
    await trial.plans(stage="percent", percent=50)
    for handle in [f"member{n}" for n in range(12)]:
        wanted = "" if place("hosting", handle) < 5000 else "percent"
        assert [await because(trial, handle, web) for web in (0, 1, 0)] == [wanted] * 3


async def test_thresholds_count_followers_and_days(trial: Trial) -> None:
    await trial.plans(stage="everyone", thresholds={"followers": 1, "age_days": 7})
    assert await because(trial, "ada") == "followers"
    await trial.caller("fan")
    await trial.store.relations.follow("fan", "ada", 1)
    assert await because(trial, "ada") == "age"
    trial.clock.pass_by(7 * 86400)
    assert await because(trial, "ada") == ""


async def test_a_change_takes_effect_at_once_by_the_bus_and_within_two_seconds_without_it(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await because(trial, "ada", 1) == ""
    await trial.plans(stage="off")
    assert await because(trial, "ada", 1) == "off"
    monkeypatch.setattr(trial.bus, "publish", _nobody_hears)
    await trial.plans(stage="everyone")
    assert await because(trial, "ada", 1) == "off"
    trial.clock.pass_by(FRESH_S + 0.1)
    assert await because(trial, "ada", 1) == ""


async def _nobody_hears(*_: object) -> None:
    """A message that is lost."""


async def test_the_last_plan_goes_on_while_the_database_is_away_and_without_one_nothing_opens(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    await trial.plans(stage="testers", testers=[])
    rollout = trial.webs[0].rollout
    monkeypatch.setattr(trial.store.rollouts, "latest", _away)
    trial.clock.pass_by(60)
    assert (await rollout.current("hosting")).plan.stage is Stage.TESTERS
    rollout._known.clear()
    rollout._read_at.clear()
    assert await refusal_of(trial.opens("ada")) == "store_away"


async def _away(*_: object) -> None:
    raise StoreUnavailable("away")


async def test_running_rooms_go_on_under_the_terms_that_they_began_with(trial: Trial) -> None:
    for handle in ("ada", "bob", "carla", "dan"):
        await trial.caller(handle)
    stages = {"testers": {"speakers_at_most": 3, "minutes_at_most": 60}}
    await trial.plans(stage="testers", testers=["ada"], policies=stages)
    room = await trial.opens("ada")
    await trial.plans(stage="off", policies={"testers": {"speakers_at_most": 1, "minutes_at_most": 1}})
    assert await because(trial, "ada") == "off"
    rooms, ada = trial.webs[1].rooms, await trial.caller("ada")
    for handle in ("bob", "carla"):
        await rooms.command(await trial.caller(handle), room.id, r.RaiseHand)
        await rooms.command(ada, room.id, lambda by, handle=handle: r.Grant(by, handle))
    full = rooms.command(ada, room.id, lambda by: r.Grant(by, "dan"))
    assert await refusal_of(full) == "stage_full"
    trial.clock.pass_by(54 * 60)
    await trial.webs[0].closing.look()
    now = await trial.store.rooms.load(room.id)
    assert now is not None
    assert (now.state, now.closing) == (r.Lifecycle.LIVE, False)


async def test_a_room_is_warned_and_ended_once_however_many_processes_look(trial: Trial) -> None:
    await trial.plans(stage="everyone", policies={"everyone": {"minutes_at_most": 30}})
    room = await trial.opens("ada")
    for minutes in (25, 5):
        trial.clock.pass_by(minutes * 60)
        for web in trial.webs:
            await web.closing.look()
    events = await trial.store.rooms.events_after(room.id, 2)
    assert [r.type_name(event) for event in events] == ["room.closing", "room.ended"]
    assert events[0] == r.RoomClosing(
        seq=3, at=BEGIN + timedelta(minutes=25), by="", ends_at=BEGIN + timedelta(minutes=30)
    )
    assert await trial.store.rooms.awake(trial.clock.now) == []


async def test_a_stage_may_ask_for_rooms_of_one_kind_at_opening_and_at_the_start(trial: Trial) -> None:
    later = trial.clock.now + timedelta(hours=1)
    planned = await trial.opens("ada", starts_at=later)
    assert planned.terms is None
    policies = {"everyone": {"access": ["open"], "guests": False, "cooling_off_minutes": 60}}
    version = await trial.plans(stage="everyone", policies=policies)
    assert await because(trial, "ada", access="invited") == "access"
    assert await because(trial, "ada", guests=True) == "guests"
    assert not (await trial.opens("ada")).guests
    ada = await trial.caller("ada")
    with pytest.raises(NotYet) as refused:
        await trial.webs[0].rooms.start(ada, planned.id)
    assert refused.value.because == "guests"
    await trial.plans(stage="everyone")
    begun = (await trial.webs[0].rooms.start(ada, planned.id)).room
    assert begun.terms is not None
    assert begun.terms.version == version + 1
    assert await refusal_of(trial.webs[0].rooms.start(ada, planned.id)) == "not_scheduled"
    bob = await trial.caller("bob")
    assert await refusal_of(trial.webs[0].rooms.start(bob, planned.id)) == "host_only"


async def test_who_was_removed_cools_off_and_a_restoration_forgives(trial: Trial) -> None:
    await trial.plans(stage="everyone", policies={"everyone": {"cooling_off_minutes": 60}})
    room = await trial.opens("ada")
    ada = await trial.caller("ada")
    await trial.caller("bob")
    await trial.present(room.id, [("c1", "bob")])
    await trial.webs[0].rooms.command(ada, room.id, lambda by: r.Remove(by, "bob"))
    trial.clock.pass_by(59 * 60)
    assert await because(trial, "bob", 1) == "cooling_off"
    trial.clock.pass_by(60)
    assert await because(trial, "bob", 1) == ""
    await trial.webs[0].rooms.command(ada, room.id, lambda by: r.Restore(by, "bob"))
    await trial.webs[0].rooms.command(ada, room.id, lambda by: r.Remove(by, "bob"))
    assert await because(trial, "bob") == "cooling_off"
    await trial.webs[0].rooms.command(ada, room.id, lambda by: r.Restore(by, "bob"))
    assert await because(trial, "bob") == ""


async def test_nobody_cools_off_for_a_room_in_which_they_never_were_or_to_which_they_have_not_come_back(
    trial: Trial,
) -> None:
    await trial.plans(stage="everyone", policies={"everyone": {"cooling_off_minutes": 60}})
    room = await trial.opens("ada")
    ada, bob = await trial.caller("ada"), await trial.caller("bob")
    rooms = trial.webs[0].rooms

    async def remove(again: bool = False) -> None:
        if again:
            await rooms.command(ada, room.id, lambda by: r.Restore(by, "bob"))
        await rooms.command(ada, room.id, lambda by: r.Remove(by, "bob"))

    await remove()
    assert await because(trial, "bob") == "", "who was never there"
    await rooms.command(ada, room.id, lambda by: r.Restore(by, "bob"))
    await rooms.command(bob, room.id, r.RaiseHand)
    await remove()
    trial.clock.pass_by(59 * 60)
    await remove(again=True)
    assert await because(trial, "bob") == "cooling_off"
    trial.clock.pass_by(60)
    assert await because(trial, "bob") == "", "as long as the first time would have it"
    await trial.present(room.id, [("c1", "bob")])
    await remove(again=True)
    assert await because(trial, "bob") == "cooling_off"


async def test_two_who_change_at_once_are_told_so_and_every_version_stays(trial: Trial) -> None:
    trials = trial.webs[1].trials
    await trial.plans(stage="testers")
    late = trials.change(AT_THE_MACHINE, "hosting", 0, {"stage": "off"}, "because", False)
    assert await refusal_of(late) == "changed_meanwhile"
    state = await trials.promote(AT_THE_MACHINE, "hosting", 1, "more of them", False)
    assert (state.version, state.plan.stage, state.plan.percent) == (2, Stage.PERCENT, 5)
    back = await trial.webs[0].trials.roll_back(AT_THE_MACHINE, "hosting", 2, 1, "too early")
    assert (back.version, back.plan) == (3, Plan(Stage.TESTERS))
    kept = await trials.history(AT_THE_MACHINE, "hosting", None, 10)
    assert [(one.version, one.plan.stage.value, one.reason) for one in kept] == [
        (3, "testers", "too early"),
        (2, "percent", "more of them"),
        (1, "testers", "because"),
        (0, "everyone", ""),
    ]
    entries = await trial.store.audit.before(None, 10)
    assert [entry.deed.object for entry in entries] == [
        "hosting 3 testers",
        "hosting 2 percent",
        "hosting 1 testers",
    ]
    assert await refusal_of(trials.roll_back(AT_THE_MACHINE, "hosting", 3, 9, "because")) == "not_found"


def test_the_provider_says_why_it_cannot_answer() -> None:
    plans: dict[str, Current] = {}
    provider = PlanProvider(plans)
    ada = EvaluationContext("ada", {"followers": 1, "age_days": 2})
    assert provider.resolve_boolean_details("hosting", False, ada).error_code is ErrorCode.PROVIDER_NOT_READY
    plans["hosting"] = Current(3, Plan(Stage.TESTERS, testers=frozenset({"ada"})))
    found = provider.resolve_boolean_details("hosting", False, ada)
    assert (found.value, found.variant, found.flag_metadata) == (True, "testers", {"version": 3})
    for key, context, code in (
        ("colour", ada, ErrorCode.FLAG_NOT_FOUND),
        ("hosting", EvaluationContext(), ErrorCode.TARGETING_KEY_MISSING),
        ("hosting", EvaluationContext("ada", {"followers": "many"}), ErrorCode.INVALID_CONTEXT),
    ):
        assert provider.resolve_boolean_details(key, False, context).error_code is code
    assert provider.resolve_string_details("hosting", "", ada).error_code is ErrorCode.TYPE_MISMATCH
