"""Connections go where there is least to do, also within the second in which nobody has measured yet."""

from __future__ import annotations

from collections import Counter

from parola.services.placement import PLACED, Placement
from parola.store import Lease


def leases(beat: int = 1, **loads: float) -> dict[str, Lease]:
    return {process_id: Lease(process_id, "machine", beat, load) for process_id, load in loads.items()}


def test_the_least_loaded_takes_it() -> None:
    placement = Placement()
    alive = leases(p=0.5, q=0.2, r=0.4)
    assert placement.choose(alive) == "q"
    assert placement.choose(alive, without={"q"}) == "r"
    assert placement.choose(alive, without={"p", "q", "r"}) is None
    assert placement.choose({}) is None


def test_a_crowd_within_one_second_is_spread_by_load() -> None:
    placement = Placement()
    alive = leases(p=0.0, q=0.0, r=100 * PLACED)
    went = Counter(placement.choose(alive) for _ in range(300))
    assert abs(went["p"] - went["q"]) <= 1
    assert 32 <= went["r"] <= 35


def test_what_was_measured_since_replaces_the_guess() -> None:
    placement = Placement()
    for _ in range(50):
        placement.choose(leases(p=0.0))
    assert placement.choose(leases(p=0.0, q=10 * PLACED)) == "q"
    assert placement.choose(leases(beat=2, p=0.0, q=10 * PLACED)) == "p"


def test_listeners_stay_with_the_rooms_owner_until_it_has_much_more_to_do() -> None:
    placement = Placement()
    assert placement.choose(leases(p=0.2, q=0.0), near="p") == "p"
    assert placement.choose(leases(p=0.3, q=0.0), near="p") == "q"
    assert placement.choose(leases(p=0.0, q=0.0), without={"p"}, near="p") == "q"
    assert placement.choose(leases(q=0.0), near="dead") == "q"
