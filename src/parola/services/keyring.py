"""By what somebody signs in, seen as a whole: password, recovery codes, an overview; and proving again who one is."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

from parola.domain import people
from parola.domain.devices import Device
from parola.domain.errors import Invalid, NotSignedIn
from parola.domain.moments import milliseconds
from parola.domain.signing_in import CODE_BYTES, CODES, RECENT, is_recent, read_code, recovery_code
from parola.services.caller import Caller, Member
from parola.services.clock import Clock
from parola.services.passkeys import Credential, Passkeys, last_way
from parola.services.passwords import Passwords
from parola.services.proving import require_recent
from parola.services.sessions import Sessions, SignedIn, wrong_credentials
from parola.store import LastWay, Passkey, Store


@dataclass(frozen=True, slots=True)
class Overview:
    """`pending` is the address that is to be confirmed, `recent_until` milliseconds since 1970, 0 where it is over."""

    password: bool
    passkeys: list[Passkey]
    email: str | None
    pending: str | None
    codes: int
    recent_until: int


class Keyring:
    def __init__(
        self, store: Store, sessions: Sessions, passkeys: Passkeys, passwords: Passwords, now: Clock
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._passkeys = passkeys
        self._passwords = passwords
        self._now = now

    async def overview(self, caller: Caller) -> Overview:
        member, now = caller.signed_in(), milliseconds(self._now())
        id = member.account.id
        until = member.proved_at + RECENT // timedelta(milliseconds=1)
        return Overview(
            member.account.password_hash is not None,
            await self._store.credentials.passkeys_of(id),
            await self._store.credentials.address(id),
            await self._store.mail_links.pending(id, now),
            await self._store.credentials.count_codes(id),
            until if is_recent(member.proved_at, now) else 0,
        )

    async def prove(
        self, caller: Caller, password: str | None, ticket: str | None, credential: Credential | None
    ) -> None:
        """By the password, or by a passkey. Raises NotSignedIn("wrong_credentials"), and what a passkey raises."""
        member = caller.signed_in()
        if ticket is not None and credential is not None and password is None:
            await self._passkeys.check_proof(caller, ticket, credential)
        elif password is not None and ticket is None and credential is None:
            await self._check_password(member, password)
        else:
            raise Invalid.field("password", "Say the password, or a ticket and a credential.")
        await self._store.sessions.prove(member.session_id, self._now())

    async def set_password(self, caller: Caller, password: str, old: str | None) -> None:
        """By who knows the old one, or signed in lately. Links that were mailed end and, where there was one, all other
        sessions. Raises Forbidden("sign_in_again"), NotSignedIn("wrong_credentials")."""
        member = caller.signed_in()
        password = people.parse_password(password)
        if old is not None:
            await self._check_password(member, old)
        else:
            require_recent(caller, self._now())
        await self._store.credentials.set_password(member.account.id, await self._passwords.hash(password))
        await self._store.mail_links.end_all(member.account.id)
        if member.account.password_hash is not None:
            await self._sessions.sign_out_others(caller)

    async def remove_password(self, caller: Caller) -> None:
        """Raises Conflict("last_way"), Forbidden("sign_in_again"). All other sessions and mailed links end."""
        member = require_recent(caller, self._now())
        if member.account.password_hash is None:
            return
        try:
            await self._store.credentials.remove_password(member.account.id)
        except LastWay as error:
            raise last_way() from error
        await self._sessions.sign_out_others(caller)

    async def make_codes(self, caller: Caller) -> list[str]:
        """In place of those that there were; told this once. Raises Forbidden("sign_in_again")."""
        id = require_recent(caller, self._now()).account.id
        codes = [recovery_code(secrets.token_bytes(CODE_BYTES)) for _ in range(CODES)]
        await self._store.credentials.set_codes(id, [_code_hash(id, code) for code in codes])
        return codes

    async def sign_in_by_code(self, handle: str, code: str, device: Device | None = None) -> SignedIn:
        """Raises NotSignedIn("wrong_credentials")."""
        account = await self._sessions.find(handle)
        id = account.id if account is not None else ""
        used = await self._store.credentials.use_code(id, _code_hash(id, code))
        if account is None or not used:
            raise NotSignedIn("wrong_credentials", "Handle and code do not belong together.")
        return await self._sessions.begin(account, device)

    async def _check_password(self, member: Member, password: str) -> None:
        if not await self._passwords.matches(member.account.password_hash, password):
            raise wrong_credentials()


def _code_hash(account_id: str, code: str) -> str:
    """80 random bits want no slow hash."""
    return hashlib.sha256(f"{account_id}:{read_code(code)}".encode("utf-8", "surrogatepass")).hexdigest()
