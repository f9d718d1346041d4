"""What a trial shows, counted across two web processes; and guards that stop it by themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from parola.bus import subjects
from parola.bus.messages import NeverUp
from parola.domain import rooms as r
from parola.domain.audit import GUARD
from parola.domain.errors import Unavailable
from parola.domain.moderation import Reason
from parola.domain.rollout import Measured, Stage
from parola.services.actor import AT_THE_MACHINE
from parola.services.caller import GUEST
from parola.services.tallies import FAILING_S, TAKEN_OVER_AFTER_S
from parola.services.trials import GUARDS_EVERY_S
from parola.store import StoreUnavailable
from tests.services.house import MEDIA, always, refusal_of
from tests.services.trial import Trial, opened

WEEK_S = 7 * 86400


@pytest.fixture
async def trial(tmp_path: Path) -> AsyncIterator[Trial]:
    async with opened(tmp_path) as trial:
        yield trial


async def listens(trial: Trial, handle: str | None, room_id: str, web: int = 0) -> str:
    caller = await trial.caller(handle) if handle else GUEST
    signalling = trial.webs[web].signalling
    return await refusal_of(signalling.listen(caller, room_id, "v=0\r\n", "main", "192.0.2.1"))


async def shown(trial: Trial) -> dict[tuple[int, str], Measured]:
    stages = await trial.webs[0].trials.stages(AT_THE_MACHINE, "hosting")
    return {(one.version, one.stage): one.measured for one in stages}


async def test_what_two_processes_have_counted_adds_up(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    room = await trial.opens("host")
    await trial.rounds(1, 1)
    assert await listens(trial, "ada", room.id, 0) == "yes"
    assert await listens(trial, "ada", room.id, 1) == "yes"
    assert await listens(trial, "bob", room.id, 1) == "yes"
    assert await listens(trial, None, room.id, 0) == "yes"
    assert await listens(trial, None, room.id, 1) == "yes"
    monkeypatch.setattr(trial.webs[1].signalling, "_ask", _broken)
    assert await listens(trial, "carla", room.id, 1) == "media_away"
    assert await listens(trial, "carla", "no-room", 1) == "not_found"
    await trial.present(room.id, [("c1", "ada"), ("c2", "bob"), ("c3", None)], speakers=[("s1", "host")])
    await trial.rounds(60, 30)
    await trial.present(room.id, left=["c3"])
    await trial.rounds(30)
    await trial.webs[1].rooms.command(await trial.caller("host"), room.id, lambda by: r.Remove(by, "bob"))
    found = (await shown(trial))[0, "everyone"]
    assert (found.rooms, found.joins, found.failed_joins) == (1, 6, 1)
    assert found.listeners == 4, "two accounts, and each guest's connection"
    assert found.listening_minutes == pytest.approx((90 * 3 + 30 * 2) / 60)
    assert found.removals == 1
    assert found.reports == 0


async def test_a_join_that_was_answered_and_never_came_up_has_failed_once_for_each_person(
    trial: Trial,
) -> None:
    room = await trial.opens("host")
    await trial.rounds(1, 1)
    ada = (await trial.caller("ada")).account_id
    for handle, who, address in (
        ("ada", ada, "192.0.2.1"),
        ("ada", ada, "192.0.2.2"),
        (None, None, "192.0.2.3"),
        (None, None, "192.0.2.3"),
        (None, None, "192.0.2.4"),
    ):
        assert await listens(trial, handle, room.id) == "yes"
        await trial.bus.publish(subjects.NEVER_UP, NeverUp(room.id, who, address).to_bytes())
        await trial.rounds(18)
    assert await listens(trial, "ada", room.id) == "yes"
    await trial.rounds(1)
    found = (await shown(trial))[0, "everyone"]
    assert (found.joins, found.failed_joins) == (4, 3), "two tried again, and one of them came up at last"
    await trial.rounds(FAILING_S)
    assert await listens(trial, None, room.id) == "yes"
    await trial.bus.publish(subjects.NEVER_UP, NeverUp(room.id, None, "192.0.2.3").to_bytes())
    await trial.rounds(1, 1)
    found = (await shown(trial))[0, "everyone"]
    assert (found.joins, found.failed_joins) == (5, 4), "somebody else by now"


async def _broken(*_: object) -> None:
    raise Unavailable("media_away", "Away.", 1)


async def test_a_no_that_is_the_callers_own_is_no_failed_join(trial: Trial) -> None:
    room = await trial.opens("host", access="invited")
    assert await listens(trial, None, room.id) == "not_found"
    await trial.rounds(1)
    assert (await shown(trial))[0, "everyone"].joins == 0


async def test_who_speaks_does_not_listen_to_themselves(trial: Trial) -> None:
    room = await trial.opens("host")
    await trial.rounds(1, 1)
    await trial.present(room.id, [("c1", "host")], speakers=[("s1", "host")])
    await trial.rounds(60)
    assert (await shown(trial))[0, "everyone"].listening_minutes == 0


async def test_another_process_takes_the_counting_over_and_nothing_is_counted_twice(trial: Trial) -> None:
    room = await trial.opens("host")
    await trial.rounds(1, 1)
    await trial.present(room.id, [("c1", "ada")])
    await trial.rounds(60)
    first, second = trial.webs
    assert first.tallies._kept is not None
    assert second.tallies._kept is None
    trial.webs = [second]  # the first has died
    await trial.rounds(1, TAKEN_OVER_AFTER_S + 1, 60)
    trial.webs = [second, first]
    assert first.tallies._kept is not None, "it does not know yet"
    await trial.rounds(60)
    assert first.tallies._kept is None
    assert (await shown(trial))[0, "everyone"].listening_minutes == pytest.approx(3)


async def test_joins_that_could_not_be_written_are_written_later(
    trial: Trial, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = await trial.opens("host")
    await listens(trial, "ada", room.id)
    real = trial.store.tallies.add

    async def away(*_: object) -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(trial.store.tallies, "add", away)
    with pytest.raises(StoreUnavailable):
        await trial.webs[0].tallies.write()
    await listens(trial, "bob", room.id)
    monkeypatch.setattr(trial.store.tallies, "add", real)
    await trial.rounds(1)
    found = (await shown(trial))[0, "everyone"]
    assert (found.joins, found.listeners) == (2, 2)


async def test_who_comes_to_a_later_room_within_a_week_has_returned(trial: Trial) -> None:
    early, at_once = await trial.opens("host"), await trial.opens("host")
    for handle in ("ada", "bob", "carla"):
        await listens(trial, handle, early.id)
    await trial.rounds(1)
    await listens(trial, "bob", at_once.id)  # the other of two rooms that ran side by side is no return
    await listens(trial, "carla", early.id)  # nor is coming back into the same
    await trial.rounds(60)
    later = await trial.opens("host")
    await listens(trial, "ada", later.id, 1)
    await trial.rounds(1)
    assert (await shown(trial))[0, "everyone"].returned is None, "nobody's week is over"
    trial.clock.pass_by(WEEK_S)
    await listens(trial, "bob", (await trial.opens("host")).id, 1)  # too late
    await trial.rounds(1)
    assert (await shown(trial))[0, "everyone"].returned == pytest.approx(1 / 3)


async def test_a_return_counts_where_one_first_came_whatever_the_plan_says_by_then(trial: Trial) -> None:
    hosts = {"stage": "testers", "testers": ["host"]}
    await trial.caller("host")
    await trial.plans(**hosts)
    early, beside = await trial.opens("host"), await trial.opens("host")
    for handle in ("ada", "bob", "carla"):
        await listens(trial, handle, early.id)
    await trial.rounds(1)
    await trial.plans(**{**hosts, "denied": ["bob"]})  # as far as before
    await listens(trial, "bob", beside.id)  # began before he first came
    await trial.rounds(1)
    await listens(trial, "ada", (await trial.opens("host")).id)
    await trial.rounds(1)
    trial.clock.pass_by(WEEK_S)
    await listens(trial, "carla", (await trial.opens("host")).id)  # too late to have returned
    await trial.rounds(1, 3600)
    await listens(trial, "carla", (await trial.opens("host")).id)  # to what she came to late
    await trial.rounds(1)
    assert [await returned(trial, version) for version in (1, 2)] == [pytest.approx(1 / 3), 0.0]
    pooled = await trial.webs[0].trials.state(AT_THE_MACHINE, "hosting")
    assert (pooled.since, pooled.measured.returned) == (1, pytest.approx(1 / 3))
    trial.clock.pass_by(WEEK_S)
    assert await returned(trial, 2) == pytest.approx(1 / 2), "carla's week there is over, too"
    pooled = await trial.webs[0].trials.state(AT_THE_MACHINE, "hosting")
    assert pooled.measured.returned == pytest.approx(1 / 3), (
        "each person's one week, from where they first came"
    )


async def returned(trial: Trial, version: int) -> float | None:
    return (await shown(trial))[version, "testers"].returned


async def test_a_first_sound_counts_once_and_only_of_a_connection_that_is_there(trial: Trial) -> None:
    room = await trial.opens("host")
    ada, bob = await trial.caller("ada"), await trial.caller("bob")
    await trial.rounds(1, 1)
    await trial.present(room.id, [("c1", "ada"), ("c2", None)])
    for web, caller, connection, ms in (
        (0, ada, "c1", 400),
        (1, ada, "c1", 60_000),
        (1, GUEST, "c2", 400),
        (0, bob, "c1", 60_000),
        (0, ada, "c9", 60_000),
    ):
        await trial.webs[web].tallies.heard(caller, room.id, f"{MEDIA}.{connection}", ms)
    await trial.rounds(5)
    await trial.webs[1].tallies.heard(ada, room.id, f"{MEDIA}.c1", 60_000)
    await trial.webs[1].tallies.heard(bob, room.id, f"{MEDIA}.c3", 450)
    await trial.rounds(5)
    await trial.present(room.id, [("c3", "bob")])  # known a moment after it was said
    await trial.rounds(5)
    async with trial.store._database.read() as connection:
        counts = await connection.execute(sa.text("SELECT SUM(count) FROM rollout_sounds"))
        assert counts.scalar() == 3
    first_sound = (await shown(trial))[0, "everyone"].first_sound_ms
    assert first_sound is not None
    assert 450 <= first_sound <= 495


async def test_a_member_answers_once_and_guests_no_more_often_than_they_came(trial: Trial) -> None:
    room = await trial.opens("host")
    host, ada = await trial.caller("host"), await trial.caller("ada")
    await listens(trial, None, room.id, 0)
    await trial.webs[0].rooms.command(host, room.id, r.End)
    for web, caller, good in (
        (0, ada, True),
        (1, ada, False),
        (0, GUEST, False),
        (1, GUEST, False),
        (0, host, True),
    ):
        await trial.webs[web].tallies.answer(caller, room.id, good)
    assert (await shown(trial))[0, "everyone"].liked == pytest.approx(2 / 3)
    planned = await trial.opens("host", starts_at=trial.clock.now.replace(year=2027))
    assert await refusal_of(trial.webs[0].tallies.answer(ada, planned.id, True)) == "not_live"
    secret = await trial.opens("host", access="invited")
    assert await refusal_of(trial.webs[0].tallies.answer(ada, secret.id, True)) == "not_found"


async def test_figures_belong_to_the_stage_that_let_the_host_in(trial: Trial) -> None:
    await trial.caller("ada")
    await trial.plans(stage="everyone", testers=["ada"])
    for handle in ("ada", "bob", "bob"):
        await trial.opens(handle)
    await trial.plans(stage="testers", testers=["ada"])
    await trial.opens("ada")
    rooms = {key: measured.rooms for key, measured in (await shown(trial)).items()}
    assert rooms == {(1, "testers"): 1, (1, "everyone"): 2, (2, "testers"): 1}


async def test_each_voice_about_a_room_is_one_report(trial: Trial) -> None:
    room, elsewhere = await trial.opens("ada"), await trial.opens("ada")
    reports = trial.webs[0].reports
    for handle, about in (("bob", room), ("carla", room), ("bob", elsewhere)):
        await reports.file(await trial.caller(handle), None, about.id, None, Reason.SPAM, "", always)
    await reports.file(await trial.caller("bob"), None, room.id, None, Reason.SPAM, "and again", always)
    await reports.file(await trial.caller("bob"), "ada", None, None, Reason.SPAM, "in no room", always)
    assert (await shown(trial))[0, "everyone"].reports == 3


async def removes(trial: Trial, room: r.Room, handle: str) -> None:
    await trial.caller(handle)
    host = await trial.caller(room.host)
    await trial.webs[0].rooms.command(host, room.id, lambda by: r.Remove(by, handle))


GUARDED = {"figure": "removals_per_1000_hours", "bound": 10, "enough": 1}


async def guarded_room(trial: Trial, stage: str = "percent", **guard: object) -> r.Room:
    """A minute's listening in a room in which somebody was removed."""
    await trial.plans(stage=stage, percent=100, guards=[{**GUARDED, **guard}])
    room = await trial.opens("host")
    await trial.rounds(1, 1)
    await trial.present(room.id, [("c1", "ada"), ("c2", "bob"), ("c3", "eve")])
    await removes(trial, room, "eve")
    await trial.rounds(20)
    return room


async def test_a_guard_that_trips_stops_the_next_step_and_goes_back_by_itself(trial: Trial) -> None:
    room = await guarded_room(trial)
    await trial.rounds(20)
    trials = trial.webs[1].trials
    state = await trials.state(AT_THE_MACHINE, "hosting")
    assert [breach.stops for breach in state.breaches] == [True]
    assert await refusal_of(trials.promote(AT_THE_MACHINE, "hosting", 1, "because", False)) == "guard_stops"
    further = {"stage": "everyone"}
    refused = trials.change(AT_THE_MACHINE, "hosting", 1, further, "because", False)
    assert await refusal_of(refused) == "guard_stops", "a change that goes further is no way around it"
    await trial.rounds(GUARDS_EVERY_S)
    newest, *_ = await trials.history(AT_THE_MACHINE, "hosting", None, 10)
    assert (newest.version, newest.plan.stage, newest.author) == (2, Stage.TESTERS, GUARD)
    assert "removals_per_1000_hours is" in newest.reason
    assert trips(trial, "stop") == 1
    await trial.rounds(GUARDS_EVERY_S, GUARDS_EVERY_S)
    assert (await trials.state(AT_THE_MACHINE, "hosting")).version == 2, "the new step has its own figures"
    running = await trial.store.rooms.load(room.id)
    assert running is not None
    assert running.state is r.Lifecycle.LIVE


async def test_a_person_is_removed_from_a_room_once_and_who_was_never_there_not_at_all(trial: Trial) -> None:
    room = await trial.opens("host")
    host, bob = await trial.caller("host"), await trial.caller("bob")
    web = trial.webs[0].rooms
    await web.command(bob, room.id, r.RaiseHand)
    await web.command(bob, room.id, r.LowerHand)
    await web.command(host, room.id, lambda by: r.Invite(by, "mallory"))
    await trial.present(room.id, [("c1", "ada")])
    for _ in range(3):
        for handle in ("ada", "bob", "eve", "mallory"):
            await removes(trial, room, handle)
            await web.command(host, room.id, lambda by, handle=handle: r.Restore(by, handle))  # type: ignore[misc]
    assert (await shown(trial))[0, "everyone"].removals == 2, "who listened, and who had a hand up"


async def test_an_administrator_may_override_a_guard_and_says_why(trial: Trial) -> None:
    await guarded_room(trial, action="stop")
    await trial.rounds(20)
    trials = trial.webs[0].trials
    state = await trials.promote(AT_THE_MACHINE, "hosting", 1, "one removal says nothing", True)
    assert (state.version, state.plan.stage) == (2, Stage.EVERYONE)
    assert await refusal_of(trials.promote(AT_THE_MACHINE, "hosting", 2, "", True)) == "for_everyone"


async def test_a_guard_that_warns_changes_nothing_and_is_told_once(trial: Trial) -> None:
    with capture_logs() as said:
        await guarded_room(trial, action="warn")
        await trial.rounds(20, GUARDS_EVERY_S, GUARDS_EVERY_S)
    trials = trial.webs[0].trials
    told = [line for line in said if line["event"] == "rollout.guard_trips"]
    assert [(line["log_level"], line["action"], line["version"]) for line in told] == [("warning", "warn", 1)]
    assert "removals_per_1000_hours is" in told[0]["reason"]
    assert trips(trial, "warn") == 1
    state = await trials.state(AT_THE_MACHINE, "hosting")
    assert (state.version, [breach.stops for breach in state.breaches]) == (1, [False])
    assert (await trials.promote(AT_THE_MACHINE, "hosting", 1, "because", False)).version == 2


async def test_a_guard_is_told_anew_only_after_it_held(trial: Trial) -> None:
    room = await guarded_room(trial, action="warn")
    await trial.rounds(GUARDS_EVERY_S)
    assert trips(trial, "warn") == 1
    await trial.rounds(3600 * 1000)  # of so many hours one removal is little
    await trial.rounds(GUARDS_EVERY_S)
    assert trips(trial, "warn") == 1
    crowd = [f"eve{number}" for number in range(40)]
    await trial.present(room.id, [(f"of_{handle}", handle) for handle in crowd])
    for handle in crowd:
        await removes(trial, room, handle)
    await trial.rounds(GUARDS_EVERY_S)
    assert trips(trial, "warn") == 2


def trips(trial: Trial, action: str) -> float:
    counts = (web.trials.trips.labels("hosting", action) for web in trial.webs)
    return sum(metric.samples[0].value for count in counts for metric in count.collect())


async def test_what_was_seen_is_not_unseen_by_another_tester(trial: Trial) -> None:
    await guarded_room(trial)
    await trial.plans(stage="percent", percent=100, testers=["eve"], guards=[GUARDED])
    await trial.rounds(20)
    state = await trial.webs[0].trials.state(AT_THE_MACHINE, "hosting")
    assert (state.version, state.since) == (2, 1)
    assert state.measured.removals == 1


async def test_a_change_says_before_whom_it_lets_in(trial: Trial) -> None:
    for handle in ("ada", "bob", "carla"):
        await trial.caller(handle)
    await trial.plans(stage="testers", testers=["ada"])
    change = await trial.webs[0].trials.preview(
        AT_THE_MACHINE, "hosting", {"stage": "everyone", "denied": ["ada"]}
    )
    assert (change.accounts, change.now, change.then, change.gained, change.lost) == (3, 1, 2, 2, 1)
    following = await trial.webs[0].trials.preview(AT_THE_MACHINE, "hosting", None)
    assert following.now == 1
    assert following.lost == 0
    unknown = trial.plans(stage="testers", testers=["nobody"])
    assert await refusal_of(unknown) == "invalid"
