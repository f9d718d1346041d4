"""The embedded nats-server: where it is, and which of its words are passed on."""

from __future__ import annotations

import shutil
import sysconfig
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from parola.supervisor import StartError
from parola.supervisor.bus import EmbeddedNats, _repeat


def test_its_warnings_and_errors_are_passed_on_and_its_news_are_not() -> None:
    with capture_logs() as said:
        _repeat("[17] [INF] Server is ready")
        _repeat("[17] [WRN] Maximum payloads over 8.00 MB are generally discouraged")
        _repeat("[17] [FTL] Error listening on port")
        _repeat("nats-server: no such file")
        _repeat("")
    assert [(x["log_level"], x["words"]) for x in said] == [
        ("warning", "Maximum payloads over 8.00 MB are generally discouraged"),
        ("error", "Error listening on port"),
        ("error", "nats-server: no such file"),
    ]


def test_without_a_server_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(StartError, match="PAROLA_NATS_URL"):
        EmbeddedNats(tmp_path / "nats")


def test_each_start_has_a_secret_of_its_own(tmp_path: Path) -> None:
    first, second = EmbeddedNats(tmp_path / "nats").token, EmbeddedNats(tmp_path / "nats").token
    assert first != second
    assert first.isalnum()
    assert first.startswith("t")
