"""Reports, what is done about them, and appeals: what may be said, how urgent it is, and who may decide.

A report is about one thing, and whoever reports the same thing while it is open adds a voice to it.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from parola.domain.errors import Conflict, Invalid

TEXT_LENGTH = 1000
LONGEST = timedelta(days=3660)
"""Of a suspension that has an end."""
_MOST_ADDED = 4000
_HOUR_MS = 3_600_000


class Reason(Enum):
    """Why somebody reports something."""

    SPAM = "spam"
    HARASSMENT = "harassment"
    HATE = "hate"
    VIOLENCE = "violence"
    SEXUAL = "sexual"
    MINORS = "minors"
    IMPERSONATION = "impersonation"
    OTHER = "other"


_HEAD_START_MS = {
    Reason.MINORS: 72 * _HOUR_MS,
    Reason.VIOLENCE: 24 * _HOUR_MS,
    Reason.SEXUAL: 6 * _HOUR_MS,
    Reason.HATE: 6 * _HOUR_MS,
}
"""As if it had waited for so much longer."""
_VOICE_MS = 2 * _HOUR_MS


class Measure(Enum):
    """What administrators do to an account."""

    WARN = "warn"
    REMOVE = "remove"
    """Out of all live rooms, and without the floor anywhere until a time, or until it is lifted."""
    SUSPEND = "suspend"
    BAN = "ban"
    """A suspension that is meant for good: it has no end of its own."""
    RESTORE = "restore"


class Decision(Enum):
    """What becomes of an appeal."""

    UPHELD = "upheld"
    LIFTED = "lifted"


@dataclass(frozen=True, slots=True)
class About:
    """What a report is about: at least one of the two is there. `account` is the host where only a room was named."""

    account: str
    room: str | None

    @property
    def subject(self) -> str:
        """The same for the same thing, and no longer than two ids."""
        return f"{self.account}@{self.room or ''}"


def rank(opened_at: int, voices: int, reasons: frozenset[Reason]) -> int:
    """Where a report stands in the queue, in milliseconds since 1970: the oldest first, and each further voice counts
    as if it had waited for two hours more."""
    return opened_at - (voices - 1) * _VOICE_MS - max((_HEAD_START_MS.get(r, 0) for r in reasons), default=0)


def parse_text(field: str, text: str, needed: bool = False) -> str:
    """What somebody tells the administration, line by line."""
    clean = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    for character in clean:
        if character != "\n" and unicodedata.category(character) in ("Cc", "Cs", "Co", "Cn"):
            raise Invalid.field(field, "This contains characters that cannot be shown.")
    if len(clean) > TEXT_LENGTH:
        raise Invalid.field(field, f"At most {TEXT_LENGTH} characters.")
    if needed and not clean:
        raise Invalid.field(field, "This must not be empty.")
    return clean


def joined(before: str, more: str) -> str:
    """What somebody said, and said again; the latest stays where it becomes too much."""
    if not more or before.endswith(more):
        return before
    return f"{before}\n\n{more}".strip()[-_MOST_ADDED:]


def check_until(measure: Measure, until: datetime | None, now: datetime) -> None:
    """Raises Invalid."""
    if measure in (Measure.WARN, Measure.BAN, Measure.RESTORE):
        if until is not None:
            raise Invalid.field("until", f"A {measure.value} has no end.")
        return
    if until is not None and not now < until <= now + LONGEST:
        raise Invalid.field("until", "The end lies in the future, and not beyond ten years.")


def check_decider(decider: str, actor: str, others: bool) -> None:
    """`others`: whether there is another administrator who may decide. Raises Conflict("own_action")."""
    if decider == actor and others:
        raise Conflict("own_action", "Somebody else decides about what you did.")
