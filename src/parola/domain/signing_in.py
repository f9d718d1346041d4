"""Rules of signing in: how long what holds, and what a recovery code looks like."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import timedelta

RECENT = timedelta(minutes=10)
"""For so long after signing in, or proving it again, sensitive things may be changed."""
UNUSED = timedelta(days=90)
"""A session ends by itself when nobody has used it for so long."""
CEREMONY_LIFE = timedelta(minutes=5)
LINK_LIFE = timedelta(minutes=15)
CONFIRMING_LIFE = timedelta(hours=24)
CODES = 10
CODE_BYTES = 10
MOST_PASSKEYS = 20
HOUR_MS = 3_600_000

# RFC 4648, section 6, has none of these: whoever reads them from paper means others.
_MISREAD = str.maketrans({"0": "o", "1": "l", "8": "b"})


@dataclass(frozen=True, slots=True)
class Ways:
    """By which somebody can sign in. Recovery codes are none: they run out."""

    password: bool = False
    passkeys: int = 0
    addresses: int = 0
    identities: int = 0

    @property
    def count(self) -> int:
        return int(self.password) + self.passkeys + self.addresses + self.identities


def is_recent(proved_at: int, now: int) -> bool:
    """Both in milliseconds since 1970. A time that is still to come, on a clock that was set back, is none."""
    return 0 <= now - proved_at < RECENT / timedelta(milliseconds=1)


def recovery_code(random: bytes) -> str:
    """CODE_BYTES of it, as groups of four that people can write down: `abcd-efgh-ijkl-mnop`."""
    text = base64.b32encode(random).decode().lower().rstrip("=")
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def read_code(text: str) -> str:
    """As `recovery_code` has it without its lines, however somebody types it."""
    return "".join(character for character in text.lower() if character.isalnum()).translate(_MISREAD)


def hour_of(moment: int) -> int:
    """The beginning of the hour, in milliseconds since 1970: nobody keeps more of when somebody was here."""
    return moment - moment % HOUR_MS
