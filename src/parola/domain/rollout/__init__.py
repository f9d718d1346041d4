"""Who may use a feature that is not for everyone yet, and under which policies. Pure.

A feature goes through stages: off, testers, percent, everyone. What a stage means is a `Plan`; a change makes a new
plan with a higher version, and the old one stays as it was, so that going back is one step.

The invariant: whom a plan lets in, a plan with a higher percentage or a later stage lets in as well, unless it names
them among the denied or raises a threshold.
"""

from parola.domain.rollout.guards import Breach, Guard, Measured, judge
from parola.domain.rollout.plan import (
    FEATURES,
    Feature,
    Plan,
    Policies,
    Stage,
    Standing,
    Thresholds,
    may_use,
    parse_plan,
    place,
    stage_of,
)

__all__ = [
    "FEATURES",
    "Breach",
    "Feature",
    "Guard",
    "Measured",
    "Plan",
    "Policies",
    "Stage",
    "Standing",
    "Thresholds",
    "judge",
    "may_use",
    "parse_plan",
    "place",
    "stage_of",
]
