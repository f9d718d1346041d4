"""Plans: stages, thresholds, policies; and whom they let in."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from typing import Any

from parola.domain.errors import FieldError, Invalid
from parola.domain.rollout.guards import Guard, parse_guards

PLACES = 10_000
"""A percentage has two digits after the point."""
ACCESS = ("open", "link", "followers", "mutuals", "invited")
"""What a room's access may be said to be."""
_MOST_NAMED = 10_000


class Feature(StrEnum):
    HOSTING = "hosting"


FEATURES = tuple(Feature)


class Stage(StrEnum):
    OFF = "off"
    """Nobody, whoever is named."""
    TESTERS = "testers"
    """Those who are named."""
    PERCENT = "percent"
    """They, and a part of all others, always the same ones."""
    EVERYONE = "everyone"


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of an account that asks. `age_days`: since it was made."""

    account_id: str
    followers: int
    age_days: float


@dataclass(frozen=True, slots=True)
class Thresholds:
    """What whoever is not named must have, to come in by percentage or with everyone."""

    followers: int = 0
    age_days: int = 0


@dataclass(frozen=True, slots=True)
class Policies:
    """How a feature is used in one stage. A room keeps those that it began with."""

    speakers_at_most: int = 500
    """As many as a stage ever holds: how many a new room takes, the server's setting says, and then its host."""
    minutes_at_most: int = 0
    """0: as long as one likes."""
    access: tuple[str, ...] = ()
    """What a room's access may be; empty: anything."""
    guests: bool = True
    recording: bool = True
    hands: bool = True
    cooling_off_minutes: int = 0
    """So long after being removed from somebody's room one opens none."""

    def to_json(self) -> dict[str, Any]:
        return _values(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Policies:
        """What `to_json` made, by this version or an older one."""
        known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
        return cls(**{**known, "access": tuple(known.get("access", ()))})


@dataclass(frozen=True, slots=True)
class Plan:
    """`policies` are for the stages that differ from the plain ones; `testers` and `denied` are account ids."""

    stage: Stage = Stage.EVERYONE
    percent: float = 0.0
    testers: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()
    thresholds: Thresholds = Thresholds()
    policies: Mapping[Stage, Policies] = field(default_factory=dict)
    guards: tuple[Guard, ...] = ()

    def policies_of(self, stage: Stage) -> Policies:
        return self.policies.get(stage, Policies())

    def at(self, stage: Stage, percent: float | None = None) -> Plan:
        """The same plan in another stage."""
        return replace(self, stage=stage, percent=self.percent if percent is None else percent)

    def to_json(self) -> dict[str, Any]:
        """As `parse_plan` takes it."""
        return {
            "stage": self.stage.value,
            "percent": self.percent,
            "testers": sorted(self.testers),
            "denied": sorted(self.denied),
            "thresholds": _values(self.thresholds),
            "policies": {stage.value: policies.to_json() for stage, policies in self.policies.items()},
            "guards": [guard.to_json() for guard in self.guards],
        }


def may_use(plan: Plan, feature: str, one: Standing) -> bool:
    return stage_of(plan, feature, one) is not None


def stage_of(plan: Plan, feature: str, one: Standing) -> Stage | None:
    """By which stage an account is let in: its policies are theirs. None: not at all."""
    if plan.stage is Stage.OFF or one.account_id in plan.denied:
        return None
    if one.account_id in plan.testers:
        return Stage.TESTERS
    if plan.stage is Stage.TESTERS:
        return None
    if one.followers < plan.thresholds.followers or one.age_days < plan.thresholds.age_days:
        return None
    if plan.stage is Stage.EVERYONE:
        return Stage.EVERYONE
    return Stage.PERCENT if place(feature, one.account_id) < plan.percent * PLACES / 100 else None


def place(feature: str, account_id: str) -> int:
    """Where an account stands in the row in which a feature is handed out: 0 to PLACES - 1, for each feature another
    row, so that it is not always the same people who try what is new."""
    digest = hashlib.sha256(f"{feature}\n{account_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PLACES


def parse_plan(given: Mapping[str, Any]) -> Plan:
    """Raises Invalid that names each field which is not acceptable."""
    faults: list[FieldError] = []

    def check(name: str, holds: bool, message: str) -> None:
        if not holds:
            faults.append(FieldError(name, message))

    unknown = set(given) - {f.name for f in fields(Plan)}
    check(", ".join(sorted(unknown)), not unknown, "There is no such field.")
    stage = given.get("stage", Stage.EVERYONE)
    check("stage", stage in tuple(Stage), f"One of {', '.join(Stage)}.")
    percent = given.get("percent", 0.0)
    check("percent", _is_number(percent) and 0 <= percent <= 100, "From 0 to 100.")
    named = {}
    for name in ("testers", "denied"):
        ids = given.get(name, [])
        fine = isinstance(ids, list) and len(ids) <= _MOST_NAMED and all(isinstance(id, str) for id in ids)
        check(name, fine, f"At most {_MOST_NAMED} accounts.")
        named[name] = frozenset(ids) if fine else frozenset()
    thresholds = _parsed(Thresholds, "thresholds", given.get("thresholds", {}), faults)
    policies = {}
    for name, value in _mapping(given.get("policies", {}), "policies", faults).items():
        check(f"policies.{name}", name in tuple(Stage), f"One of {', '.join(Stage)}.")
        if name in tuple(Stage):
            policies[Stage(name)] = found = _parsed(Policies, f"policies.{name}", value, faults)
            check(f"policies.{name}.access", set(found.access) <= set(ACCESS), f"Of {', '.join(ACCESS)}.")
            check(f"policies.{name}.speakers_at_most", found.speakers_at_most > 0, "The host has a place.")
    guards = parse_guards(given.get("guards", []), faults)
    if faults:
        raise Invalid("invalid", "This plan is not acceptable.", tuple(faults))
    return Plan(
        Stage(stage), float(percent), **named, thresholds=thresholds, policies=policies, guards=guards
    )


def _parsed(kind: type[Any], at: str, given: object, faults: list[FieldError]) -> Any:
    """One of the plain value classes above, each field of the type of its default; numbers are never negative."""
    defaults = kind()
    values: dict[str, Any] = {}
    for name, value in _mapping(given, at, faults).items():
        default = getattr(defaults, name, None)
        if default is None:
            faults.append(FieldError(f"{at}.{name}", "There is no such field."))
        elif isinstance(default, bool) and isinstance(value, bool):
            values[name] = value
        elif (
            isinstance(default, tuple) and isinstance(value, list) and all(isinstance(v, str) for v in value)
        ):
            values[name] = tuple(value)
        elif type(default) is int and type(value) is int and 0 <= value <= 1_000_000:
            values[name] = value
        else:
            faults.append(FieldError(f"{at}.{name}", "This is not acceptable here."))
    return kind(**values)


def _mapping(given: object, at: str, faults: list[FieldError]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    faults.append(FieldError(at, "An object is wanted here."))
    return {}


def _values(one: Any) -> dict[str, Any]:
    found = {f.name: getattr(one, f.name) for f in fields(one)}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
