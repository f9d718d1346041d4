"""How many listeners each server of the comparison is given."""

from __future__ import annotations

import pytest

from bench.listeners.scenarios.compare import _CROWD, _CROWDS, _plan
from bench.listeners.scenarios.options import Options


@pytest.mark.parametrize(
    ("options", "free", "fixed", "other"),
    [
        (Options(), 10_000, 3000, 500),
        (Options(large=2000), 2000, 3000, 500),
        (Options(listeners=40), 40, 40, 40),
        (Options(listeners=40, large=400), 400, 40, 40),
    ],
)
def test_parola_is_free_in_a_large_room(options: Options, free: int, fixed: int, other: int) -> None:
    plan = _plan(options, 1, _CROWDS, _CROWD)
    assert [plan(name).listeners for name in ("parola", "parola-20", "livekit")] == [free, fixed, other]
