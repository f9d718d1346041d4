"""`parola admin` on a database of its own, without a server."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pytest
from typer.testing import CliRunner, Result

from parola.api.app import Services
from parola.bootstrap.commands import at_the_machine
from parola.cli import app
from parola.domain.evidence import Growing, context, packed
from parola.domain.moderation import About, Measure, Reason
from parola.domain.moments import milliseconds
from parola.rtp.hpke import PublicKey
from parola.services import clock
from parola.services.actor import AT_THE_MACHINE, Actor
from parola.services.caller import Caller
from parola.services.invitations import new_invitation
from parola.settings import Settings
from parola.store import Blobs, SealedEvidence, Store
from tests.services.house import PASSWORD

pytestmark = pytest.mark.any_database
T = TypeVar("T")


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("PAROLA_DATA_DIR", str(tmp_path))
    assert do("people", "list").stdout == ""
    asyncio.run(_people(f"sqlite+aiosqlite:///{tmp_path / 'parola.db'}"))
    return tmp_path


async def _people(url: str) -> None:
    store = Store.open(url)
    for handle in ("ada", "bob"):
        await store.accounts.add(handle, handle, handle.title(), "-", clock.now())
    await store.close()


def do(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["admin", *arguments])


def cells(*arguments: str) -> list[list[str]]:
    """What a command that succeeds prints, line by line."""
    result = do(*arguments)
    assert result.exit_code == 0, result.stderr
    return [line.split("\t") for line in result.stdout.splitlines()]


def there(work: Callable[[Services], Awaitable[T]]) -> T:
    """What others do on the same server."""

    async def doing() -> T:
        async with at_the_machine(Settings.load()) as here:
            return await work(here)

    return asyncio.run(doing())


async def _comes(here: Services, handle: str, by: str | None = None) -> Caller:
    """Signs up, by an invitation of the account `by`."""
    code = None
    if by is not None:
        invitation = new_invitation(by, clock.now, await here.inviting.policy())
        await here.store.invites.add(invitation)
        code = invitation.code
    signed_in = await here.sessions.sign_up(handle, handle.title(), PASSWORD, code)
    return await here.sessions.authenticate(signed_in.token)


def test_people_are_administered_and_it_is_written_down(folder: Path) -> None:
    assert do("people", "role", "ada", "administrator", "--reason", "founder").exit_code == 0
    assert do("people", "suspend", "bob", "--reason", "shouts").stdout == "1 suspended\n"
    rows = [line.split("\t") for line in do("people", "list").stdout.splitlines()]
    assert [(row[0], row[1], row[2]) for row in rows] == [
        ("@ada", "administrator", "-"),
        ("@bob", "member", "suspended"),
    ]
    assert do("people", "restore", "bob", "--reason", "calm").exit_code == 0
    last = do("audit", "list").stdout.splitlines()[0].split("\t")
    assert (last[0], last[2:]) == ("3", ["command line", "restore", "account @bob", "calm"])


def test_refusals_are_a_line(folder: Path) -> None:
    for arguments, words in (
        (("people", "suspend", "nobody", "--reason", "x"), "parola: there is no such thing\n"),
        (("people", "suspend", "bob", "--reason", " "), "parola: This must not be empty.\n"),
        (("people", "role", "bob", "king", "--reason", "x"), "parola: A role is member or administrator.\n"),
        (("rooms", "end", "none", "--reason", "x"), "parola: there is no such thing\n"),
    ):
        result = do(*arguments)
        assert (result.exit_code, result.stderr) == (2, words)


def test_a_link_for_an_administrator(folder: Path) -> None:
    link = do("claim-link").stdout
    assert link.startswith("http://localhost:8080/admin/claim#")


def test_the_log_is_checked(folder: Path) -> None:
    for _ in range(3):
        do("claim-link")
    words = do("audit", "verify").stdout.splitlines()
    assert words[0] == "3 entries, all in order"
    seal = words[1].removeprefix("seal ")
    assert do("audit", "verify", "--seal", seal).exit_code == 0
    database = sqlite3.connect(folder / "parola.db")
    database.execute("DROP TRIGGER audit_no_delete")
    database.execute("DELETE FROM audit WHERE seq = 3")
    database.commit()
    assert do("audit", "verify").exit_code == 0, "that the end is missing shows to nobody"
    cut = do("audit", "verify", "--seal", seal)
    assert (cut.exit_code, cut.stdout.startswith("no entry has this seal")) == (1, True)
    database.execute("DELETE FROM audit WHERE seq = 1")
    database.commit()
    database.close()
    assert do("audit", "verify").stdout == "entry 1 does not follow from those before it\n"


def test_health_says_what_is_missing(folder: Path) -> None:
    result = do("health")
    assert (result.exit_code, result.stdout) == (1, "missing: media process\n")


def test_founding_members_out_of_a_file(folder: Path) -> None:
    table = folder / "founders.csv"
    table.write_text("email,language\nada@rooms.example,it\nnonsense,en\n")
    refused = do("invite", "--csv", str(table))
    assert refused.exit_code == 2
    assert refused.stderr == "parola: line 3: This is no address for mail.\nparola: Nobody was invited.\n"
    table.write_text("email,language\nada@rooms.example,it\nbob@rooms.example,\n")
    assert do("invite", "--csv", str(table)).stdout == "2 invited\n"
    database = sqlite3.connect(folder / "parola.db")
    assert database.execute("SELECT recipient FROM outbox ORDER BY 1").fetchall() == [
        ("ada@rooms.example",),
        ("bob@rooms.example",),
    ]
    database.close()


def test_the_waitlist_in_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = sqlite3.connect(folder / "parola.db")
    for place in (1, 2, 3):
        row = (place, f"a{place}@rooms.example", "en", str(place), place * 1000)
        database.execute(
            "INSERT INTO waitlist (place, email, language, token_hash, created_at) VALUES (?, ?, ?, ?, ?)",
            row,
        )
    database.commit()
    database.close()
    first = do("waitlist", "list").stdout.splitlines()[0]
    assert first.split("\t")[1] == "a1@rooms.example"
    assert do("waitlist", "approve", "2").stdout == "1 invited\n"
    assert do("waitlist", "approve", "--first", "1").stdout == "1 invited\n"
    assert do("waitlist", "approve", "--older-than-days", "1").stdout == "1 invited\n"
    assert do("waitlist", "approve").stderr == "parola: Say one of places, first and before.\n"


def test_reports_are_dealt_with(folder: Path) -> None:
    assert do("reports", "list").stdout == ""
    id = _report_about("bob", "ada", "again and again")
    assert [line.split("\t")[1:3] for line in do("reports", "list").stdout.splitlines()] == [["@bob", "1"]]
    shown = do("reports", "show", id).stdout
    assert "@ada" in shown
    assert "again and again" in shown
    wrong = do("reports", "resolve", id, "shout", "--reason", "x")
    assert (wrong.exit_code, "warn, remove" in wrong.stderr) == (2, True)
    assert do("reports", "resolve", id, "suspend", "--reason", "spam", "--hours", "2").exit_code == 0
    assert do("reports", "list").stdout == ""
    assert do("reports", "list", "--closed").stdout.split("\t")[-1] == "suspend\n"
    assert do("people", "act", "bob", "restore", "--reason", "a mistake").exit_code == 0
    assert do("people", "act", "bob", "restore", "--reason", "again").exit_code == 2
    assert do("appeals", "list").stdout == ""
    assert do("appeals", "decide", "none", "lifted", "--reason", "x").exit_code == 2


def test_a_case_says_who_invited_and_what_was_reported_before(folder: Path) -> None:
    there(lambda here: _comes(here, "carl", by="ada"))
    first = _report_about("carl", "bob", "shouts")
    assert ["invited by", "@ada"] in cells("reports", "show", first)
    assert do("reports", "dismiss", first, "--reason", "nothing in it").exit_code == 0
    assert cells("reports", "list", "--closed")[0][4] == "dismissed"
    second = _report_about("carl", "bob", "shouts again")
    shown = cells("reports", "show", second)
    assert [row[1:2] + row[3:] for row in shown if row[0] == "earlier"] == [
        [first, "1", "dismissed", "nothing in it"]
    ]
    root = cells("reports", "show", _report_about("ada", "bob", "invites him"))
    assert ["invited by", "-"] in root
    assert not [row for row in root if row[0] == "earlier"]


def test_what_an_absent_administrator_holds_is_taken_over_and_released(folder: Path) -> None:
    do("people", "role", "ada", "administrator", "--reason", "founder")
    id = _report_about("bob", "ada", "spam")
    there(lambda here: here.reports.take(Actor("ada"), id))
    assert cells("reports", "list")[0][4] == "@ada"
    for refused in (
        do("reports", "take", id),
        do("reports", "dismiss", id, "--reason", "x"),
        do("reports", "resolve", id, "warn", "--reason", "x"),
    ):
        assert (refused.exit_code, refused.stderr) == (2, "parola: Somebody else deals with this report.\n")
    assert do("reports", "release", id).exit_code == 0
    assert ["state", "@ada"] in cells("reports", "show", id), "only what the command line has is released"
    assert do("reports", "take", id, "--anyway").exit_code == 0
    assert cells("reports", "list")[0][4] == "command line"
    assert do("reports", "release", id).exit_code == 0
    assert cells("reports", "list")[0][4] == "-"
    assert do("reports", "take", id).exit_code == 0
    assert do("reports", "resolve", id, "warn", "--reason", "no spam").exit_code == 0
    assert do("reports", "take", id, "--anyway").stderr == "parola: This report is closed.\n"


def test_people_are_warned_removed_and_banned(folder: Path) -> None:
    for measure in ("warn", "remove", "ban"):
        options = ["--hours", "1"] if measure == "remove" else []
        assert do("people", "act", "bob", measure, "--reason", f"to {measure}", *options).exit_code == 0
    done = there(lambda here: here.moderating.history(AT_THE_MACHINE, "bob"))
    assert [(one.kind, one.reason, one.until is not None) for one in reversed(done)] == [
        (Measure.WARN, "to warn", False),
        (Measure.REMOVE, "to remove", True),
        (Measure.BAN, "to ban", False),
    ]
    assert [row[2] for row in cells("people", "list")] == ["-", "suspended"]
    assert [row[3:] for row in cells("audit", "list")] == [
        [measure, "account @bob", f"to {measure}"] for measure in ("ban", "remove", "warn")
    ]


def test_a_branch_is_shown_and_suspended(folder: Path) -> None:
    async def grow(here: Services) -> None:
        carl = await _comes(here, "carl", by="bob")
        await _comes(here, "dora", by=carl.signed_in().account.id)
        await _comes(here, "emil", by="ada")

    there(grow)
    do("people", "suspend", "carl", "--reason", "shouts")
    assert do("tree").stdout == "@ada\n  @emil\n@bob\n  @carl (suspended)\n    @dora\n"
    assert do("tree", "carl").stdout == "@dora\n"
    assert do("people", "suspend", "bob", "--branch", "--reason", "a ring").stdout == "2 suspended\n"
    states = {row[0]: row[2] for row in cells("people", "list")}
    assert states == {
        "@ada": "-",
        "@bob": "suspended",
        "@carl": "suspended",
        "@dora": "suspended",
        "@emil": "-",
    }


def test_rooms_are_listed_visited_and_ended(folder: Path) -> None:
    async def open_room(here: Services) -> str:
        eva = await _comes(here, "eva")
        return (await here.rooms.open(eva, "Of eva's", "followers", None, None)).id

    def visitors() -> frozenset[str]:
        room = there(lambda here: here.store.rooms.load(id))
        assert room is not None
        return room.visitors

    id = there(open_room)
    do("people", "role", "ada", "administrator", "--reason", "founder")
    (listed,) = cells("rooms", "list")
    assert [*listed[:2], *listed[3:]] == [id, "@eva", "followers", "Of eva's"]
    refused = do("rooms", "visit", id, "bob", "--reason", "a complaint")
    assert (refused.exit_code, refused.stderr) == (2, "parola: Name an administrator.\n")
    assert do("rooms", "visit", id, "ada", "--reason", "a complaint").exit_code == 0
    assert visitors() == {"ada"}
    assert do("rooms", "end-visit", id, "nobody").exit_code == 2
    assert do("rooms", "end-visit", id, "ada").exit_code == 0
    assert visitors() == frozenset()
    assert do("rooms", "end", id, "--reason", "over the top").exit_code == 0
    assert cells("rooms", "list") == []
    assert [row[2:] for row in cells("audit", "list")[:2]] == [
        ["command line", "end", f"room {id}", "over the top"],
        ["command line", "visit", f"room {id}", "a complaint"],
    ]
    again = do("rooms", "end", id, "--reason", "x")
    assert again.exit_code == 2


def test_appeals_are_decided(folder: Path) -> None:
    async def appeal(here: Services) -> str:
        eva = await _comes(here, "eva")
        await here.moderating.act(AT_THE_MACHINE, "eva", Measure.REMOVE, "shouts")
        (notice,) = await here.moderating.notices(eva)
        await here.moderating.appeal(eva, notice.id, "I whispered")
        return notice.id

    id = there(appeal)
    assert cells("appeals", "list") == [[id, "@eva", "remove", "shouts", "I whispered"]]
    wrong = do("appeals", "decide", id, "maybe", "--reason", "x")
    assert wrong.stderr == "parola: One of upheld, lifted.\n"
    assert do("appeals", "decide", id, "lifted", "--reason", "she did").exit_code == 0
    assert cells("appeals", "list") == []
    measure = there(lambda here: here.store.measures.load(id))
    assert measure is not None
    assert measure.over_at is not None
    assert cells("audit", "list")[0][2:] == ["command line", "appeal_lifted", "account @eva", "she did"]


def test_words_are_blocked(folder: Path) -> None:
    assert do("words", "add", "Nonsense").exit_code == 0
    assert do("words", "list").stdout.split("\t")[0] == "Nonsense"
    assert do("words", "remove", "n0nsense").exit_code == 0
    assert do("words", "remove", "nonsense").exit_code == 2


def _report_about(account: str, reporter: str, text: str) -> str:
    async def file(here: Services) -> str:
        found = await here.store.accounts.by_handle(account)
        assert found is not None
        about = About(found.id, None)
        said = await here.store.reports.file(about, reporter, Reason.SPAM, text, None, clock.now())
        return said.report.id

    return there(file)


def test_the_policy_of_invitations(folder: Path) -> None:
    assert do("invitations", "policy").stdout.splitlines()[:2] == ["each\t5", "more\t1"]
    changed = do("invitations", "change", "--each", "9", "--waitlist-a-day", "3", "--reason", "more of us")
    assert changed.exit_code == 0
    assert {"each\t9", "more\t1", "waitlist_a_day\t3"} <= set(do("invitations", "policy").stdout.splitlines())
    refused = do("invitations", "change", "--days", "0", "--reason", "x")
    assert refused.exit_code == 2
    assert "days: A number from 1 to 30 is wanted." in refused.stderr


def test_open_invitations_are_revoked_by_id_and_by_link(folder: Path) -> None:
    async def invite(here: Services) -> str:
        invitation = new_invitation("bob", clock.now, await here.inviting.policy())
        await here.store.invites.add(invitation)
        return invitation.id

    theirs = there(invite)
    code = CliRunner().invoke(app, ["invite"]).stdout.strip()
    assert {row[1]: row[0] == theirs for row in cells("invitations", "list")} == {
        "@bob": True,
        "the server": False,
    }
    assert code not in do("invitations", "list").stdout
    assert do("invitations", "revoke", theirs, "--reason", "sold").exit_code == 0
    link = f"https://rooms.example/i/{code}"
    assert do("invitations", "revoke", link, "--reason", "on a forum").exit_code == 0
    assert cells("invitations", "list") == []
    assert there(lambda here: here.store.invites.find_open(code, clock.now())) is None
    assert [row[3:] for row in cells("audit", "list")][1] == ["revoke", f"invitation {theirs}", "sold"]
    again = do("invitations", "revoke", link, "--reason", "x")
    assert (again.exit_code, again.stderr) == (2, "parola: there is no such thing\n")


def test_a_trial_is_led_by_the_command_line(folder: Path) -> None:
    assert do("rollout", "show").stdout.splitlines() == ["version\t0", "stage\teveryone", "next\t-"]
    plan = folder / "plan.json"
    guard = {"figure": "liked", "bound": 0.5, "side": "least", "action": "warn", "enough": 10}
    plan.write_text(json.dumps({"stage": "testers", "testers": ["ada"], "guards": [guard]}))
    assert do("rollout", "preview", str(plan)).stdout == "of 2 accounts 2 now, 1 then\ngained 0, lost 1\n"
    changed = do("rollout", "change", str(plan), "--reason", "a trial").stdout.splitlines()
    assert changed[-1] == "guard\tliked at least 0.5\tmeasured -\tholds"
    assert json.loads(do("rollout", "plan").stdout)["testers"] == ["ada"]
    assert do("rollout", "promote", "--reason", "it went well").stdout.splitlines()[1] == "stage\t5 %"
    assert do("rollout", "back", "1", "--reason", "too early").stdout.splitlines()[:2] == [
        "version\t3",
        "stage\ttesters",
    ]
    rows = [line.split("\t") for line in do("rollout", "history").stdout.splitlines()]
    assert [(row[0], row[2], row[3], row[4]) for row in rows] == [
        ("3", "testers", "command line", "too early"),
        ("2", "5 %", "command line", "it went well"),
        ("1", "testers", "command line", "a trial"),
        ("0", "everyone", "settings", ""),
    ]
    assert do("rollout", "figures").stdout.splitlines()[0] == "figure"
    plan.write_text(json.dumps({"stage": "nowhere"}))
    refused = do("rollout", "change", str(plan), "--reason", "x")
    assert (refused.exit_code, refused.stderr.splitlines()[0]) == (
        2,
        "parola: stage: One of off, testers, percent, everyone.",
    )


def test_evidence_is_written_to_a_file_once_and_that_is_written_down(folder: Path) -> None:
    assert do("evidence-key", "public").exit_code == 2, "no server has made a key yet"
    assert do("evidence-key", "new").stdout.startswith("key ")
    public = do("evidence-key", "public").stdout
    assert public.startswith("public:")
    asyncio.run(_sealed(folder, public))
    out = folder / "heard.ogg"
    about = cells("evidence", "report")
    assert [row[0] for row in about] == ["room", "sealed", "expires", "length", "from", "spoke"]
    assert about[3:] == [
        ["length", "1.0"],
        ["from", "0.0", "2023-11-14T22:13:20.000Z"],
        ["spoke", "0.0", "1.0", "@ada"],
    ]
    assert cells("audit", "list") == [], "that is no hearing"
    assert cells("evidence", "report", "--out", str(out), "--reason", "a court asks") == about
    assert out.read_bytes()[:4] == b"OggS"
    assert out.stat().st_mode & 0o777 == 0o600
    last = do("audit", "list").stdout.splitlines()[0].split("\t")
    assert last[2:] == ["command line", "listen", "evidence report", "a court asks"]
    again = do("evidence", "report", "--out", str(out), "--reason", "a court asks")
    assert (again.exit_code, again.stderr) == (2, f"parola: {out}: File exists\n")
    missing = do("evidence", "none", "--out", str(folder / "none.ogg"), "--reason", "x")
    assert (missing.exit_code, missing.stderr) == (2, "parola: there is no such thing\n")
    empty = do("evidence", "report", "--out", str(folder / "none.ogg"), "--reason", " ")
    assert (empty.exit_code, empty.stderr) == (2, "parola: This must not be empty.\n")
    unsaid = do("evidence", "report", "--out", str(folder / "none.ogg"))
    assert (unsaid.exit_code, unsaid.stderr) == (2, "parola: This must not be empty.\n")
    assert not (folder / "none.ogg").exists()
    assert len(do("audit", "list").stdout.splitlines()) == 1
    assert do("evidence-key", "new").exit_code == 0
    assert do("evidence", "report", "--out", str(folder / "2.ogg"), "--reason", "x").exit_code == 0
    (folder / "evidence.key").unlink()
    assert cells("evidence", "report")[-1] == [
        "sound",
        "the key that opens it is not here, or it was changed",
    ]


async def _sealed(folder: Path, public: str) -> None:
    """A second of silence for "report", as a server would have sealed it."""
    growing = Growing("room", 1, 0, 1_700_000_000_000, 0.0)
    for tick in range(50):
        growing.add(tick, ("ada",), bytes.fromhex("f8fffe"))
    data = packed([(1, PublicKey.parse(public).seal(growing.closed(), context("room", 1)))])
    await Blobs((folder / "blobs").as_uri()).put("evidence/x", data)
    store = Store.open(f"sqlite+aiosqlite:///{folder / 'parola.db'}")
    now = milliseconds(clock.now())
    sealed = SealedEvidence("report", "room", "evidence/x", "", len(data), now, now + 86_400_000)
    assert await store.evidence.put(sealed, None)
    await store.close()
