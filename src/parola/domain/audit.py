"""What administrators do, as it is written down: each entry is sealed with the one before it.

Invariant: an entry's seal covers all of it and the seal before, so that one changed, put in or taken out shows in every
seal after it. That the end was cut off shows only to who has kept a later seal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

COMMAND_LINE = "-"
"""Who acts where nobody is signed in: whoever has the server itself."""
GUARD = "guard"
"""Who changes a plan where no person does: a figure was beyond its bound."""
RULE = "rule"
"""Who lets people in where their turn comes by itself."""
SETTINGS = "settings"
"""Whose a plan is that nobody has made yet: it never acts."""
FIRST = ""
"""The seal before the first entry."""


@dataclass(frozen=True, slots=True)
class Deed:
    """`actor` is an account's id, COMMAND_LINE, GUARD or RULE; `object` is the id of a thing of that `kind`: an
    account, a room, an invitation, the waitlist, a feature, a policy."""

    actor: str
    action: str
    kind: str
    object: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """`at` is ISO 8601; `before` is the seal of entry `seq` - 1."""

    seq: int
    at: str
    deed: Deed
    before: str
    seal: str


def sealed(seq: int, at: str, deed: Deed, before: str) -> Entry:
    parts = [seq, at, deed.actor, deed.action, deed.kind, deed.object, deed.reason, before]
    text = json.dumps(parts, ensure_ascii=False, separators=(",", ":"))
    return Entry(seq, at, deed, before, hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest())


def first_break(entries: Iterable[Entry], after: Entry | None = None) -> int | None:
    """The number of the first entry that does not follow from the ones before it; None where all do."""
    seq, seal = (after.seq, after.seal) if after is not None else (0, FIRST)
    for entry in entries:
        if entry != sealed(seq + 1, entry.at, entry.deed, seal):
            return seq + 1
        seq, seal = entry.seq, entry.seal
    return None
