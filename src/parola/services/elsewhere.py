"""Signing in by an account elsewhere: where to, what comes back, and what becomes of it here.

Invariant: what comes back counts once, within minutes, in the browser that was sent out, and on the way that leads back
from where it was sent. Everything else changes nothing, and spoils nobody's way.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from parola.domain import people
from parola.domain.devices import Device
from parola.domain.errors import Conflict, Forbidden, NotFound
from parola.domain.moments import milliseconds
from parola.domain.people import suggest_handle, suggest_name
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.passkeys import last_way
from parola.services.provider import Errand, Provider, Stranger
from parola.services.proving import require_recent
from parola.services.sessions import NewAccount, Sessions, SignedIn, new_account_id
from parola.store import Account, AccountGone, Identity, IdentityTaken, LastWay, Store

LIFE = timedelta(minutes=10)
"""For signing in there."""
ARRIVAL_LIFE = timedelta(minutes=30)
"""For choosing a handle here."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Sent:
    url: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """Somebody who is new here: `token` opens what is known of them, in the same browser."""

    token: str


@dataclass(frozen=True, slots=True)
class Linked:
    """It belongs to the account, whose owner has shown who they are."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """What to begin with; empty where nothing of it can stand."""

    provider: str
    known_as: str
    handle: str
    name: str


class Elsewhere:
    def __init__(
        self, store: Store, sessions: Sessions, providers: Mapping[str, Provider], public_url: str, now: Clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._providers = providers
        self._public_url = public_url
        self._now = now

    @property
    def providers(self) -> dict[str, str]:
        """Names for people, by id."""
        return {id: provider.name for id, provider in self._providers.items()}

    @property
    def registration(self) -> str:
        return self._sessions.registration

    async def begin(
        self, caller: Caller, provider: str, server: str, browser: str, link: bool, prove: bool = False
    ) -> Sent:
        """`browser` is a secret of that browser. With `link` the account there shall belong to the caller's; with
        `prove` it does already, and who comes back has shown who they are. Raises NotFound, Invalid,
        Unavailable("elsewhere_away"); with either NotSignedIn, and with `link` Forbidden("sign_in_again")."""
        there = self._find(provider)
        account_id = session_id = ""
        if link or prove:
            member = caller.signed_in() if prove else require_recent(caller, self._now())
            account_id, session_id = member.account.id, member.session_id
        place = there.place(server[:_LONGEST])
        errand = Errand.new(provider, place, server[:_LONGEST], account_id, session_id, prove)
        state = secrets.token_urlsafe(32)
        url = await there.address(errand, state, self._back(errand.place))
        await self._keep("sign_in", state, browser, errand.written(), LIFE)
        return Sent(url)

    async def come_back(
        self,
        place: str,
        browser: str,
        state: str,
        code: str | None,
        issuer: str | None,
        device: Device | None = None,
    ) -> SignedIn | Arrived | Linked:
        """`code` is None where the other side refused. Raises Forbidden("sign_in_expired", "sign_in_refused",
        "wrong_issuer"), Conflict("identity_taken"), Unavailable("elsewhere_away")."""
        body = await self._store.elsewhere.take("sign_in", state[:_LONGEST], browser, self._ms())
        if body is None:
            raise Forbidden("sign_in_expired", "This took too long, or was used already. Begin again.")
        errand = Errand(**body)
        if place != errand.place:
            raise Forbidden("wrong_issuer", "This answer comes from somewhere else.")
        there = self._find(errand.provider)
        there.check_issuer(errand, issuer)
        if code is None:
            raise Forbidden("sign_in_refused", "The other side did not confirm this.")
        stranger = await there.fetch(errand, code, self._back(errand.place))
        known = await self._store.elsewhere.account_of(stranger.identity)
        if errand.account_id:
            return await self._link(errand, stranger.identity, known)
        if known is None:
            return await self._arrive(stranger, browser)
        return await self._sessions.begin(known, device)

    async def arrival(self, token: str, browser: str) -> Arrival:
        """Raises NotFound."""
        body = await self._store.elsewhere.look("arrival", token[:_LONGEST], browser, self._ms())
        if body is None:
            raise NotFound()
        return Arrival(body["provider"], body["known_as"], body["handle"], body["name"])

    async def sign_up(
        self,
        token: str,
        browser: str,
        handle: str,
        name: str,
        invite: str | None,
        device: Device | None = None,
    ) -> SignedIn:
        """Raises NotFound, Conflict("identity_taken"), and as Sessions.sign_up. Whoever is refused may try again."""
        handle, name = people.parse_new_handle(handle), people.parse_name(name)
        body = await self._store.elsewhere.look("arrival", token[:_LONGEST], browser, self._ms())
        if body is None:
            raise NotFound()
        identity = Identity(body["provider"], body["subject"], body["known_as"])
        await self._sessions.check_new(handle, name, invite)
        id = new_account_id()
        new = NewAccount(id, handle, name, also=self._store.elsewhere.adding(identity, id, self._now()))
        try:
            signed_in = await self._sessions.open_account(new, invite, device)
        except IdentityTaken as error:
            raise _taken() from error
        await self._store.elsewhere.take("arrival", token[:_LONGEST], browser, self._ms())
        return signed_in

    async def linked(self, caller: Caller) -> list[Identity]:
        """Raises NotSignedIn."""
        return await self._store.elsewhere.identities_of(caller.signed_in().account.id)

    async def unlink(self, caller: Caller, provider: str, subject: str) -> None:
        """Raises NotSignedIn, Conflict("last_way"), Forbidden("sign_in_again")."""
        id = require_recent(caller, self._now()).account.id
        try:
            await self._store.elsewhere.unlink(provider, subject, id)
        except LastWay as error:
            raise last_way() from error

    async def _link(self, errand: Errand, identity: Identity, known: Account | None) -> Linked:
        # Whoever has signed out meanwhile, or lost the account, gets nothing linked to it.
        if not await self._store.sessions.alive([errand.session_id]):
            raise _signed_out()
        if known is not None and known.id == errand.account_id:
            if errand.proves:  # only then it was asked to make sure that they are there
                await self._store.sessions.prove(errand.session_id, self._now())
            return Linked()
        if errand.proves:
            raise Forbidden("sign_in_refused", "This account elsewhere is not one of yours.")
        if known is not None:
            raise _taken()
        try:
            await self._store.elsewhere.link(identity, errand.account_id, self._now())
        except IdentityTaken as error:
            raise _taken() from error
        except AccountGone as error:
            raise _signed_out() from error
        return Linked()

    async def _arrive(self, stranger: Stranger, browser: str) -> Arrived:
        token = secrets.token_urlsafe(32)
        handle = suggest_handle(stranger.handle) or suggest_handle(stranger.name)
        body = {
            "provider": stranger.identity.provider,
            "subject": stranger.identity.subject,
            "known_as": stranger.identity.name,
            "handle": handle,
            "name": suggest_name(stranger.name) or suggest_name(stranger.handle),
        }
        await self._keep("arrival", token, browser, body, ARRIVAL_LIFE)
        return Arrived(token)

    async def _keep(self, kind: str, key: str, browser: str, body: dict[str, str], life: timedelta) -> None:
        expires_at = milliseconds(self._now() + life)
        await self._store.elsewhere.send(kind, key, browser, body, self._ms(), expires_at)

    def _find(self, provider: str) -> Provider:
        if provider not in self._providers:
            raise NotFound()
        return self._providers[provider]

    def _back(self, place: str) -> str:
        return f"{self._public_url}/api/elsewhere/back/{place}"

    def _ms(self) -> int:
        return milliseconds(self._now())


def _signed_out() -> Forbidden:
    return Forbidden("sign_in_expired", "You have signed out meanwhile.")


def _taken() -> Conflict:
    return Conflict("identity_taken", "Somebody signs in here by this account already.")
