"""How somebody wants to be told that a room has started: in the page, by push to this or that browser, by mail; and of
which hosts."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from parola.domain.errors import Conflict, Invalid, NotFound
from parola.domain.moments import milliseconds
from parola.outbound import Outbound
from parola.outbound import Refused as NotCalled
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.letters import written_in
from parola.services.people import People
from parola.services.pushing import Became, Pusher
from parola.services.rounds import Addresses
from parola.services.secret import Secret
from parola.store import Store, Subscription

_LONGEST_ENDPOINT = 2000
_POINT_BYTES = 65
_AUTH_BYTES = 16
_SIGNATURE_BYTES = 16


@dataclass(frozen=True, slots=True)
class Wish:
    """`has_address`: there is one to which mail may go. `browsers` are told also where no page is open."""

    in_page: bool
    email: bool
    has_address: bool
    browsers: tuple[Subscription, ...]


@dataclass(frozen=True, slots=True)
class Tried:
    """How many browsers took a notice that was asked for, and how many did not."""

    sent: int
    failed: int


class Wishes:
    """`public_url` is the origin that people see."""

    def __init__(
        self,
        store: Store,
        people: People,
        secret: Secret,
        outbound: Outbound,
        pusher: Pusher,
        addresses: Addresses,
        now: Clock,
        public_url: str,
    ) -> None:
        self._store = store
        self._people = people
        self._outbound = outbound
        self._pusher = pusher
        self._addresses = addresses
        self._now = now
        self._public_url = public_url
        self.push_key = secret.public
        self._signing = secret.derived("unsubscribe")

    async def read(self, caller: Caller) -> Wish:
        """Raises NotSignedIn."""
        me = caller.signed_in().account.id
        choices = await self._store.notices.choices(me)
        browsers = await self._store.notices.subscriptions(me)
        return Wish(choices.in_page, choices.email, await self._has_address(me), tuple(browsers))

    async def choose(self, caller: Caller, in_page: bool | None, email: bool | None) -> Wish:
        """None leaves it as it is. Raises NotSignedIn, Conflict("no_address")."""
        me = caller.signed_in().account.id
        if email and not await self._has_address(me):
            raise Conflict("no_address", "There is no confirmed address to write to.")
        wanted = {"in_page": in_page, "email": email}
        changes = {name: value for name, value in wanted.items() if value is not None}
        await self._store.notices.choose(me, changes)
        return await self.read(caller)

    async def subscribe(
        self, caller: Caller, endpoint: str, p256dh: str, auth: str, replaces: str | None
    ) -> Subscription:
        """Until the session ends; `replaces` is the endpoint of one that the browser has given up. Raises NotSignedIn,
        Invalid."""
        member = caller.signed_in()
        await self._check_endpoint(endpoint)
        _check_keys(p256dh, auth)
        given = Subscription(
            _id(endpoint),
            member.account.id,
            member.session_id,
            endpoint,
            p256dh.rstrip("="),
            auth.rstrip("="),
            milliseconds(self._now()),
        )
        await self._store.notices.subscribe(given, _id(replaces) if replaces is not None else None)
        return given

    async def unsubscribe(self, caller: Caller, id: str | None) -> None:
        """One of the caller's browsers; None for all of them. Raises NotSignedIn."""
        await self._store.notices.unsubscribe(caller.signed_in().account.id, id)

    async def try_out(self, caller: Caller) -> Tried:
        """One notice to each of the caller's browsers, now. Raises NotSignedIn."""
        browsers = await self._store.notices.subscriptions(caller.signed_in().account.id)
        told = [
            self._pusher.push(one, {"kind": "test", "language": written_in(one.language)}, "test")
            for one in browsers
        ]
        outcomes = [outcome.became for outcome in await asyncio.gather(*told)]
        gone = [one.id for one, became in zip(browsers, outcomes, strict=True) if became is Became.GONE]
        if gone:
            await self._store.notices.forget(gone)
        sent = outcomes.count(Became.SENT)
        return Tried(sent, len(outcomes) - sent)

    async def ring(self, caller: Caller, handle: str, rings: bool) -> None:
        """Whether rooms of somebody whom the caller follows are told of. Raises NotSignedIn, NotFound,
        Conflict("not_following")."""
        me = caller.signed_in().account.id
        host = await self._people.visible(caller, handle)
        if not await self._store.relations.set_quiet(me, host.id, not rings):
            raise Conflict("not_following", "You do not follow this person.")

    # Mail is ended from the letter itself, by whoever has it.

    def unsubscribe_url(self, account_id: str) -> str:
        return f"{self._public_url}/unsubscribe/{account_id}.{self._sign(account_id)}"

    async def no_mail(self, token: str) -> None:
        """Raises NotFound for a token that is not ours."""
        account_id, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._sign(account_id).encode(), signature.encode("utf-8", "replace")):
            raise NotFound()
        await self._store.notices.no_mail(account_id)

    def _sign(self, account_id: str) -> str:
        digest = hmac.digest(self._signing, account_id.encode("utf-8", "replace"), "sha256")
        return base64.urlsafe_b64encode(digest[:_SIGNATURE_BYTES]).rstrip(b"=").decode()

    async def _has_address(self, account_id: str) -> bool:
        return account_id in await self._addresses.confirmed([account_id])

    async def _check_endpoint(self, endpoint: str) -> None:
        if len(endpoint) > _LONGEST_ENDPOINT or not endpoint.isascii() or not endpoint.isprintable():
            raise Invalid.field("endpoint", "This is no address of a push service.")
        try:
            self._outbound.check(endpoint)
        except NotCalled as error:
            raise Invalid.field("endpoint", "This is no address of a push service.") from error
        if await self._outbound.leads_inside(endpoint):
            raise Invalid.field("endpoint", "This is no address of a push service.")


def _check_keys(p256dh: str, auth: str) -> None:
    """Raises Invalid."""
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(p256dh, _POINT_BYTES))
    except ValueError as error:
        raise Invalid.field("keys.p256dh", "This is no public key.") from error
    try:
        _bytes(auth, _AUTH_BYTES)
    except ValueError as error:
        raise Invalid.field("keys.auth", "This is no secret of 16 bytes.") from error


def _bytes(text: str, count: int) -> bytes:
    """Raises ValueError."""
    if len(text) > 2 * count or not text.isascii():
        raise ValueError("too long")
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
    if len(raw) != count:
        raise ValueError(f"{count} bytes are wanted")
    return raw


def _id(endpoint: str) -> str:
    return hashlib.sha256(endpoint.encode("utf-8", "replace")).hexdigest()
