from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from parola.domain.moments import from_milliseconds, milliseconds


@given(st.integers(min_value=-(10**13), max_value=10**14))
def test_there_and_back_is_exact(ms: int) -> None:
    assert milliseconds(from_milliseconds(ms)) == ms


def test_what_is_less_than_a_millisecond_is_left_out_in_any_zone() -> None:
    at = datetime(1970, 1, 1, 1, 0, 0, 1999, tzinfo=timezone(timedelta(hours=1)))
    assert milliseconds(at) == 1
    assert from_milliseconds(1) == datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC)
