"""How many invitations people have, what earns them more, and whose turn on the waitlist comes by itself. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from parola.domain.errors import FieldError, Invalid

MOST_DAYS = 30
"""On so many days at most somebody has to be here for whoever invited them to earn by it."""
_BOUNDS = {
    "each": (0, 10_000),
    "more": (0, 100),
    "days": (1, MOST_DAYS),
    "more_at_most": (0, 10_000),
    "life_days": (1, 365),
    "waitlist_a_day": (0, 1000),
    "waitlist_days": (0, 3650),
}


@dataclass(frozen=True, slots=True)
class InvitingPolicy:
    """Everybody has `each`, and `more` for each person who came by one of theirs and was heard or listened on `days`
    days, `more_at_most` by all of them; one holds for `life_days`. Of the waitlist `waitlist_a_day` have their turn
    within any 24 hours, and whoever has waited for `waitlist_days`; 0: nobody has by itself."""

    each: int = 5
    more: int = 1
    days: int = 3
    more_at_most: int = 10_000
    life_days: int = 14
    waitlist_a_day: int = 0
    waitlist_days: int = 0

    def allows(self, stayed: int) -> int:
        """How many somebody may give away in all, where so many whom they invited have stayed."""
        return self.each + min(self.more * stayed, self.more_at_most)

    def to_json(self) -> dict[str, Any]:
        """As `parse_policy` takes it."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


def parse_policy(given: Mapping[str, Any], before: InvitingPolicy) -> InvitingPolicy:
    """What is not named stays as it was before. Raises Invalid that names each field which is not acceptable."""
    faults = [FieldError(name, "There is no such field.") for name in sorted(set(given) - set(_BOUNDS))]
    for name, (least, most) in _BOUNDS.items():
        value = given.get(name, least)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            faults.append(FieldError(name, f"A number from {least} to {most} is wanted."))
    if faults:
        raise Invalid("invalid", "This policy is not acceptable.", tuple(faults))
    return InvitingPolicy(**{**before.to_json(), **given})
