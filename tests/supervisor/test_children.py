"""What needs no process: pauses, the words for an end, and nats-server's lines."""

from __future__ import annotations

from parola.supervisor.children import Backoff, Patience, _how


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(Patience())
    assert [backoff.died(1.0) for _ in range(8)] == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0]


def test_a_long_life_is_forgiven_everything() -> None:
    backoff = Backoff(Patience())
    for _ in range(5):
        backoff.died(0.0)
    assert backoff.died(30.0) == 0.2
    assert backoff.died(29.9) == 0.4


def test_the_graces_leave_room_within_five_seconds() -> None:
    patience = Patience()
    assert patience.grace + patience.last_grace <= 4.5


def test_an_end_is_put_in_words() -> None:
    assert [_how(3), _how(0), _how(-9), _how(-200)] == ["exit 3", "exit 0", "SIGKILL", "signal 200"]
