"""Invitations that members give: how many, to whom, and what they earn by good ones; administrators revoke any.

How many everybody has, and what earns them more, is the operator's policy (`domain/inviting.py`). What is revoked, or
runs out unused, can be given again.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta

from parola.domain import people
from parola.domain.errors import Conflict, Invalid, NotFound
from parola.domain.inviting import InvitingPolicy
from parola.domain.moments import milliseconds
from parola.services.actor import Actor
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.inviting import Inviting
from parola.store import Account, BadCursor, Invitation, InvitationPage, Store
from parola.store.codes import new_id

_MOST_SHOWN = 500
_LONGEST_CODE = 64


def new_invitation(made_by: str | None, clock: Clock, policy: InvitingPolicy) -> Invitation:
    """Its code has 128 random bits."""
    now = clock()
    expires_at = milliseconds(now + timedelta(days=policy.life_days))
    return Invitation(new_id(), secrets.token_urlsafe(16), made_by, now.isoformat(), expires_at)


@dataclass(frozen=True, slots=True)
class Mine:
    """`left` can be given now; `earned` of all that there ever were came by people who stayed."""

    left: int
    earned: int
    invitations: list[Invitation]
    policy: InvitingPolicy


class Invitations:
    """`registration` is open, invite or closed."""

    def __init__(self, store: Store, now: Clock, registration: str, inviting: Inviting) -> None:
        self._store = store
        self._now = now
        self._inviting = inviting
        self.registration = registration

    async def mine(self, caller: Caller) -> Mine:
        maker = caller.signed_in().account.id
        policy = await self._inviting.policy()
        stayed = await self._store.invites.earned(maker, policy.days)
        given = await self._store.invites.given(maker, self._now())
        found = await self._store.invites.of(maker, _MOST_SHOWN)
        most = policy.allows(stayed)
        return Mine(max(0, most - given), most - policy.each, found, policy)

    async def make(self, caller: Caller) -> Invitation:
        """Raises Conflict("not_needed") where one signs up without, Conflict("none_left")."""
        maker = caller.signed_in().account.id
        if self.registration != "invite":
            raise Conflict("not_needed", "This server takes no invitations.")
        policy = await self._inviting.policy()
        most = policy.allows(await self._store.invites.earned(maker, policy.days))
        invitation = new_invitation(maker, self._now, policy)
        if not await self._store.invites.add_within(invitation, most, self._now()):
            raise Conflict("none_left", "You have given all your invitations away.")
        return invitation

    async def of_the_server(self) -> str:
        """A code that nobody in particular invites with."""
        invitation = new_invitation(None, self._now, await self._inviting.policy())
        await self._store.invites.add(invitation)
        return str(invitation.code)

    async def revoke(self, caller: Caller, id: str) -> None:
        """Raises NotFound, for others' as for none, and for one that was used."""
        maker = caller.signed_in().account.id
        if not await self._store.invites.revoke(maker, id[:_LONGEST_CODE], self._now()):
            raise NotFound()

    async def open_ones(self, _: Actor, cursor: str | None, limit: int) -> InvitationPage:
        """Of all members and of the server, without their codes; those first that hold the longest. Raises Invalid."""
        try:
            return await self._store.invites.open_ones(cursor, limit, self._now())
        except BadCursor as error:
            raise Invalid.field("cursor", "This cursor does not come from here.") from error

    async def revoke_any(self, actor: Actor, which: str, reason: str) -> None:
        """Whosever it is; `which` is its id or its code: a link that went astray says no id. Raises Invalid, NotFound
        for one that is not open."""
        reason = people.parse_reason(reason)
        if not await self._store.invites.revoke_any(which[:_LONGEST_CODE], actor.id, reason, self._now()):
            raise NotFound()

    async def inviter(self, code: str) -> Account | None:
        """Who invites with a code that holds; None where the server does. Raises NotFound."""
        found = await self._store.invites.find_open(code[:_LONGEST_CODE], self._now())
        if found is None:
            raise NotFound()
        if found.made_by is None:
            return None
        return (await self._store.accounts.by_ids([found.made_by])).get(found.made_by)
