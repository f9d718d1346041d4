"""`parola admin` on a database of its own, without a server."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from parola.cli import app
from parola.domain.evidence import Growing, context, packed
from parola.domain.moderation import About, Reason
from parola.domain.moments import milliseconds
from parola.rtp.hpke import PublicKey
from parola.services import clock
from parola.store import Blobs, SealedEvidence, Store

pytestmark = pytest.mark.any_database


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
    id = asyncio.run(_report(folder))
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


def test_words_are_blocked(folder: Path) -> None:
    assert do("words", "add", "Nonsense").exit_code == 0
    assert do("words", "list").stdout.split("\t")[0] == "Nonsense"
    assert do("words", "remove", "n0nsense").exit_code == 0
    assert do("words", "remove", "nonsense").exit_code == 2


async def _report(folder: Path) -> str:
    store = Store.open(f"sqlite+aiosqlite:///{folder / 'parola.db'}")
    ada, bob = await store.accounts.by_handle("ada"), await store.accounts.by_handle("bob")
    assert ada is not None
    assert bob is not None
    about = About(bob.id, None)
    said = await store.reports.file(about, ada.id, Reason.SPAM, "again and again", None, clock.now())
    await store.close()
    return said.report.id


def test_the_policy_of_invitations(folder: Path) -> None:
    assert do("invitations", "policy").stdout.splitlines()[:2] == ["each\t5", "more\t1"]
    changed = do("invitations", "change", "--each", "9", "--waitlist-a-day", "3", "--reason", "more of us")
    assert changed.exit_code == 0
    assert {"each\t9", "more\t1", "waitlist_a_day\t3"} <= set(do("invitations", "policy").stdout.splitlines())
    refused = do("invitations", "change", "--days", "0", "--reason", "x")
    assert refused.exit_code == 2
    assert "days: A number from 1 to 30 is wanted." in refused.stderr


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
    result = do("evidence", "report", "--out", str(out), "--reason", "a court asks")
    assert result.stdout == "0.0\t\t2023-11-14T22:13:20.000Z\n0.0\t1.0\t@ada\n", result.stderr
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
    assert not (folder / "none.ogg").exists()
    assert len(do("audit", "list").stdout.splitlines()) == 1
    assert do("evidence-key", "new").exit_code == 0
    assert do("evidence", "report", "--out", str(folder / "2.ogg"), "--reason", "x").exit_code == 0


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
