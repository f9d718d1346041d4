"""Who may use a feature that is not for everyone yet, and under which policies. Pure.

A feature goes through stages: off, testers, percent, everyone. What a stage means is a `Plan`; a change makes a new
plan with a higher version, and the old one stays as it was, so that going back is one step.

The invariant: whom a plan lets in, a plan with a higher percentage or a later stage lets in as well, unless it names
them among the denied or raises a threshold.
"""

from parola.domain.rollout.admission import check_cooled, check_room, why_not_hosting
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
from parola.domain.rollout.sounds import bucket_of, percentile
from parola.domain.rollout.steps import goes_further, next_step, reach, stage_before

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
    "bucket_of",
    "check_cooled",
    "check_room",
    "goes_further",
    "judge",
    "may_use",
    "next_step",
    "parse_plan",
    "percentile",
    "place",
    "reach",
    "stage_before",
    "stage_of",
    "why_not_hosting",
]
