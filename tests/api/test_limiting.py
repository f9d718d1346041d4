"""A minute's allowance, in virtual time."""

from __future__ import annotations

import pytest

from parola.api.limiting import COMMANDS, OPEN_CONNECTIONS, SIGN_INS, SIGN_UPS, Limits, counted_as
from parola.domain.errors import TooMany


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_sixty_in_any_sixty_seconds(clock: Clock) -> None:
    limits = Limits(True, clock)
    for _ in range(SIGN_UPS):
        limits.sign_up("192.0.2.1")
        clock.now += 0.5
    with pytest.raises(TooMany) as refused:
        limits.sign_up("192.0.2.1")
    assert refused.value.retry_after_s == 30  # the first was half a minute ago
    limits.sign_up("192.0.2.2")
    clock.now += 29.9
    with pytest.raises(TooMany):
        limits.sign_up("192.0.2.1")
    clock.now += 0.1
    limits.sign_up("192.0.2.1")
    with pytest.raises(TooMany):
        limits.sign_up("192.0.2.1")


def test_whoever_keeps_asking_waits_no_longer(clock: Clock) -> None:
    limits = Limits(True, clock)
    for _ in range(COMMANDS):
        limits.command("ada", "192.0.2.1")
    for _ in range(1000):
        with pytest.raises(TooMany):
            limits.command("ada", "192.0.2.1")
    clock.now += 60
    limits.command("ada", "192.0.2.1")


def test_an_account_that_has_had_enough_costs_its_address_nothing(clock: Clock) -> None:
    limits = Limits(True, clock)
    for n in range(SIGN_INS):
        limits.sign_in("ada", f"192.0.2.{n}")
    for _ in range(SIGN_INS + 1):
        with pytest.raises(TooMany):
            limits.sign_in("ada", "192.0.2.100")
    limits.sign_in("bob", "192.0.2.100")


def test_nobody_is_remembered_for_longer_than_two_minutes(clock: Clock) -> None:
    limits = Limits(True, clock)
    for n in range(1000):
        limits.sign_in(f"nobody{n}", f"address{n}")
    clock.now += 61
    limits.sign_in("ada", "192.0.2.1")
    assert len(limits._sign_ins._hits) == 2


def test_open_connections_of_an_address_are_bounded(clock: Clock) -> None:
    limits = Limits(True, clock)
    for _ in range(OPEN_CONNECTIONS):
        limits.connect("192.0.2.1")
    with pytest.raises(TooMany):
        limits.connect("192.0.2.1")
    limits.connect("192.0.2.2")
    limits.disconnect("192.0.2.1")
    limits.connect("192.0.2.1")


def test_benchmarks_know_no_limits(clock: Clock) -> None:
    limits = Limits(False, clock)
    for _ in range(OPEN_CONNECTIONS + 1):
        limits.connect("192.0.2.1")
        limits.sign_up("192.0.2.1")
        limits.command("ada", "192.0.2.1")


def test_one_subscriber_is_one_address() -> None:
    assert counted_as("192.0.2.1") == counted_as("::ffff:192.0.2.1") == "192.0.2.1"
    assert (
        counted_as("2001:db8:1:2::1") == counted_as("2001:db8:1:2:ffff::9") != counted_as("2001:db8:1:3::1")
    )
    assert counted_as("fe80::1%eth0") == counted_as("fe80::2")
    for other in ("unknown", "", "a:b"):
        assert counted_as(other) == other
