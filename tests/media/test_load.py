"""Whom a loaded media process still lets in: measured in virtual time, without a clock or a socket."""

from __future__ import annotations

import pytest

from parola.domain.errors import Unavailable
from parola.media.load import (
    DESCRIPTORS_ARE_FULL,
    HEARTBEAT_S,
    LATE_IS_FULL_S,
    LATE_IS_STARVED_S,
    Load,
    LoadMeter,
    Newcomer,
    Sample,
)


class Seconds:
    """A process second by second; what `go` is not told stays calm."""

    def __init__(self) -> None:
        self.load = Load()
        self._now = self._cpu_s = 0.0
        self._sent = self._unsent = 0
        self.go()

    def go(
        self,
        seconds: int = 1,
        late_s: float = 0.001,
        cpu: float = 0.4,
        sending: float = 0.3,
        sending_late_s: float = 0.005,
        unsent: int = 0,
        descriptors: int = 20,
        connections: int = 10,
    ) -> Load:
        for _ in range(seconds):
            self._now += 1
            self._cpu_s += cpu
            self._sent += 1000 - unsent
            self._unsent += unsent
            self.load.take(
                Sample(
                    self._now,
                    late_s,
                    sending_late_s,
                    self._cpu_s,
                    sending,
                    self._sent,
                    self._unsent,
                    descriptors,
                    100,
                    connections,
                )
            )
        return self.load


PRESSURES = {
    "lateness": {"late_s": LATE_IS_FULL_S},
    "cpu": {"cpu": 0.9},
    "sending": {"sending": 0.95},
    "sending_late": {"sending_late_s": 0.12},
    "unsent": {"unsent": 10},
    "descriptors": {"descriptors": int(DESCRIPTORS_ARE_FULL * 100) + 1},
}


def test_a_calm_process_takes_everybody_and_its_load_is_what_it_measured() -> None:
    load = Seconds().go(5, cpu=0.17, sending=0.01, connections=0)
    assert load.value == pytest.approx(0.2)
    assert load.reason is None
    assert all(load.admits(newcomer) for newcomer in Newcomer)


@pytest.mark.parametrize("reason", PRESSURES)
def test_each_pressure_is_named_and_passes(reason: str) -> None:
    seconds = Seconds()
    load = seconds.go(5, **PRESSURES[reason])  # type: ignore[arg-type]
    assert load.reason == reason
    assert load.value >= 1.0
    assert not load.admits(Newcomer.LISTENER)
    assert load.admits(Newcomer.RETURNING)
    load = seconds.go(5)
    assert load.reason is None
    assert load.value < 1.0
    assert load.admits(Newcomer.LISTENER)


def test_one_bad_second_is_a_hiccup_two_of_three_are_pressure() -> None:
    seconds = Seconds()
    assert seconds.go(late_s=0.3).reason is None
    assert seconds.go(2).reason is None
    assert seconds.go(late_s=0.3).reason is None
    assert seconds.go(late_s=0.3).reason == "lateness"


def test_the_first_second_of_a_life_decides_nothing() -> None:
    load = Seconds().go(late_s=5.0)
    assert load.admits(Newcomer.LISTENER)


def test_whoever_is_kept_waiting_by_others_helps_nobody_by_refusing() -> None:
    seconds = Seconds()
    load = seconds.go(5, cpu=0.02, late_s=LATE_IS_STARVED_S / 2)
    assert load.admits(Newcomer.LISTENER)
    assert 0.3 < load.value < 1.0  # but others are better placed
    assert seconds.go(5, cpu=0.0, late_s=LATE_IS_STARVED_S).reason == "lateness"


def test_the_stage_is_worth_more_than_the_hall() -> None:
    seconds = Seconds()
    admitted = []
    for late_s in (0.02, 0.04, 0.06, 0.5):
        load = seconds.go(3, late_s=late_s)
        admitted.append({newcomer.name for newcomer in Newcomer if load.admits(newcomer)})
    assert admitted == [
        {"LISTENER", "SPEAKER", "RETURNING"},
        {"SPEAKER", "RETURNING"},
        {"RETURNING"},
        set(),
    ]


def test_whoever_was_full_stays_so_until_it_is_clearly_calmer() -> None:
    seconds = Seconds()
    seconds.go(3, late_s=0.06)
    just_below = seconds.go(5, late_s=LATE_IS_FULL_S - 0.002)
    assert just_below.reason == "lateness"
    assert just_below.value == 1.0
    assert seconds.go(5, late_s=LATE_IS_FULL_S / 2).reason is None


def test_connections_that_cost_nothing_draw_others_elsewhere_and_refuse_nobody() -> None:
    few = Seconds().go(3, connections=10).value
    load = Seconds().go(3, connections=100_000)
    assert few < load.value < 1.0
    assert load.admits(Newcomer.LISTENER)


class Meter:
    """A LoadMeter whose clock is turned by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.tick_late_s = 0.0
        self.meter = LoadMeter(lambda: self.now, lambda: self.tick_late_s, {}, lambda: 0, lambda: 0)

    async def second(self, blocked_s: float = 0.0) -> None:
        for _ in range(10):
            await self.meter.heartbeat()
            self.now += HEARTBEAT_S
        self.now += blocked_s
        await self.meter.heartbeat()
        await self.meter.measure()


async def test_a_silent_process_that_is_blocked_notices_it_by_its_heartbeat() -> None:
    meter = Meter()
    for _ in range(4):
        await meter.second()
    assert meter.meter.load.reason is None
    for _ in range(3):
        await meter.second(blocked_s=0.4)
    assert meter.meter.load.figures["late_ms"] == pytest.approx(400)
    with pytest.raises(Unavailable) as refused:
        meter.meter.admit(Newcomer.LISTENER)
    assert (refused.value.code, refused.value.retry_after_s) == ("full", 2)
    assert meter.meter.refused == 1


async def test_late_ticks_count_where_the_heartbeat_was_lucky() -> None:
    meter = Meter()
    meter.tick_late_s = 0.2
    for _ in range(4):
        await meter.second()
    assert meter.meter.load.reason == "lateness"
