"""Which tick was the latest, out of what the server tells and what was heard."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bench.listeners import tables
from bench.listeners.reckoning import Delivered, reckon
from bench.listeners.scenarios.rooms import latest_tick_ms


@pytest.fixture
def heard() -> Delivered:
    nothing = tables.streams(1, 1)
    found = reckon(nothing, nothing, 0, 10**9, 1, np.zeros(tables.BINS, np.int64))
    return replace(found, late_ms=(0.1, 1.0, 3.0, 11.0))


def test_the_latest_packet_is_nearer_than_its_buckets_bound(heard: Delivered) -> None:
    assert latest_tick_ms(15.0, heard) == 11.0
    assert latest_tick_ms(10.0, heard) == 10.0, "the rest of it was on the way"


@pytest.mark.parametrize("left_out", [{"skipped_ms": 20.0}, {"missing": 1}])
def test_what_was_not_heard_shows_no_lateness(heard: Delivered, left_out: dict[str, float]) -> None:
    assert latest_tick_ms(100.0, replace(heard, **left_out)) == 100.0
