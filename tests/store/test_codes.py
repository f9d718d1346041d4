from __future__ import annotations

import pytest

from parola.store import codes


def test_an_id_is_never_taken_for_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(["-rf", "--help", "_fine"])
    monkeypatch.setattr("parola.store.codes.secrets.token_urlsafe", lambda size: next(drawn))
    assert codes.new_id() == "_fine"
