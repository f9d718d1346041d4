"""May this account open a room now, of this kind; and under which terms."""

from __future__ import annotations

from parola.domain.errors import NotFound
from parola.domain.rollout import Feature, check_cooled, check_room, why_not_hosting
from parola.domain.rooms import Access, Terms
from parola.services.clock import Clock
from parola.services.rollout import Rollout
from parola.store import Store


class Hosting:
    def __init__(self, store: Store, rollout: Rollout, now: Clock) -> None:
        self._store = store
        self._rollout = rollout
        self._now = now

    async def admit(self, account_id: str, access: Access, guests: bool | None) -> Terms:
        """`guests` is None where it was not said. Raises NotYet; Unavailable where nobody can know."""
        now = self._now()
        await self._rollout.current(Feature.HOSTING)  # whoever may not be answered at all is told so first
        one = await self._store.rollouts.standing(account_id, now)
        if one is None:
            raise NotFound()
        found = await self._rollout.evaluate(Feature.HOSTING, one)
        if found.stage is None:
            raise why_not_hosting(found.plan, one)
        policies = found.plan.policies_of(found.stage)
        check_room(policies, access.value, bool(guests))
        if policies.cooling_off_minutes:
            check_cooled(policies, await self._store.rooms.removed_at(account_id), now)
        return Terms(found.version, found.stage, policies)
