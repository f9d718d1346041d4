"""Who may use what is not for everyone yet: the plan as the database has it, asked by way of OpenFeature.

Invariant: an answer rests on a plan that was read less than two seconds ago; while the database is away, on the last
one that was read; and where none ever was, there is no answer.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog
from openfeature import api as openfeature
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType, Reason
from openfeature.provider import AbstractProvider, Metadata

from parola.bus import Bus, BusUnavailable, Message, subjects
from parola.bus.messages import MessageError, RolloutChanged
from parola.domain.errors import Unavailable
from parola.domain.rollout import FEATURES, Plan, Stage, Standing, stage_of
from parola.store import Store, StoreUnavailable

_log = structlog.get_logger(__name__)

FRESH_S = 2.0

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Current:
    """A plan and its version; 0 is the one of the settings, which holds until there is another."""

    version: int
    plan: Plan


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What somebody is told of a feature: by which stage of which version they are in; `stage` None is not at all."""

    version: int
    stage: Stage | None
    plan: Plan


class Rollout:
    """`start` makes it listen for changes. `initial` has the plans of the settings."""

    def __init__(
        self, store: Store, bus: Bus, monotonic: Callable[[], float], initial: Mapping[str, Plan]
    ) -> None:
        self._store = store
        self._bus = bus
        self._monotonic = monotonic
        self._initial = initial
        self._known: dict[str, Current] = {}
        self._read_at: dict[str, float] = {}
        # OpenFeature keeps providers by domain, for the whole process: each house has one of its own.
        domain = f"parola-{secrets.token_urlsafe(8)}"
        openfeature.set_provider_and_wait(PlanProvider(self._known), domain)
        self._client = openfeature.get_client(domain)

    async def start(self) -> None:
        await self._bus.subscribe(subjects.ROLLOUT_CHANGED, self._changed)

    async def current(self, feature: str) -> Current:
        """Raises Unavailable("store_away") where no plan was ever read."""
        if self._monotonic() - self._read_at.get(feature, float("-inf")) > FRESH_S:
            await self._read(feature)
        return self._known[feature]

    async def latest(self, feature: str) -> Current:
        """As `current`, and read anew: for whoever is about to change it. Raises as `current`."""
        self._read_at.pop(feature, None)
        return await self.current(feature)

    def initial(self, feature: str) -> Plan:
        """That of the settings."""
        return self._initial.get(feature, Plan())

    async def evaluate(self, feature: str, one: Standing) -> Evaluated:
        """Raises as `current`."""
        await self.current(feature)
        context = EvaluationContext(one.account_id, {"followers": one.followers, "age_days": one.age_days})
        details = await self._client.get_boolean_details_async(feature, False, context)
        if details.error_code is not None:
            _log.error("rollout.not_evaluated", feature=feature, code=str(details.error_code))
            raise Unavailable("store_away", "Nobody can say just now who may do this.", 2)
        # Nothing was awaited since the provider looked: this is the plan that it saw.
        current = self._known[feature]
        return Evaluated(
            current.version, Stage(str(details.variant)) if details.value else None, current.plan
        )

    async def tell(self, feature: str, version: int) -> None:
        """The other processes, and this one: there is a newer version."""
        self._read_at.pop(feature, None)
        try:
            await self._bus.publish(subjects.ROLLOUT_CHANGED, RolloutChanged(feature, version).to_bytes())
        except BusUnavailable:
            _log.warning("rollout.not_told", feature=feature)  # everyone reads it within two seconds

    async def _read(self, feature: str) -> None:
        began = self._monotonic()
        try:
            kept = await self._store.rollouts.latest(feature)
        except StoreUnavailable as error:
            if feature not in self._known:
                raise Unavailable("store_away", "The database cannot be reached just now.", 2) from error
            _log.warning("rollout.store_away", feature=feature)
            return
        found = Current(0, self.initial(feature)) if kept is None else Current(kept.version, kept.plan)
        known = self._known.get(feature)
        if known is None or found.version >= known.version:
            self._known[feature] = found
        self._read_at[feature] = began

    async def _changed(self, message: Message) -> None:
        try:
            changed = RolloutChanged.from_bytes(message.data)
        except MessageError:
            return
        known = self._known.get(changed.feature)
        if changed.feature in FEATURES and (known is None or known.version < changed.version):
            self._read_at.pop(changed.feature, None)


class PlanProvider(AbstractProvider):
    """Flags out of plans: a feature is a boolean, its variant the stage that lets the account in. The targeting key is
    the account's id; attributes are `followers` and `age_days`."""

    def __init__(self, plans: Mapping[str, Current]) -> None:
        super().__init__()
        self._plans = plans

    def get_metadata(self) -> Metadata:
        return Metadata("parola")

    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        if flag_key not in FEATURES:
            return _refused(default_value, ErrorCode.FLAG_NOT_FOUND)
        current = self._plans.get(flag_key)
        if current is None:
            return _refused(default_value, ErrorCode.PROVIDER_NOT_READY)
        if evaluation_context is None or not evaluation_context.targeting_key:
            return _refused(default_value, ErrorCode.TARGETING_KEY_MISSING)
        given = evaluation_context.attributes
        followers, age_days = given.get("followers", 0), given.get("age_days", 0.0)
        if not isinstance(followers, int) or not isinstance(age_days, int | float):
            return _refused(default_value, ErrorCode.INVALID_CONTEXT)
        one = Standing(evaluation_context.targeting_key, followers, age_days)
        stage = stage_of(current.plan, flag_key, one)
        return FlagResolutionDetails(
            stage is not None,
            reason=Reason.SPLIT if stage is Stage.PERCENT else Reason.TARGETING_MATCH,
            variant=stage.value if stage is not None else Stage.OFF.value,
            flag_metadata={"version": current.version},
        )

    # No feature is anything but a boolean.

    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        return _refused(default_value, ErrorCode.TYPE_MISMATCH)

    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        return _refused(default_value, ErrorCode.TYPE_MISMATCH)

    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        return _refused(default_value, ErrorCode.TYPE_MISMATCH)

    def resolve_object_details(
        self,
        flag_key: str,
        default_value: Sequence[FlagValueType] | Mapping[str, FlagValueType],
        evaluation_context: EvaluationContext | None = None,
    ) -> FlagResolutionDetails[Any]:
        return _refused(default_value, ErrorCode.TYPE_MISMATCH)


def _refused(default: _T, code: ErrorCode) -> FlagResolutionDetails[_T]:
    return FlagResolutionDetails(default, error_code=code, reason=Reason.ERROR)
