"""What a fuzzer has found, and inputs as they ought to be, through every target: nothing of it may come back."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from fuzz.targets import NAMES

FIXTURES = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize("name", NAMES)
def test_seeds_whole_and_cut(name: str) -> None:
    target = importlib.import_module(f"fuzz.targets.{name}")
    assert target.SEEDS
    target.check(b"")
    for seed in target.SEEDS:
        for data in (seed, seed[:-1], seed[1:], seed[: len(seed) // 2], seed + b"\0", seed + seed):
            target.check(data)


@pytest.mark.parametrize(
    "path", sorted(FIXTURES.glob("*/*")), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_what_was_found_once(path: Path) -> None:
    importlib.import_module(f"fuzz.targets.{path.parent.name}").check(path.read_bytes())


def test_fixtures_belong_to_a_target() -> None:
    assert {path.name for path in FIXTURES.iterdir()} <= set(NAMES)
