"""The policy of invitations as it is now, and changing it: it holds for whoever asks next, in every process."""

from __future__ import annotations

from typing import Any

from parola.domain import people
from parola.domain.audit import Deed
from parola.domain.errors import Conflict
from parola.domain.inviting import InvitingPolicy, parse_policy
from parola.services.actor import Actor
from parola.services.clock import Clock
from parola.store import KeptPolicy, Store, VersionTaken


class Inviting:
    """`initial` is the policy of the settings, which holds until there is another."""

    def __init__(self, store: Store, now: Clock, initial: InvitingPolicy) -> None:
        self._store = store
        self._now = now
        self._initial = initial

    async def policy(self) -> InvitingPolicy:
        return (await self._store.inviting.latest(self._initial)).policy

    async def kept(self, _: Actor) -> KeptPolicy:
        return await self._store.inviting.latest(self._initial)

    async def change(self, actor: Actor, expected: int, given: dict[str, Any], reason: str) -> KeptPolicy:
        """What is not named stays as it is. Raises Invalid, Conflict("changed_meanwhile")."""
        reason = people.parse_reason(reason)
        before = await self._store.inviting.latest(self._initial)
        policy = parse_policy(given, before.policy)
        if before.version != expected:
            raise _changed_meanwhile()
        kept = KeptPolicy(expected + 1, policy)
        old = before.policy.to_json()
        changes = [f"{name} {value}" for name, value in policy.to_json().items() if value != old[name]]
        deed = Deed(
            actor.id, "change", "policy", f"invitations {kept.version}: {', '.join(changes) or '-'}", reason
        )
        try:
            await self._store.inviting.add(kept, deed, self._now())
        except VersionTaken as error:
            raise _changed_meanwhile() from error
        return kept


def _changed_meanwhile() -> Conflict:
    return Conflict("changed_meanwhile", "Somebody else has changed this meanwhile; look at it again.")
