"""From one stage of a trial to the next and back. Pure."""

from __future__ import annotations

from parola.domain.rollout.plan import Plan, Stage

PERCENTS = (5.0, 10.0, 25.0, 50.0)
"""The steps between the testers and everyone."""
_ORDER = tuple(Stage)


def next_step(plan: Plan) -> Plan:
    """The same plan one step further; itself where that is everyone already."""
    if plan.stage is Stage.OFF:
        return plan.at(Stage.TESTERS)
    if plan.stage is Stage.EVERYONE:
        return plan
    reached = plan.percent if plan.stage is Stage.PERCENT else 0.0
    further = next((percent for percent in PERCENTS if percent > reached), None)
    return plan.at(Stage.EVERYONE) if further is None else plan.at(Stage.PERCENT, further)


def stage_before(plan: Plan) -> Plan:
    """The same plan one stage back; itself where nobody is in. Whoever goes back from everyone stays at the percentage
    from which that was reached."""
    return plan.at(_ORDER[max(0, _ORDER.index(plan.stage) - 1)])


def goes_further(before: Plan, after: Plan) -> bool:
    """Whether a change is a promotion, whatever else it is."""
    return reach(after) > reach(before)


def reach(plan: Plan) -> tuple[int, float]:
    """How far a plan goes, to be compared: versions in a row with the same reach are one step of a trial."""
    return _ORDER.index(plan.stage), plan.percent if plan.stage is Stage.PERCENT else 0.0
