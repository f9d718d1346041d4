"""A minute's allowance, in virtual time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from parola.api.limiting import (
    APPEALS,
    COMMANDS,
    FOLLOWS,
    HANDS,
    INVITATIONS,
    MESSAGES,
    OPEN_CONNECTIONS,
    PROOFS,
    REPORTS,
    ROOMS,
    SIGN_INS,
    SIGN_INS_OF_A_HANDLE,
    SIGN_UPS,
    Limits,
    counted_as,
)
from parola.domain.errors import TooMany
from parola.store import Store
from tests.web_process import WebProcess


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
    for n in range(SIGN_INS_OF_A_HANDLE):
        limits.sign_in("ada", f"192.0.2.{n}")
    for _ in range(SIGN_INS + 1):
        with pytest.raises(TooMany):
            limits.sign_in("ada", "198.51.100.1")
    limits.sign_in("bob", "198.51.100.1")


def test_who_guesses_keeps_the_owner_neither_out_nor_from_proving(clock: Clock) -> None:
    limits = Limits(True, clock)
    for _ in range(SIGN_INS):
        limits.sign_in("ada", "192.0.2.1")
    with pytest.raises(TooMany):
        limits.sign_in("ada", "192.0.2.1")
    limits.sign_in("ada", "198.51.100.1")
    for _ in range(PROOFS):
        limits.proof("ada")
    with pytest.raises(TooMany):
        limits.proof("ada")
    limits.sign_in("ada", "198.51.100.1")


def test_nobody_is_remembered_for_longer_than_two_minutes(clock: Clock) -> None:
    limits = Limits(True, clock)
    for n in range(1000):
        limits.sign_in(f"nobody{n}", f"address{n}")
    clock.now += 61
    limits.sign_in("ada", "192.0.2.1")
    assert len(limits._windows) == 2


@pytest.mark.parametrize(
    ("what", "most", "window_s"),
    [
        ("hand", HANDS, 60),
        ("follow", FOLLOWS, 60),
        ("message", MESSAGES, 60),
        ("invitation", INVITATIONS, 3600),
        ("report", REPORTS, 3600),
        ("appeal", APPEALS, 3600),
    ],
)
def test_what_reaches_others_is_bounded_for_each_account(
    clock: Clock, what: str, most: int, window_s: int
) -> None:
    limits = Limits(True, clock)
    hit = getattr(limits, what)
    for _ in range(most):
        hit("ada")
    with pytest.raises(TooMany) as refused:
        hit("ada")
    assert refused.value.retry_after_s == window_s
    hit("bob")
    clock.now += window_s - 1
    with pytest.raises(TooMany):
        hit("ada")
    clock.now += 1
    hit("ada")


def test_an_hour_is_remembered_while_minutes_are_forgotten(clock: Clock) -> None:
    limits = Limits(True, clock)
    for _ in range(REPORTS):
        limits.report("ada")
    for _ in range(50):
        clock.now += 61
        limits.sign_up("192.0.2.1")
    with pytest.raises(TooMany):
        limits.report("ada")


def test_the_wall_clock_matters_to_nobody(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(True, clock)
    for _ in range(SIGN_UPS):
        limits.sign_up("192.0.2.1")
    real = time.time
    for jump in (-3600, 3600):
        monkeypatch.setattr(time, "time", lambda jump=jump: real() + jump)
        with pytest.raises(TooMany) as refused:
            limits.sign_up("192.0.2.1")
        assert refused.value.retry_after_s == 60
        limits.sign_up(f"192.0.2.{jump}")


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


async def test_calls_that_reach_others_are_refused_with_a_time(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        ada, bob, _ = await web.members("ada", "bob", "carla")
        room = await ada.opens()
        calls = {
            f"/api/rooms/{room}/hands/me": (bob, HANDS),
            "/api/accounts/carla/follow": (bob, FOLLOWS),
            f"/api/rooms/{room}/invited/carla": (ada, MESSAGES),
        }
        for path, (who, most) in calls.items():
            said = {(await who.put(path)).status for _ in range(most)}
            assert said == {204}, path
            refused = await who.put(path)
            assert refused.said == (429, "too_many")
            assert 0 < int(refused.headers["retry-after"]) <= 60


async def test_an_hour_has_so_many_rooms_opened_or_started(store: Store, tmp_path: Path) -> None:
    async with WebProcess.go(store, tmp_path, limits="default") as web:
        ada, bob = await web.members("ada", "bob")
        room = await ada.opens(starts_at="2999-01-01T00:00:00Z")
        said = [(await ada.post(f"/api/rooms/{room}/start")).status for _ in range(ROOMS - 1)]
        assert said == [200] + [409] * (ROOMS - 2)
        refused = await ada.post("/api/rooms", json={"title": "One more"})
        assert refused.said == (429, "too_many")
        assert 60 < int(refused.headers["retry-after"]) <= 3600
        assert (await ada.post(f"/api/rooms/{room}/start")).said == (429, "too_many")
        await bob.opens()
