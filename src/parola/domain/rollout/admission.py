"""Why somebody may not host yet, and what would change it; and what else a stage's policies ask of a room. Pure."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from parola.domain.errors import NotYet
from parola.domain.rollout.plan import Plan, Policies, Stage, Standing


def why_not_hosting(plan: Plan, one: Standing) -> NotYet:
    """For an account that `stage_of` lets in nowhere."""
    if plan.stage is Stage.OFF:
        return _not_yet("off", "No new rooms are opened on this server for now.")
    if one.account_id in plan.denied:
        return _not_yet("denied", "This account may not open rooms. Who runs this server can change that.")
    if plan.stage is Stage.TESTERS:
        return _not_yet(
            "testers", "Only invited testers open rooms for now. Who runs this server can add you."
        )
    if one.followers < (wanted := plan.thresholds.followers):
        return _not_yet("followers", f"You can open rooms once {wanted} people follow you.", wanted)
    if one.age_days < (wanted := plan.thresholds.age_days):
        left = math.ceil(wanted - one.age_days)
        return _not_yet("age", f"You can open rooms when your account is {wanted} days old.", left)
    return _not_yet("percent", "Opening rooms comes to everyone step by step, and not to you yet.")


def check_room(policies: Policies, access: str, guests: bool) -> None:
    """Raises NotYet for a room that is of another kind than these policies allow."""
    if policies.access and access not in policies.access:
        kinds = ", ".join(policies.access)
        raise _not_yet("access", f"For now you can open only rooms of this kind: {kinds}.")
    if guests and not policies.guests:
        raise _not_yet("guests", "For now your rooms are for members: open one without guests.")


def check_cooled(policies: Policies, removed_at: datetime | None, now: datetime) -> None:
    """Raises NotYet for whoever was removed from somebody's room too short a time ago."""
    if removed_at is None:
        return
    left = removed_at + timedelta(minutes=policies.cooling_off_minutes) - now
    if left > timedelta(0):
        minutes = math.ceil(left / timedelta(minutes=1))
        raise _not_yet(
            "cooling_off",
            f"You were removed from a room a short while ago. You can open one in {minutes} min.",
            minutes,
        )


def _not_yet(because: str, detail: str, wanted: int | None = None) -> NotYet:
    return NotYet("not_yet_hosting", detail, because, wanted)
