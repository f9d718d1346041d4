"""How long packets are: longer step by step, shorter at once, and steady where what they depend on is steady."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parola.media.packet_time import CLIMB_EVERY_S, LONGEST, MEDIUM, Pace, PacketTime

PACE = Pace(medium_from=300, long_from=1500)
CALM = 0.1

listeners = st.integers(0, 5000)
loads = st.floats(0, 2)


def decided(
    packet_time: PacketTime, seconds: int, listeners: int, load: float, begin: float = 0.0
) -> list[int]:
    """What is said once a second."""
    return [packet_time.decide(listeners, load, begin + second) for second in range(seconds)]


def settled(packet_time: PacketTime, listeners: int, load: float, begin: float = 0.0) -> int:
    """What it comes to in the end."""
    return decided(packet_time, 30, listeners, load, begin)[-1]


@pytest.mark.parametrize(
    ("audience", "frames"),
    [(0, 1), (299, 1), (300, MEDIUM), (1499, MEDIUM), (1500, LONGEST), (9000, LONGEST)],
)
def test_an_audience_decides_how_long_packets_become(audience: int, frames: int) -> None:
    assert settled(PacketTime(PACE), audience, 0.0) == frames


@pytest.mark.parametrize(
    ("load", "frames"), [(0.0, 1), (0.54, 1), (0.56, MEDIUM), (2.2, MEDIUM), (2.3, LONGEST)]
)
def test_a_load_is_answered_with_the_shortest_packets_that_it_allows(load: float, frames: int) -> None:
    """`load` at 20 ms packets; longer ones bring it down by as much as they are longer."""
    packet_time = PacketTime(PACE)
    for second in range(30):
        packet_time.decide(10, load / packet_time.frames, float(second))
    assert packet_time.frames == frames


def test_packets_grow_by_one_frame_at_a_time_and_not_before_three_seconds_have_passed() -> None:
    said = decided(PacketTime(PACE), 20, 2000, 0.0)
    assert said == [1 + min(5, 1 + second // 3) for second in range(20)]


def test_packets_shrink_the_whole_way_at_once() -> None:
    packet_time = PacketTime(PACE)
    assert settled(packet_time, 2000, 0.0) == LONGEST
    assert packet_time.decide(10, 0.0, 30.0) == 1


def test_an_audience_that_comes_back_at_once_still_waits_for_its_turn_to_grow() -> None:
    packet_time = PacketTime(PACE)
    assert decided(packet_time, 4, 2000, 0.0)[-1] == 3
    assert packet_time.decide(10, 0.0, 3.5) == 1
    assert packet_time.decide(2000, 0.0, 4.0) == 1
    assert packet_time.decide(2000, 0.0, 3.0 + CLIMB_EVERY_S) == 2


@pytest.mark.parametrize(
    ("many", "frames", "kept", "fewer"), [(300, MEDIUM, 240, 1), (1500, LONGEST, 1200, MEDIUM)]
)
def test_a_few_who_come_and_go_at_a_limit_change_nothing(
    many: int, frames: int, kept: int, fewer: int
) -> None:
    packet_time = PacketTime(PACE)
    assert settled(packet_time, many - 1, 0.0) == fewer
    assert settled(packet_time, many, 0.0, 100.0) == frames
    assert set(decided(packet_time, 10, kept, 0.0, 200.0)) == {frames}
    assert packet_time.decide(kept - 1, 0.0, 300.0) == fewer


def test_long_packets_do_not_call_themselves_back() -> None:
    """A third of the packets is a third of the load: taken for calm, it would bring the short ones back."""
    packet_time = PacketTime(PACE)
    assert settled(packet_time, 10, 0.6) == MEDIUM
    assert set(decided(packet_time, 60, 10, 0.6 / MEDIUM, 100.0)) == {MEDIUM}
    assert set(decided(packet_time, 60, 10, 0.45 / MEDIUM, 200.0)) == {MEDIUM}, (
        "too little less to be sure of"
    )
    assert packet_time.decide(10, 0.43 / MEDIUM, 300.0) == 1


def test_a_process_that_suffers_at_its_longest_packets_keeps_to_them() -> None:
    packet_time = PacketTime(PACE)
    assert settled(packet_time, 10, 1.5) == LONGEST
    assert set(decided(packet_time, 10, 10, 0.31, 100.0)) == {LONGEST}
    assert packet_time.decide(10, 0.29, 200.0) == MEDIUM


def test_where_the_load_is_not_of_packets_they_stay_short_and_come_back() -> None:
    """Thirty rooms that are mixed for five listeners each fill a process, too."""
    packet_time = PacketTime(PACE)
    assert [packet_time.decide(5, 0.9, float(second), crowd=150) for second in range(10)] == [1] * 10
    for second in range(30):
        packet_time.decide(5, 0.15 + 0.75 / packet_time.frames, 100.0 + second, crowd=2500)
    assert packet_time.frames == MEDIUM
    assert packet_time.decide(5, 0.5, 200.0, crowd=2500) == MEDIUM, "with short ones it would be full"
    assert packet_time.decide(5, 0.5, 300.0, crowd=150) == 1


def test_load_and_audience_each_have_their_say() -> None:
    assert settled(PacketTime(PACE), 2000, CALM) == LONGEST
    assert settled(PacketTime(PACE), 300, 0.9 / MEDIUM) == MEDIUM
    assert settled(PacketTime(PACE), 10, 0.8) == LONGEST, "it stays so high although packets are long"


@pytest.mark.parametrize("frames", range(1, LONGEST + 1))
def test_an_operator_who_fixes_the_length_has_it_from_the_first_packet(frames: int) -> None:
    packet_time = PacketTime(Pace(fixed=frames))
    assert packet_time.frames == frames
    for audience, load in ((0, 0.0), (5000, 0.0), (10, 2.0)):
        assert set(decided(packet_time, 10, audience, load)) == {frames}


@given(st.lists(st.tuples(st.floats(0, 5), listeners, loads), max_size=200))
def test_whatever_happens_packets_grow_slowly_and_stay_what_opus_allows(
    steps: list[tuple[float, int, float]],
) -> None:
    packet_time, now = PacketTime(PACE), 1000.0
    said, climbed = [packet_time.frames], []
    for passed, audience, load in steps:
        now += passed
        said.append(packet_time.decide(audience, load, now))
        if said[-1] > said[-2]:
            climbed.append(now)
    assert all(1 <= frames <= LONGEST for frames in said)
    assert all(after - before <= 1 for before, after in pairwise(said))
    assert all(later - earlier >= CLIMB_EVERY_S for earlier, later in pairwise(climbed))


@given(st.lists(st.tuples(listeners, loads), max_size=20), listeners, st.floats(0, 0.5), st.floats(0, 5))
def test_a_house_in_which_nothing_changes_comes_to_rest(
    before: list[tuple[int, float]], audience: int, fixed: float, of_packets: float
) -> None:
    """Whatever went before. A part of the load is of packets, and goes down as they grow; another is not."""
    packet_time = PacketTime(PACE)
    for second, (earlier, load) in enumerate(before):
        packet_time.decide(earlier, load, float(second))
    said = [
        packet_time.decide(audience, fixed + of_packets / packet_time.frames, float(second))
        for second in range(100, 160)
    ]
    assert len(set(said[20:])) == 1


@given(listeners, listeners, st.floats(0, 1), st.floats(0, 1))
def test_more_listeners_or_more_load_never_make_packets_shorter(
    some: int, more: int, low: float, high: float
) -> None:
    some, more, low, high = min(some, more), max(some, more), min(low, high), max(low, high)
    assert settled(PacketTime(PACE), some, low) <= settled(PacketTime(PACE), more, high)
