"""Links by which somebody becomes an administrator: printed by the server, good once and for a day."""

from __future__ import annotations

import secrets
from datetime import timedelta

from parola.domain.audit import COMMAND_LINE, Deed
from parola.domain.errors import NotFound
from parola.domain.moments import milliseconds
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.store import Store
from parola.store.codes import hash_of

LIFE = timedelta(hours=24)


class Claims:
    """`public_url` is the origin that people see. A token has 256 random bits, and only its hash is kept."""

    def __init__(self, store: Store, now: Clock, public_url: str) -> None:
        self._store = store
        self._now = now
        self._public_url = public_url

    async def first_link(self) -> str | None:
        """None where there is an administrator already."""
        return None if await self._store.administration.has_administrator() else await self._link(None)

    async def link(self) -> str:
        """For whoever sits at the machine, at any time."""
        return await self._link(Deed(COMMAND_LINE, "claim_link", "server", ""))

    async def claim(self, caller: Caller, token: str) -> None:
        """Makes the caller an administrator. Raises NotFound for a guest, and for every token that does not hold."""
        if caller.member is None:
            raise NotFound()
        account_id = caller.member.account.id
        deed = Deed(account_id, "claim", "account", account_id)
        if not await self._store.administration.claim(hash_of(token), deed, self._now()):
            raise NotFound()

    async def _link(self, deed: Deed | None) -> str:
        token, now = secrets.token_urlsafe(32), self._now()
        expires_at = milliseconds(now + LIFE)
        await self._store.administration.add_claim(hash_of(token), expires_at, deed, now)
        # Behind the #, so that it stands in no log of any proxy.
        return f"{self._public_url}/admin/claim#{token}"
