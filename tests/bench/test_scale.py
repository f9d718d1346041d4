"""The reckoning of machines: it adds up, it follows the scarcest resource, and the documentation says what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.scale.model import Costs, Machine, Room, plan
from bench.scale.tables import written

COSTS = Costs.measured()
MACHINE = Machine(4, 8, 1)
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("listeners", [0, 1, 511, 10_000, 300_000])
def test_everybody_is_served_once_and_nobody_beyond_the_plan(listeners: int) -> None:
    bill = plan([Room(listeners)], MACHINE, COSTS)
    assert sum(process.listeners for process in bill.processes) == listeners
    assert all(process.load(MACHINE) <= 1 for process in bill.processes)
    assert len(bill.processes) == bill.media * MACHINE.processes


def test_twice_the_link_is_half_the_machines_where_the_link_ends_first() -> None:
    room = [Room(400_000)]
    one, two = plan(room, MACHINE, COSTS), plan(room, replace(MACHINE, gbit=2), COSTS)
    assert one.ends == two.ends == "link"
    assert one.media == pytest.approx(2 * two.media, rel=0.1)


def test_where_the_link_is_wide_it_is_the_cores_that_end() -> None:
    assert plan([Room(400_000)], replace(MACHINE, gbit=100), COSTS).ends in ("event loop", "sender")


def test_a_frame_crosses_the_bus_once_for_each_further_process() -> None:
    bill = plan([Room(200_000)], MACHINE, COSTS)
    assert bill.hops == sum(1 for process in bill.processes if process.listeners) - 1
    assert plan([Room(200_000, talkers=0)], MACHINE, COSTS).hops == 0, "nobody is told of silence"


def test_talkers_cost_their_room_and_no_listener() -> None:
    one, ten = (plan([Room(5000, talkers)], MACHINE, COSTS) for talkers in (1, 10))
    assert sum(p.sender for p in one.processes) == sum(p.sender for p in ten.processes)
    assert sum(p.loop for p in ten.processes) - sum(p.loop for p in one.processes) == pytest.approx(
        9 * COSTS.speaker_us / 1e6
    )


@pytest.mark.parametrize("document", ["docs/scale.md", "docs/operating.md"])
def test_the_documentation_has_the_tables_that_come_out(document: str) -> None:
    text = (ROOT / document).read_text()
    assert "<!-- scale: " in text
    assert text == written(text), "python -m bench.scale --write"
