"""The reckoning of machines: it adds up, it follows the scarcest resource, and the documentation says what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bench.scale.model import USABLE, Costs, Machine, Room, plan
from bench.scale.tables import MANY_ROOMS, many_rooms, written
from parola.media.packet_time import LONGEST

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


def test_somebody_talks_in_three_of_ten_rooms() -> None:
    found = many_rooms()
    assert len(found) == MANY_ROOMS
    assert sum(room.talkers for room in found) == 0.3 * MANY_ROOMS
    assert found[0].talkers


def test_what_the_documentation_says_between_its_tables_follows_from_the_constants() -> None:
    text = " ".join((ROOT / "docs/scale.md").read_text().split())
    long, short = COSTS.bits(LONGEST), COSTS.packet_us * 50 + COSTS.listener_us
    headers = round((long - COSTS.program_bps) / 1000)
    assert f"{long / 1000:.0f} kbit/s for each listener, of which {headers} are headers" in text
    assert f"1 Gbit/s is full with {USABLE * 1e9 / long / 1000:.0f},000 listeners at 70 %" in text
    assert short / (COSTS.packet_us * 50 / LONGEST + COSTS.listener_us) == pytest.approx(4, abs=0.5)
    assert "50 packets a second are four times the work" in text
    assert f"about {round(1e5 / COSTS.talking_room_us) * 10} to a core" in text
    assert f"{COSTS.listener_kb:.0f} KB a listener" in text
    hundred_edges = 50 * (COSTS.bus_in_us + 100 * COSTS.bus_out_us) / 1e6
    assert hundred_edges == pytest.approx(1 / 20, rel=0.2)
