"""A trial over HTTP: from the settings to everyone and back, and what a page may say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from parola.domain.audit import GUARD, Deed
from parola.domain.rollout import Plan, Stage
from parola.services.actor import AT_THE_MACHINE
from parola.store import Kept, Store
from tests.api.test_administration import administrator
from tests.web_process import Person, WebProcess

ROOT = "/api/admin/rollout"
HOSTING = f"{ROOT}/hosting"


@pytest.fixture
async def admin(web: WebProcess) -> Person:
    return await administrator(web)


async def test_a_trial_from_testers_to_everyone_and_back_in_one_step(web: WebProcess, admin: Person) -> None:
    ada, bob = await web.members("ada", "bob")
    (found,) = (await admin.get(ROOT)).json["features"]
    assert (found["feature"], found["version"], found["plan"]["stage"]) == ("hosting", 0, "everyone")
    assert found["following"] is None
    plan = {"stage": "testers", "testers": ["ada"], "policies": {"testers": {"speakers_at_most": 2}}}
    body = {"expected": 0, "plan": plan, "reason": "First the two of us"}
    changed = await admin.post(f"{HOSTING}/change", json=body)
    assert changed.status == 200
    assert (changed.json["version"], changed.json["plan"]["testers"]) == (1, ["ada"])
    assert changed.json["following"]["percent"] == 5
    assert (await admin.post(f"{HOSTING}/change", json=body)).said == (409, "changed_meanwhile")

    refused = await bob.post("/api/rooms", json={"title": "A room"})
    assert refused.said == (403, "not_yet_hosting")
    assert refused.json["because"] == "testers"
    assert "Who runs this server can add you" in refused.json["detail"]
    room = await ada.opens()
    assert (await ada.get(f"/api/rooms/{room}")).json["capacity"] == 2

    preview = await admin.post(f"{HOSTING}/preview", json={"plan": {**plan, "stage": "everyone"}})
    assert preview.json == {"accounts": 3, "now": 1, "then": 3, "gained": 2, "lost": 0}
    promoted = await admin.post(f"{HOSTING}/promote", json={"expected": 1, "reason": "It went well"})
    assert (promoted.json["version"], promoted.json["plan"]["stage"]) == (2, "percent")
    back = await admin.post(f"{HOSTING}/rollback", json={"expected": 2, "to": 0, "reason": "Open to all"})
    assert (back.json["version"], back.json["plan"]["stage"]) == (3, "everyone")
    await bob.opens()
    late = await admin.post(f"{HOSTING}/promote", json={"expected": 3, "reason": "Further"})
    assert late.said == (409, "for_everyone")

    told = (await admin.get(f"{HOSTING}/history?limit=2")).json
    assert [(one["version"], one["author"], one["reason"]) for one in told["versions"]] == [
        (3, "root", "Open to all"),
        (2, "root", "It went well"),
    ]
    assert told["next"] == 2
    older = (await admin.get(f"{HOSTING}/history?cursor=2&limit=1")).json
    assert ([one["version"] for one in older["versions"]], older["next"]) == ([1], 1)
    rest = (await admin.get(f"{HOSTING}/history?cursor=1")).json
    (configured,) = rest["versions"]
    assert configured["plan"]["stage"] == "everyone"
    assert {name: configured[name] for name in ("version", "author", "by", "reason", "at")} == {
        "version": 0,
        "author": None,
        "by": "settings",
        "reason": "",
        "at": None,
    }
    assert rest["next"] is None
    (entry, *_) = (await admin.get("/api/admin/audit")).json["entries"]
    assert (entry["actor"], entry["action"], entry["object"]) == ("root", "roll_out", "hosting 3 everyone")


async def test_history_tells_people_guards_and_the_command_line_apart(web: WebProcess, admin: Person) -> None:
    given = {"expected": 0, "plan": {"stage": "testers"}, "reason": "Testers"}
    assert (await admin.post(f"{HOSTING}/change", json=given)).status == 200
    await web.services.trials.change(AT_THE_MACHINE, "hosting", 1, {"stage": "off"}, "Not yet", False)
    kept = Kept(3, Plan(stage=Stage.OFF), GUARD, "liked is 0.1", "2026-01-02T03:04:05+00:00")
    deed = Deed(GUARD, "roll_out", "feature", "hosting 3 off")
    await web.store.rollouts.add("hosting", kept, deed, datetime(2026, 1, 2, tzinfo=UTC))
    told = (await admin.get(f"{HOSTING}/history")).json["versions"]
    assert [(one["version"], one["by"], one["author"]) for one in told] == [
        (3, "guard", None),
        (2, "command_line", None),
        (1, "person", "root"),
        (0, "settings", None),
    ]


async def test_a_way_back_that_leads_further_is_guarded_as_well(web: WebProcess, admin: Person) -> None:
    guard = {"figure": "removals_per_1000_hours", "bound": 0, "enough": 0}
    plan = {"stage": "testers", "testers": ["root"], "guards": [guard]}
    given = {"expected": 0, "plan": plan, "reason": "Testers"}
    assert (await admin.post(f"{HOSTING}/change", json=given)).status == 200
    room = await admin.opens()
    bob = await web.member("bob")
    assert (await bob.put(f"/api/rooms/{room}/hands/me")).status == 204
    assert (await admin.put(f"/api/rooms/{room}/removed/bob")).status == 200
    async with web.store._database.write() as connection:
        await connection.exec_driver_sql("UPDATE rollout_rooms SET listening_ms = 60000")
    state = (await admin.get(HOSTING)).json
    assert [(one["trips"], one["measured"]) for one in state["guards"]] == [
        (True, pytest.approx(1e6 / 1000 * 60))
    ]
    forward = {"expected": 1, "to": 0, "reason": "To everyone"}
    assert (await admin.post(f"{HOSTING}/rollback", json=forward)).said == (409, "guard_stops")
    promotion = {"expected": 1, "reason": "We know why"}
    assert (await admin.post(f"{HOSTING}/promote", json=promotion)).said == (409, "guard_stops")
    assert (await admin.post(f"{HOSTING}/promote", json={**promotion, "override": True})).status == 200


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"plan": {"stage": "soon"}}, "stage"),
        ({"plan": {"testers": ["nobody"]}}, "testers"),
        ({"reason": " "}, "reason"),
        ({"expected": -1}, "expected"),
        ({"colour": 1}, "colour"),
    ],
)
async def test_what_is_not_acceptable_is_named(admin: Person, body: dict[str, object], field: str) -> None:
    answer = await admin.post(
        f"{HOSTING}/change", json={"expected": 0, "plan": {}, "reason": "because", **body}
    )
    assert answer.said == (422, "invalid")
    assert [error["field"] for error in answer.json["errors"]] == [field]


async def test_what_is_no_feature_is_not_there(admin: Person) -> None:
    for method, path in (
        ("GET", ""),
        ("GET", "/history"),
        ("GET", "/figures"),
        ("POST", "/preview"),
    ):
        more = {"json": {}} if method == "POST" else {}
        assert (await admin.call(method, f"{ROOT}/colour{path}", **more)).said == (404, "not_found")


async def test_figures_are_shown_for_each_stage(web: WebProcess, admin: Person) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    listening = await web.guest.connects(room)
    connection = listening.headers["location"].rpartition("/")[2]
    body = {"connection": connection, "ms": 320}
    await web.services.tallies.start()
    for _ in range(2):
        await web.services.tallies.look()
    assert (await web.guest.post(f"/api/rooms/{room}/heard", json=body)).status == 204
    await web.media.tell_presence(room)
    assert (await ada.post(f"/api/rooms/{room}/end")).status == 200
    assert (await web.guest.post(f"/api/rooms/{room}/survey", json={"good": True})).status == 204
    await web.bus.drained()
    await web.services.tallies.look()
    (stage,) = (await admin.get(f"{HOSTING}/figures")).json["stages"]
    assert 320 <= stage.pop("first_sound_ms") <= 352
    assert stage.pop("listening_minutes") < 1
    assert stage.pop("removals_per_1000_hours") in (0, None)
    assert stage.pop("reports_per_1000_hours") in (0, None)
    assert stage == {
        "version": 0,
        "stage": "everyone",
        "rooms": 1,
        "listeners": 1,
        "removals": 0,
        "reports": 0,
        "joins": 1,
        "failed_joins": 0,
        "failed_join_part": 0.0,
        "returned": None,
        "liked": 1.0,
    }


@pytest.mark.parametrize("ms", [-1, 60_001, 1.5, "1"])
async def test_a_first_sound_is_bounded(web: WebProcess, ms: object) -> None:
    ada = await web.member("ada")
    room = await ada.opens()
    answer = await web.guest.post(f"/api/rooms/{room}/heard", json={"connection": "x", "ms": ms})
    assert answer.said == (422, "invalid")


async def test_who_says_too_much_is_told_to_wait(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        ada = await web.member("ada")
        room = await ada.opens()
        answers = [await web.guest.post(f"/api/rooms/{room}/survey", json={"good": True}) for _ in range(301)]
        assert {answer.status for answer in answers[:300]} == {204}
        assert answers[300].said == (429, "too_many")


async def test_events_tell_a_page_all_that_a_new_snapshot_would(web: WebProcess, admin: Person) -> None:
    """A scheduled room that starts under terms, is warned, and ends by itself."""
    policies = {"everyone": {"minutes_at_most": 1, "speakers_at_most": 4, "hands": False}}
    body = {"expected": 0, "plan": {"policies": policies}, "reason": "Short rooms"}
    assert (await admin.post(f"{HOSTING}/change", json=body)).status == 200
    ada = await web.member("ada")
    room = await ada.opens(starts_at="2099-01-02T03:04:05Z")
    async with ada.reads(room) as stream:
        await stream.until("snapshot")
        started = (await ada.post(f"/api/rooms/{room}/start")).json
        told = await stream.until("room.started")
        assert {name: told.data[name] for name in ("capacity", "hands", "ends_at")} == {
            "capacity": started["capacity"],
            "hands": False,
            "ends_at": started["ends_at"],
        }
        assert started["hands_locked"]
        await web.services.closing.look()
        assert (await stream.until("room.closing")).data["ends_at"] == started["ends_at"]
    assert (await ada.delete(f"/api/rooms/{room}/locks/hands")).said == (409, "hands_off")
