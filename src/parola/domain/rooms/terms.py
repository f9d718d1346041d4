"""Under which terms a room began. They are written into its start, and it keeps them whatever becomes of the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from parola.domain.rollout import Policies, Stage


@dataclass(frozen=True, slots=True)
class Terms:
    """By which version of the plan for hosting, and by which of its stages, the host was let in."""

    version: int
    stage: Stage
    policies: Policies

    def to_json(self) -> dict[str, Any]:
        return {"version": self.version, "stage": self.stage.value, "policies": self.policies.to_json()}


def decode_terms(data: Mapping[str, Any] | None) -> Terms | None:
    """The inverse of `Terms.to_json`; a policy that was not known then has its default."""
    if data is None:
        return None
    return Terms(data["version"], Stage(data["stage"]), Policies.from_json(data["policies"]))
