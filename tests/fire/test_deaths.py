"""The fault runs in short: who is killed, stopped, or cut off, on real processes. What is timed is for `make fire`;
here everything has to come to its end, and whatever is counted has to be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.figures import Figure
from fire.bus_killed import bus_killed
from fire.database_killed import database_killed
from fire.machine_lost import machine_lost
from fire.media_killed import media_killed
from fire.partition import partition
from fire.stopped import owner_stopped

pytestmark = [pytest.mark.waits, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(180)]


def counted(figures: list[Figure]) -> list[Figure]:
    """Those that no clock decides."""
    return [figure for figure in figures if figure.unit == ""]


async def test_a_killed_owner(tmp_path: Path) -> None:
    assert (
        len(await media_killed(tmp_path, kills=1)) == 3
    )  # that the stream went on as it was, it asserts itself


async def test_a_stopped_owner(tmp_path: Path) -> None:
    figures = counted(await owner_stopped(tmp_path, stopped_s=6.0))
    assert figures
    assert all(figure.holds for figure in figures), figures


async def test_a_lost_machine(tmp_path: Path) -> None:
    figures = counted(await machine_lost(tmp_path, rooms=1))
    assert len(figures) == 2
    assert all(figure.holds for figure in figures), figures


async def test_a_database_that_dies(tmp_path: Path) -> None:
    figures = counted(await database_killed(tmp_path, kills=1, calls=200))
    assert len(figures) == 4
    assert all(figure.holds for figure in figures), figures


async def test_a_bus_that_dies(tmp_path: Path) -> None:
    figures = counted(await bus_killed(tmp_path, kills=1))
    assert len(figures) == 2
    assert all(figure.holds for figure in figures), figures


async def test_a_parted_bus(tmp_path: Path) -> None:
    figures = counted(await partition(tmp_path, parted_s=10.0))
    assert len(figures) == 2
    assert all(figure.holds for figure in figures), figures
