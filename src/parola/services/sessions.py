"""Sessions: an opaque token for whoever signed in, of which the store knows only the hash."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import SessionEnded
from parola.domain import people
from parola.domain.errors import Forbidden, Invalid, NotSignedIn
from parola.services.caller import GUEST, Caller, Member
from parola.services.clock import Clock
from parola.services.passwords import Passwords
from parola.store import NO_PASSWORD, Account, Identity, InviteSpent, Store

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session; its token is told this once."""

    account: Account
    token: str


class Sessions:
    """`registration` is open, invite or closed."""

    def __init__(self, store: Store, bus: Bus, passwords: Passwords, now: Clock, registration: str) -> None:
        self.registration = registration
        self._store = store
        self._bus = bus
        self._passwords = passwords
        self._now = now

    async def authenticate(self, token: str) -> Caller:
        """A guest for a token that does not hold (any more)."""
        session = await self._store.sessions.by_token_hash(_hash(token))
        return Caller(Member(session.account, session.id, session.began_at)) if session is not None else GUEST

    async def sign_up(
        self,
        handle: str,
        name: str,
        password: str | None,
        invite: str | None,
        identity: Identity | None = None,
    ) -> SignedIn:
        """With a password, or by an account elsewhere. Raises IdentityTaken, Invalid, HandleTaken,
        Forbidden("invite_required" or "registration_closed"). A code that holds says who invited, also where nobody
        needs one."""
        handle, name = people.parse_new_handle(handle), people.parse_name(name)
        password = people.parse_password(password) if password is not None else None
        if self.registration == "closed":
            raise Forbidden("registration_closed", "This server takes no new accounts.")
        account_id = secrets.token_urlsafe(16)
        # Before the slow hash, so that who guesses costs little; what counts is that it holds when it is used.
        holds = invite is not None and await self._store.invites.find_open(invite, self._now()) is not None
        code = invite if holds else None
        if code is None and self.registration == "invite":
            raise _invite_required()
        password_hash = await self._passwords.hash(password) if password is not None else NO_PASSWORD
        try:
            account = await self._store.accounts.add(
                account_id, handle, name, password_hash, self._now(), code, identity
            )
        except InviteSpent as error:
            raise _invite_required() from error
        return await self.begin(account)

    async def sign_in(self, handle: str, password: str) -> SignedIn:
        """Raises NotSignedIn("wrong_credentials"), in the same words and time whichever of the two is wrong, and
        Forbidden("suspended") only to who knows the password."""
        try:
            account = await self._store.accounts.by_handle(people.parse_handle(handle))
        except Invalid:
            account = None
        if (
            not await self._passwords.matches(account.password_hash if account else None, password)
            or account is None
        ):
            raise NotSignedIn("wrong_credentials", "Handle and password do not belong together.")
        if account.suspended:
            raise Forbidden("suspended", "This account is suspended.")
        return await self.begin(account)

    async def sign_out(self, caller: Caller) -> None:
        """Ends the session, and with it its event streams and connections."""
        session_id = caller.signed_in().session_id
        await self._store.sessions.end(session_id)
        await self.tell_ended([session_id])

    async def tell_ended(self, session_ids: Iterable[str]) -> None:
        """To every process, whose streams and connections of these sessions end."""
        try:
            for session_id in session_ids:
                await self._bus.publish(subjects.SESSION_ENDED, SessionEnded(session_id).to_bytes())
        except BusUnavailable:
            _log.warning("session.end_not_told")  # every process finds out by itself within seconds

    async def begin(self, account: Account) -> SignedIn:
        """For whoever has proved to be them."""
        token = secrets.token_urlsafe(32)
        await self._store.sessions.add(secrets.token_urlsafe(16), _hash(token), account.id, self._now())
        return SignedIn(account, token)


def _invite_required() -> Forbidden:
    return Forbidden("invite_required", "This server takes new accounts by invitation only.")


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
