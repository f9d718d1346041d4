"""The address of an account, and signing in by a link that is mailed there.

Invariant: asking for a link says nothing. The answer is given before anything is looked up, and as much is written down
whether somebody has the address or not.
"""

from __future__ import annotations

import asyncio
import secrets
from datetime import timedelta

import structlog

from parola.domain import people
from parola.domain.devices import Device
from parola.domain.errors import Conflict, NotFound, TooMany
from parola.domain.moments import milliseconds
from parola.domain.signing_in import CONFIRMING_LIFE, LINK_LIFE
from parola.services import letters
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.passkeys import last_way
from parola.services.proving import require_recent
from parola.services.sessions import Sessions, SignedIn
from parola.store import (
    Account,
    AccountGone,
    AddressTaken,
    LastWay,
    Letter,
    MailLink,
    Store,
    StoreUnavailable,
)
from parola.store.codes import hash_of
from parola.store.mail_links import CONFIRM, SIGN_IN

_log = structlog.get_logger(__name__)

_MOST_ASKED = 200
"""At once, in this process: who comes then gets no letter, and the same answer."""
_HOUR_S = 3600


class Mailing:
    """`public_url` is the origin that people see. Tokens have 256 random bits, and only their hashes are kept."""

    def __init__(self, store: Store, sessions: Sessions, now: Clock, public_url: str) -> None:
        self._store = store
        self._sessions = sessions
        self._now = now
        self._public_url = public_url
        self._asked: set[asyncio.Task[None]] = set()

    # A link to sign in by

    def ask_later(self, email: str, language: str) -> None:
        """`ask`, beside the answer. Raises Invalid."""
        email = people.parse_email(email)
        if len(self._asked) < _MOST_ASKED:
            task = asyncio.create_task(self._ask_quietly(email, language))
            self._asked.add(task)
            task.add_done_callback(self._asked.discard)

    async def ask(self, email: str, language: str) -> None:
        """Mails a link to whoever has the address. Raises Invalid, StoreUnavailable."""
        email = people.parse_email(email)
        token, link = self._link(SIGN_IN, email, LINK_LIFE)

        def letter(account: Account) -> Letter:
            return letters.sign_in(
                email, account.language or language, self._public_url, account.handle, token
            )

        await self._store.mail_links.ask(link, letter)

    async def sign_in(self, token: str, device: Device | None = None) -> SignedIn:
        """Raises NotFound for a link that does not hold (any more)."""
        found = await self._store.mail_links.use(hash_of(token), SIGN_IN, milliseconds(self._now()))
        if found is None:
            raise NotFound()
        return await self._sessions.begin(found[0], device)

    async def settled(self) -> None:
        """Waits for what was asked."""
        if self._asked:
            await asyncio.wait(self._asked)

    # An address

    async def set_address(self, caller: Caller, email: str, language: str) -> None:
        """Mails a link by which the address becomes the account's; until then it stays what it is. Whether another
        account has the address is not said here. Raises Invalid, Forbidden("sign_in_again"), TooMany."""
        member = require_recent(caller, self._now())
        email = people.parse_email(email)
        token, link = self._link(CONFIRM, email, CONFIRMING_LIFE)

        def letter(account: Account) -> Letter:
            return letters.confirm_address(
                email, account.language or language, self._public_url, account.handle, token
            )

        if not await self._store.mail_links.confirm(link, member.account, letter):
            raise TooMany("too_many", "This address has had enough letters for now.", _HOUR_S)

    async def confirm(self, token: str) -> tuple[Account, str]:
        """Whose address it is now, and the address. Raises NotFound, and Conflict("address_taken") to who reads mail
        there and has another account with it."""
        found = await self._store.mail_links.use(hash_of(token), CONFIRM, milliseconds(self._now()))
        if found is None or found[0].suspended:
            raise NotFound()
        account, email = found
        try:
            before = await self._store.credentials.set_address(account.id, email, self._now())
        except AccountGone as error:
            raise NotFound() from error
        except AddressTaken as error:
            raise Conflict("address_taken", "Another account has this address.") from error
        await self._store.mail_links.end_all(account.id)
        if before is not None and before != email:
            await self._tell_the_old(account, before)
        return account, email

    async def remove_address(self, caller: Caller) -> None:
        """Also one that is to be confirmed. Raises Conflict("last_way"), Forbidden("sign_in_again")."""
        account = require_recent(caller, self._now()).account
        try:
            before = await self._store.credentials.remove_address(account.id)
        except LastWay as error:
            raise last_way() from error
        await self._store.mail_links.end_all(account.id)
        if before is not None:
            await self._tell_the_old(account, before)

    async def _tell_the_old(self, account: Account, email: str) -> None:
        """Whoever did it, who reads mail there hears of it."""
        letter = letters.address_gone(email, account.language, self._public_url, account.handle)
        await self._store.outbox.put([letter], milliseconds(self._now()))

    async def _ask_quietly(self, email: str, language: str) -> None:
        try:
            await self.ask(email, language)
        except StoreUnavailable:
            _log.warning("mailing.store_away")

    def _link(self, purpose: str, email: str, life: timedelta) -> tuple[str, MailLink]:
        token, now = secrets.token_urlsafe(32), self._now()
        link = MailLink(hash_of(token), purpose, email, milliseconds(now), milliseconds(now + life))
        return token, link
