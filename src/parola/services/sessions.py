"""The one way to an account, and sessions: an opaque token for whoever signed in, of which the store knows the hash."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import structlog

from parola.bus import Bus, BusUnavailable, subjects
from parola.bus.messages import SessionEnded
from parola.domain import people
from parola.domain.devices import Device
from parola.domain.errors import Conflict, Forbidden, Invalid, NotFound, NotSignedIn
from parola.domain.moments import milliseconds
from parola.domain.signing_in import hour_of
from parola.services.caller import GUEST, Caller, Member
from parola.services.clock import Clock
from parola.services.passwords import Passwords
from parola.services.words import Words
from parola.store import Account, Also, Begun, HandleTaken, InviteSpent, Store
from parola.store.codes import hash_of

_log = structlog.get_logger(__name__)

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A fresh session; its token is told this once."""

    account: Account
    token: str


@dataclass(frozen=True, slots=True)
class NewAccount:
    """`handle` and `name` as `parse_new_handle` and `parse_name` return them. At least one of `password_hash` and
    `also`, which writes another way of signing in."""

    id: str
    handle: str
    name: str
    password_hash: str | None = None
    also: Also | None = None


class Sessions:
    """`registration` is open, invite or closed."""

    def __init__(
        self, store: Store, bus: Bus, passwords: Passwords, words: Words, now: Clock, registration: str
    ) -> None:
        self._store = store
        self._bus = bus
        self._passwords = passwords
        self._words = words
        self._now = now
        self.registration = registration
        self._seen: set[str] = set()
        """Sessions that were used since `tidy`, in an hour of which the store does not know it."""

    async def authenticate(self, token: str) -> Caller:
        """A guest for a token that does not hold (any more)."""
        now = self._now()
        session = await self._store.sessions.by_token_hash(hash_of(token), now)
        if session is None:
            return GUEST
        if session.seen_at < hour_of(milliseconds(now)):
            self._seen.add(session.id)  # said later, and of many at once: this is asked on every call
        member = Member(session.account, session.id, session.proved_at)
        return Caller(suspended=member) if session.narrow else Caller(member)

    # An account

    async def sign_up(
        self, handle: str, name: str, password: str, invite: str | None, device: Device | None = None
    ) -> SignedIn:
        """Raises Invalid, HandleTaken, Forbidden("invite_required" or "registration_closed"). A
        code that holds says who invited, also where nobody needs one."""
        handle, name = people.parse_new_handle(handle), people.parse_name(name)
        password = people.parse_password(password)
        # Before the slow hash, so that who guesses costs little; what counts is that it holds when it is used.
        await self.check_open(invite)
        password_hash = await self._passwords.hash(password)
        return await self.open_account(
            NewAccount(new_account_id(), handle, name, password_hash), invite, device
        )

    async def check_open(self, invite: str | None) -> None:
        """Whether somebody with this code could sign up now. Raises as `sign_up` does."""
        if self.registration == "closed":
            raise Forbidden("registration_closed", "This server takes no new accounts.")
        if self.registration == "invite" and await self._holding(invite) is None:
            raise _invite_required()

    async def check_new(self, handle: str, name: str, invite: str | None) -> None:
        """Whether such an account could be opened now. Raises what `open_account` does."""
        await self.check_open(invite)
        await self._words.check(handle=handle, name=name)
        if await self._store.accounts.is_taken(handle, self._now()):
            raise HandleTaken(handle)

    async def open_account(
        self, new: NewAccount, invite: str | None, device: Device | None = None
    ) -> SignedIn:
        """The one way to an account, with whatever one signs in. Raises HandleTaken, Forbidden as `sign_up` does, and
        what `new.also` raises: nothing is made then, and no invitation used."""
        await self.check_open(invite)
        await self._words.check(handle=new.handle, name=new.name)
        code = await self._holding(invite)
        if code is None and self.registration == "invite":
            raise _invite_required()  # somebody else used it up in between
        try:
            account = await self._store.accounts.add(
                new.id, new.handle, new.name, new.password_hash, self._now(), code, new.also
            )
        except InviteSpent as error:
            raise _invite_required() from error
        return await self.begin(account, device)

    # A session

    async def sign_in(self, handle: str, password: str, device: Device | None = None) -> SignedIn:
        """Raises NotSignedIn("wrong_credentials"), in the same words and time whichever of the two is wrong."""
        account = await self.find(handle)
        if (
            not await self._passwords.matches(account.password_hash if account else None, password)
            or account is None
        ):
            raise wrong_credentials()
        return await self.begin(account, device)

    async def begin(self, account: Account, device: Device | None = None) -> SignedIn:
        """For who has just shown who they are, in whatever way. Of somebody who is suspended a narrow one: they may
        read what was decided about them and appeal, and nothing else. Raises NotSignedIn where the account is being
        deleted."""
        if account.deleted:
            raise wrong_credentials()
        token, session_id = secrets.token_urlsafe(32), secrets.token_urlsafe(16)
        await self._store.sessions.add(
            session_id, hash_of(token), account.id, self._now(), device, narrow=account.suspended
        )
        return SignedIn(account, token)

    async def find(self, handle: str) -> Account | None:
        try:
            return await self._store.accounts.by_handle(people.parse_handle(handle))
        except Invalid:
            return None

    async def sign_out(self, caller: Caller) -> None:
        """Ends the session, and with it its event streams and connections."""
        session_id = caller.known().session_id
        await self._store.sessions.end(session_id)
        await self.tell_ended([session_id])

    # All of somebody's sessions

    async def devices(self, caller: Caller) -> list[Begun]:
        """The last used first."""
        return await self._store.sessions.of(caller.signed_in().account.id, self._now())

    async def sign_out_device(self, caller: Caller, id: str) -> None:
        """Raises NotFound, for others' as for none; Conflict("own_device") for the one that asks."""
        member = caller.signed_in()
        if id == member.session_id:
            raise Conflict("own_device", "This is the device you are using: sign out instead.")
        if not is_id(id) or not await self._store.sessions.end_of(member.account.id, id):
            raise NotFound()
        await self.tell_ended([id])

    async def sign_out_others(self, caller: Caller) -> int:
        """How many there were. Links that were mailed for the account end with them: who was in may have asked."""
        member = caller.signed_in()
        await self._store.mail_links.end_all(member.account.id)
        ended = await self._store.sessions.end_others(member.account.id, member.session_id)
        await self.tell_ended(ended)
        return len(ended)

    async def tell_ended(self, session_ids: Iterable[str]) -> None:
        """To every process, whose streams and connections of these sessions end."""
        try:
            for session_id in session_ids:
                await self._bus.publish(subjects.SESSION_ENDED, SessionEnded(session_id).to_bytes())
        except BusUnavailable:
            _log.warning("session.end_not_told")  # every process finds out by itself within seconds

    async def note_seen(self) -> None:
        """Writes down who was here this hour. Raises StoreUnavailable."""
        seen, self._seen = self._seen, set()
        if seen:
            await self._store.sessions.seen(seen, hour_of(milliseconds(self._now())))

    async def _holding(self, invite: str | None) -> str | None:
        """The code, where it holds."""
        holds = invite is not None and await self._store.invites.find_open(invite, self._now()) is not None
        return invite if holds else None


def new_account_id() -> str:
    return secrets.token_urlsafe(16)


def id_or_none(text: str) -> str:
    """What cannot be an id becomes one that nobody has: not every database is asked for just any text."""
    return text if is_id(text) else "-"


def is_id(text: str) -> bool:
    """Whether it may be one of ours: a database is not asked for what it could not hold."""
    return _ID.fullmatch(text) is not None


def wrong_credentials() -> NotSignedIn:
    return NotSignedIn("wrong_credentials", "Handle and password do not belong together.")


def _invite_required() -> Forbidden:
    return Forbidden("invite_required", "This server takes new accounts by invitation only.")
