"""Leading a trial: its versions, its next step and the way back; what would change; and guards that look by themselves.

Invariant: a plan goes further only while no stopping guard of it trips, unless somebody overrides that and says why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import prometheus_client as prometheus
import structlog

from parola.domain import people
from parola.domain.audit import GUARD, SETTINGS, Deed
from parola.domain.errors import Conflict, Invalid, NotFound
from parola.domain.rollout import (
    FEATURES,
    Breach,
    Guard,
    Measured,
    Plan,
    Stage,
    goes_further,
    judge,
    may_use,
    next_step,
    parse_plan,
    reach,
    stage_before,
)
from parola.services.actor import Actor
from parola.services.clock import Clock
from parola.services.rollout import Current, Rollout
from parola.store import Counted, Kept, Store, VersionTaken

_log = structlog.get_logger(__name__)

GUARDS_EVERY_S = 60.0
_LOOKED_BACK = 100


@dataclass(frozen=True, slots=True)
class State:
    """A feature's plan, the step that would be next, and what its present step showed: since version `since`."""

    feature: str
    version: int
    plan: Plan
    following: Plan
    since: int
    measured: Measured
    breaches: tuple[Breach, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """How many of the known accounts are let in now, and how many would be then."""

    accounts: int
    now: int
    then: int
    gained: int
    lost: int


class Trials:
    def __init__(self, store: Store, rollout: Rollout, now: Clock, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._rollout = rollout
        self._now = now
        self._monotonic = monotonic
        self._watched_at = float("-inf")
        self._tripping: dict[str, set[Guard]] = {}
        """By feature, those that tripped when this process looked last."""
        self.trips = prometheus.Counter(
            "parola_guard_trips", "Guards whose bound was crossed", ["feature", "action"], registry=None
        )
        for feature in FEATURES:
            for action in ("warn", "stop"):
                self.trips.labels(feature.value, action)

    async def states(self, _: Actor) -> list[State]:
        return [await self._state(feature.value) for feature in FEATURES]

    async def state(self, _: Actor, feature: str) -> State:
        return await self._state(_known(feature))

    async def history(self, _: Actor, feature: str, before: int | None, limit: int) -> list[Kept]:
        """The newest first, and at the end version 0, that of the settings."""
        kept = await self._store.rollouts.history(_known(feature), before, limit)
        if len(kept) < limit:
            kept.append(Kept(0, self._rollout.initial(feature), SETTINGS, "", ""))
        return kept

    async def stages(self, _: Actor, feature: str) -> list[Counted]:
        return await self._store.tallies.stages(_known(feature), self._now())

    async def preview(self, _: Actor, feature: str, given: dict[str, Any] | None) -> Change:
        """What a plan would change, or the next step where none is given. Raises Invalid."""
        current = await self._rollout.current(_known(feature))
        plan = next_step(current.plan) if given is None else await self._parsed(given)
        return await self._difference(feature, current.plan, plan)

    async def change(
        self, actor: Actor, feature: str, expected: int, given: dict[str, Any], reason: str, override: bool
    ) -> State:
        """Raises Invalid, Conflict("changed_meanwhile"), Conflict("guard_stops")."""
        plan = await self._parsed(given)
        return await self._by(actor, feature, expected, plan, reason, override)

    async def promote(self, actor: Actor, feature: str, expected: int, reason: str, override: bool) -> State:
        """To the next step. Raises as `change`, and Conflict("for_everyone")."""
        current = await self._expected(_known(feature), expected)
        plan = next_step(current.plan)
        if plan == current.plan:
            raise Conflict("for_everyone", "This is for everyone already.")
        return await self._by(actor, feature, expected, plan, reason, override)

    async def roll_back(self, actor: Actor, feature: str, expected: int, to: int, reason: str) -> State:
        """A new version with the plan of version `to`; 0 is that of the settings. No guard stands in the way back,
        except where it leads further. Raises as `change`, and NotFound."""
        if to == 0:
            plan = self._rollout.initial(_known(feature))
        else:
            kept = await self._store.rollouts.version(_known(feature), to)
            if kept is None:
                raise NotFound()
            plan = kept.plan
        return await self._by(actor, feature, expected, plan, reason, False)

    async def with_handles(self, plan: Plan) -> dict[str, Any]:
        """As JSON, people by their handles; whoever is no more is left out."""
        handles = await self._store.rollouts.handles_of(plan.testers | plan.denied)
        named = {
            name: sorted(handles[id] for id in getattr(plan, name) if id in handles)
            for name in ("testers", "denied")
        }
        return {**plan.to_json(), **named}

    async def watch(self) -> None:
        """Once a minute, of one process: a guard that trips is told of in the log and the figures; where it stops, the
        feature goes back one stage."""
        if self._monotonic() - self._watched_at < GUARDS_EVERY_S:
            return
        self._watched_at = self._monotonic()
        for feature in FEATURES:
            await self.judge(feature.value)

    async def judge(self, feature: str) -> None:
        state = await self._state(feature)
        self._tell(state)
        stopping = [breach for breach in state.breaches if breach.stops]
        if not stopping or state.plan.stage is Stage.OFF:
            return
        reason = _words(stopping[0])
        try:
            await self._add(GUARD, feature, state.version, stage_before(state.plan), reason)
        except Conflict:
            _log.info("rollout.changed_meanwhile", feature=feature)  # the next round sees what it is now

    def _tell(self, state: State) -> None:
        """Once for each bound that is crossed, and again only after it held; another process may tell it once more."""
        tripping = {breach.guard: breach for breach in state.breaches}
        for guard in tripping.keys() - self._tripping.get(state.feature, set()):
            _log.warning(
                "rollout.guard_trips",
                feature=state.feature,
                version=state.version,
                action=guard.action,
                reason=_words(tripping[guard]),
            )
            self.trips.labels(state.feature, guard.action).inc()
        self._tripping[state.feature] = set(tripping)

    async def _by(
        self, actor: Actor, feature: str, expected: int, plan: Plan, reason: str, override: bool
    ) -> State:
        reason = people.parse_reason(reason)
        current = await self._expected(feature, expected)
        if goes_further(current.plan, plan) and not override:
            stopping = [breach for breach in (await self._state(feature)).breaches if breach.stops]
            if stopping:
                raise Conflict("guard_stops", f"A guard stops this: {_words(stopping[0])}.")
        await self._add(actor.id, feature, expected, plan, reason)
        return await self._state(feature)

    async def _add(self, author: str, feature: str, expected: int, plan: Plan, reason: str) -> None:
        now = self._now()
        kept = Kept(expected + 1, plan, author, reason, now.isoformat())
        deed = Deed(author, "roll_out", "feature", f"{feature} {kept.version} {plan.stage.value}", reason)
        try:
            await self._store.rollouts.add(feature, kept, deed, now)
        except VersionTaken as error:
            raise _changed_meanwhile() from error
        await self._rollout.tell(feature, kept.version)

    async def _expected(self, feature: str, expected: int) -> Current:
        current = await self._rollout.latest(_known(feature))
        if current.version != expected:
            raise _changed_meanwhile()
        return current

    async def _state(self, feature: str) -> State:
        current = await self._rollout.latest(feature)
        since = await self._since(feature, current)
        measured = await self._store.tallies.measured(feature, since, self._now())
        breaches = tuple(judge(current.plan.guards, measured))
        following = next_step(current.plan)
        return State(feature, current.version, current.plan, following, since, measured, breaches)

    async def _since(self, feature: str, current: Current) -> int:
        """The first of the versions in a row, up to the present one, that go equally far: another tester, or another
        guard, does not make what was seen unseen."""
        since = current.version
        for kept in await self._store.rollouts.history(feature, current.version, _LOOKED_BACK):
            if reach(kept.plan) != reach(current.plan):
                return since
            since = kept.version
        return 0 if reach(self._rollout.initial(feature)) == reach(current.plan) and since == 1 else since

    async def _difference(self, feature: str, before: Plan, after: Plan) -> Change:
        accounts = now = then = gained = lost = 0
        async for standings in self._store.rollouts.standings(self._now()):
            for one in standings:
                old, new = may_use(before, feature, one), may_use(after, feature, one)
                accounts, now, then = accounts + 1, now + old, then + new
                gained, lost = gained + (new and not old), lost + (old and not new)
            await asyncio.sleep(0)  # of a large house this is not everything at once
        return Change(accounts, now, then, gained, lost)

    async def _parsed(self, given: dict[str, Any]) -> Plan:
        """A plan that names people by their handles."""
        plan = parse_plan(given)
        ids = await self._store.rollouts.ids_of(plan.testers | plan.denied)
        for name in ("testers", "denied"):
            unknown = sorted(getattr(plan, name) - ids.keys())
            if unknown:
                raise Invalid.field(name, f"Nobody is called {', '.join(unknown[:5])}.")
        return replace(
            plan,
            testers=frozenset(ids[handle] for handle in plan.testers),
            denied=frozenset(ids[handle] for handle in plan.denied),
        )


def _known(feature: str) -> str:
    if feature not in FEATURES:
        raise NotFound()
    return feature


def _words(breach: Breach) -> str:
    guard = breach.guard
    side = "more than" if guard.side == "most" else "less than"
    return f"{guard.figure} is {breach.measured:.4g}, {side} {guard.bound:.4g}"


def _changed_meanwhile() -> Conflict:
    return Conflict("changed_meanwhile", "Somebody else has changed this meanwhile; look at it again.")
