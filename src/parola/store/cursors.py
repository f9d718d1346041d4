"""Where a page of a list ends: the last row's place, opaque to whoever passes it on."""

from __future__ import annotations

import base64
import binascii
import re

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class BadCursor(ValueError):
    """A cursor that this store has not made."""


def make_cursor(at: int, id: str) -> str:
    """`at` is the milliseconds that the list is sorted by, `id` decides between equals."""
    return base64.urlsafe_b64encode(f"{at}:{id}".encode()).decode().rstrip("=")


def parse_cursor(cursor: str) -> tuple[int, str]:
    """Raises BadCursor."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, _, id = text.partition(":")
        number = int(at)
    except (binascii.Error, ValueError) as error:
        raise BadCursor(cursor) from error
    if not _ID.fullmatch(id) or abs(number) >= 1 << 62:
        raise BadCursor(cursor)
    return number, id
