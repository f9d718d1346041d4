"""Moments as numbers: whole milliseconds since 1970, as they are stored and compared. Exact, where floats round."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def milliseconds(at: datetime) -> int:
    """Since 1970; what is less than one is left out."""
    return (at - _EPOCH) // _MS


def from_milliseconds(ms: int) -> datetime:
    """`ms` milliseconds after 1970 began, in UTC."""
    return _EPOCH + ms * _MS
