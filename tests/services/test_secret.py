"""The server's secret is made once, is for nobody else's eyes, and is whole whoever starts at the same time."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from parola.services.secret import Secret
from tests.push_service import decoded, encoded


def test_it_is_made_once_and_is_nobody_else_s(tmp_path: Path) -> None:
    path = tmp_path / "data" / "push-key"
    first = Secret.kept(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Secret.kept(path).public == first.public
    assert Secret(path.read_text().strip()).public == first.public
    assert [one.name for one in path.parent.iterdir()] == ["push-key"]
    point = decoded(first.public)
    assert (len(point), point[0]) == (65, 4)


def test_those_who_start_at_once_have_one(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as many:
        found = list(many.map(lambda _: Secret.kept(tmp_path / "push-key").public, range(64)))
    assert len(set(found)) == 1


def test_each_purpose_has_a_key_of_its_own() -> None:
    secret, other = Secret(encoded(bytes(31) + b"\x05")), Secret(encoded(bytes(31) + b"\x06"))
    assert secret.derived("one") == Secret(encoded(bytes(31) + b"\x05")).derived("one")
    assert len({secret.derived("one"), secret.derived("two"), other.derived("one")}) == 3


@pytest.mark.parametrize(
    "text", ["", "!", "AAAA", encoded(bytes(32)), encoded(b"\xff" * 32), encoded(bytes(33)), "é"]
)
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="base64url"):
        Secret(text)
