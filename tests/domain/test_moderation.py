"""How urgent a report is, what may be said, how long a measure may last, and who decides an appeal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from parola.domain.errors import Conflict, Invalid
from parola.domain.moderation import (
    LONGEST,
    TEXT_LENGTH,
    About,
    Measure,
    Reason,
    check_decider,
    check_until,
    joined,
    parse_text,
    rank,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
HOUR_MS = 3_600_000
SPAM = frozenset({Reason.SPAM})


def test_the_older_the_more_reported_and_the_graver_comes_first() -> None:
    assert rank(1000, 1, SPAM) == 1000
    assert rank(1000, 1, SPAM) < rank(1001, 1, SPAM)
    assert rank(1000 + HOUR_MS, 2, SPAM) < rank(1000, 1, SPAM) < rank(1000 + 3 * HOUR_MS, 2, SPAM)
    grave = [frozenset({reason}) for reason in (Reason.MINORS, Reason.VIOLENCE, Reason.HATE, Reason.SPAM)]
    assert [rank(0, 1, reasons) for reasons in grave] == sorted(rank(0, 1, reasons) for reasons in grave)
    assert rank(0, 1, frozenset({Reason.SPAM, Reason.MINORS})) == rank(0, 1, frozenset({Reason.MINORS}))


def test_what_is_the_same_thing() -> None:
    assert About("ada", "room").subject == About("ada", "room").subject
    assert len({About("ada", "room").subject, About("ada", None).subject, About("bob", "room").subject}) == 3


def test_what_may_be_said() -> None:
    assert parse_text("text", "  two\r\nlines ") == "two\nlines"
    assert parse_text("text", "") == ""
    assert parse_text("text", "x" * TEXT_LENGTH) == "x" * TEXT_LENGTH
    for text, needed in (("x" * (TEXT_LENGTH + 1), False), ("\x00", False), ("\ud800", False), (" ", True)):
        with pytest.raises(Invalid):
            parse_text("text", text, needed)


def test_what_is_said_again_is_added_and_never_grows_without_end() -> None:
    assert joined("", "first") == "first"
    assert joined("first", "") == "first"
    assert joined("first", "second") == "first\n\nsecond"
    assert joined("first\n\nsecond", "second") == "first\n\nsecond"
    long = ""
    for number in range(50):
        long = joined(long, f"{number:02} " + "x" * 900)
    assert len(long) <= 4 * TEXT_LENGTH
    assert "49 x" in long


@pytest.mark.parametrize("measure", list(Measure))
def test_what_has_an_end(measure: Measure) -> None:
    check_until(measure, None, NOW)
    later = NOW + timedelta(hours=1)
    if measure in (Measure.SUSPEND, Measure.REMOVE):
        check_until(measure, later, NOW)
        check_until(measure, NOW + LONGEST, NOW)
        for wrong in (NOW, NOW - timedelta(hours=1), NOW + LONGEST + timedelta(seconds=1)):
            with pytest.raises(Invalid):
                check_until(measure, wrong, NOW)
    else:
        with pytest.raises(Invalid):
            check_until(measure, later, NOW)


def test_somebody_else_decides_where_there_is_anybody() -> None:
    check_decider("other", "root", others=True)
    check_decider("root", "root", others=False)
    with pytest.raises(Conflict):
        check_decider("root", "root", others=True)
