"""The command line: what it refuses, and in which words."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import pytest
from typer.testing import CliRunner

from parola import supervisor
from parola.cli import app
from parola.settings import Settings


@pytest.fixture(autouse=True)
def _a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAROLA_DATA_DIR", str(tmp_path / "data"))


def test_a_wrong_setting_is_named_and_nothing_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PAROLA_HTTP_PORT", "abc")
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2
    assert result.stderr.startswith("parola: PAROLA_HTTP_PORT: ")
    assert not (tmp_path / "data").exists()


def test_options_win_over_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    served: list[Settings] = []
    monkeypatch.setattr(supervisor, "serve", served.append)
    monkeypatch.setattr("parola.logs.configure", lambda _process: None)
    for name in ("HTTP_PORT", "UDP_PORT", "BIND"):
        monkeypatch.setenv(f"PAROLA_{name}", "")
    folder = tmp_path / "other"
    options = ["--port", "9000", "--udp-port", "9100", "--bind", "127.0.0.2", "--data-dir", str(folder)]
    assert CliRunner().invoke(app, ["serve", *options]).exit_code == 0
    (settings,) = served
    assert (settings.http_port, settings.udp_port, settings.bind) == (9000, 9100, "127.0.0.2")
    assert settings.data_dir == folder


def test_what_cannot_start_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_settings: Settings) -> None:
        raise supervisor.StartError("TCP port 8080 is in use\nUDP port 7882 is in use")

    monkeypatch.setattr(supervisor, "serve", refuse)
    monkeypatch.setattr("parola.logs.configure", lambda _process: None)
    result = CliRunner().invoke(app, ["serve"])
    assert result.exit_code == 2
    assert result.stderr == "parola: TCP port 8080 is in use\nparola: UDP port 7882 is in use\n"


def test_the_processes_own_commands_are_hidden() -> None:
    words = CliRunner().invoke(app, ["--help"]).stdout
    assert all(name in words for name in ("serve", "invite", "speak", "listen", "demo"))
    assert "process" not in words.replace("processes", "")


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(sys.modules):
        if name.startswith("parola.client") or name.partition(".")[0] == "aiortc":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiortc", None)
    result = CliRunner().invoke(app, ["listen", "http://localhost:8080/r/x"])
    assert result.exit_code == 2
    assert "pip install 'parola[client]'" in result.stderr
    assert "aiortc" in result.stderr


def test_a_client_that_fails_says_why_in_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(*_arguments: object) -> None:
        raise ValueError("that is no room's address")

    listen = types.ModuleType("parola.client.listen")
    listen.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "parola.client.listen", listen)
    result = CliRunner().invoke(app, ["listen", "nonsense"])
    assert (result.exit_code, result.stderr) == (2, "parola: that is no room's address\n")
