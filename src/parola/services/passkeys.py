"""Passkeys (WebAuthn level 3): signing up and in with one, further ones, and proving again who one is.

Invariant: a challenge is made here and kept here. It is good once, for five minutes, and for what it was made for: one
purpose, one account to come, or one session. It is used up by the attempt, whatever comes of it.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import structlog
import webauthn
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    AuthenticatorTransport,
    PublicKeyCredentialDescriptor,
    PublicKeyCredentialHint,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from parola.domain import people
from parola.domain.devices import Device
from parola.domain.errors import Conflict, Forbidden, NotFound, NotSignedIn
from parola.domain.moments import milliseconds
from parola.domain.signing_in import CEREMONY_LIFE, MOST_PASSKEYS
from parola.services.caller import Caller
from parola.services.clock import Clock
from parola.services.proving import require_recent
from parola.services.sessions import NewAccount, Sessions, SignedIn, is_id, new_account_id
from parola.store import Account, Ceremony, LastWay, Passkey, PasskeyKnown, Store
from parola.store.codes import hash_of

_log = structlog.get_logger(__name__)

SIGN_UP, SIGN_IN, ADD, PROVE = "sign_up", "sign_in", "add", "prove"
_TRANSPORTS = frozenset(one.value for one in AuthenticatorTransport)
_LONGEST_ID = 1400
_CREDENTIAL_ID = re.compile(f"[A-Za-z0-9_-]{{1,{_LONGEST_ID}}}")
_NAME = "Parola"

Credential = dict[str, Any]
"""What the browser's `PublicKeyCredential.toJSON` makes."""


@dataclass(frozen=True, slots=True)
class Begun:
    """`ticket` is told this once; `options` are for `navigator.credentials`, in its JSON form."""

    ticket: str
    options: dict[str, Any]


class Passkeys:
    """`public_url` is the origin that people see; its host is the relying party's id."""

    def __init__(self, store: Store, sessions: Sessions, now: Clock, public_url: str) -> None:
        self._store = store
        self._sessions = sessions
        self._now = now
        self._origin = public_url
        self._rp_id = urlsplit(public_url).hostname or "localhost"

    # Signing up and in

    async def begin_sign_up(self, handle: str, name: str, invite: str | None) -> Begun:
        """Raises what signing up raises, before anybody makes a passkey for nothing."""
        handle, name = people.parse_new_handle(handle), people.parse_name(name)
        await self._sessions.check_new(handle, name, invite)
        ceremony = Ceremony(
            SIGN_UP, _challenge(), new_account_id(), None, json.dumps({"handle": handle, "name": name})
        )
        return await self._begin(ceremony, self._making(ceremony, handle, name, []))

    async def sign_up(
        self, ticket: str, credential: Credential, invite: str | None, device: Device | None = None
    ) -> SignedIn:
        """Raises Conflict("ceremony_over"), Forbidden("passkey_refused"), and what signing up raises."""
        ceremony = await self._take(ticket, SIGN_UP, None)
        about = json.loads(ceremony.about)
        passkey = self._made(ceremony, credential, _called_after(device))
        new = NewAccount(
            passkey.account_id,
            about["handle"],
            about["name"],
            also=self._store.credentials.adding(passkey),
        )
        try:
            return await self._sessions.open_account(new, invite, device)
        except PasskeyKnown as error:
            raise _refused() from error

    async def begin_sign_in(self) -> Begun:
        ceremony = Ceremony(SIGN_IN, _challenge())
        return await self._begin(ceremony, self._asking(ceremony, []))

    async def sign_in(self, ticket: str, credential: Credential, device: Device | None = None) -> SignedIn:
        """Raises Conflict("ceremony_over"), NotSignedIn("unknown_passkey"), Forbidden("passkey_refused")."""
        ceremony = await self._take(ticket, SIGN_IN, None)
        _, account = await self._used(ceremony, credential)
        return await self._sessions.begin(account, device)

    # Of who is signed in

    async def begin_add(self, caller: Caller) -> Begun:
        """Raises Forbidden("sign_in_again"), Conflict("too_many_passkeys")."""
        member = require_recent(caller, self._now())
        account = member.account
        there = await self._store.credentials.passkeys_of(account.id)
        if len(there) >= MOST_PASSKEYS:
            raise Conflict("too_many_passkeys", f"An account has at most {MOST_PASSKEYS} passkeys.")
        ceremony = Ceremony(ADD, _challenge(), account.id, member.session_id)
        return await self._begin(ceremony, self._making(ceremony, account.handle, account.name, there))

    async def add(self, caller: Caller, ticket: str, credential: Credential, name: str) -> Passkey:
        """Raises Conflict("ceremony_over", "passkey_known"), Forbidden("passkey_refused", "sign_in_again")."""
        member = require_recent(caller, self._now())
        name = people.parse_key_name(name)
        ceremony = await self._take(ticket, ADD, member.session_id)
        passkey = self._made(ceremony, credential, name)
        if passkey.account_id != member.account.id:
            raise _over()
        try:
            await self._store.credentials.add_passkey(passkey)
        except PasskeyKnown as error:
            raise Conflict("passkey_known", "This passkey belongs to an account already.") from error
        return passkey

    async def rename(self, caller: Caller, id: str, name: str) -> None:
        """Raises NotFound, for others' as for none."""
        name = people.parse_key_name(name)
        account_id = caller.signed_in().account.id
        if not is_id(id) or not await self._store.credentials.rename_passkey(account_id, id, name):
            raise NotFound()

    async def delete(self, caller: Caller, id: str) -> None:
        """Raises NotFound, Conflict("last_way"), Forbidden("sign_in_again")."""
        member = require_recent(caller, self._now())
        try:
            if not is_id(id) or not await self._store.credentials.delete_passkey(member.account.id, id):
                raise NotFound()
        except LastWay as error:
            raise last_way() from error

    async def begin_proof(self, caller: Caller) -> Begun:
        member = caller.signed_in()
        ceremony = Ceremony(PROVE, _challenge(), member.account.id, member.session_id)
        there = await self._store.credentials.passkeys_of(member.account.id)
        return await self._begin(ceremony, self._asking(ceremony, there))

    async def check_proof(self, caller: Caller, ticket: str, credential: Credential) -> None:
        """That the caller holds one of the account's own passkeys now. Raises as `sign_in` does."""
        member = caller.signed_in()
        ceremony = await self._take(ticket, PROVE, member.session_id)
        await self._used(ceremony, credential)

    # The ceremonies themselves

    async def _begin(self, ceremony: Ceremony, options: dict[str, Any]) -> Begun:
        ticket = secrets.token_urlsafe(24)
        expires_at = milliseconds(self._now() + CEREMONY_LIFE)
        await self._store.ceremonies.add(hash_of(ticket), ceremony, expires_at)
        return Begun(ticket, options)

    async def _take(self, ticket: str, purpose: str, session_id: str | None) -> Ceremony:
        now = milliseconds(self._now())
        ceremony = await self._store.ceremonies.take(hash_of(ticket), purpose, session_id, now)
        if ceremony is None:
            raise _over()
        return ceremony

    def _making(self, ceremony: Ceremony, handle: str, name: str, there: list[Passkey]) -> dict[str, Any]:
        """`there` are not to be made again."""
        assert ceremony.account_id is not None
        options = webauthn.generate_registration_options(
            rp_id=self._rp_id,
            rp_name=_NAME,
            user_id=ceremony.account_id.encode(),
            user_name=handle,
            user_display_name=name,
            challenge=base64url_to_bytes(ceremony.challenge),
            timeout=int(CEREMONY_LIFE.total_seconds() * 1000),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.REQUIRED,
                user_verification=UserVerificationRequirement.REQUIRED,
            ),
            exclude_credentials=_described(there),
            hints=[PublicKeyCredentialHint.CLIENT_DEVICE],
        )
        return options_to_json_dict(options)

    def _asking(self, ceremony: Ceremony, allowed: list[Passkey]) -> dict[str, Any]:
        """Without `allowed` the authenticator says whose passkeys it holds."""
        options = webauthn.generate_authentication_options(
            rp_id=self._rp_id,
            challenge=base64url_to_bytes(ceremony.challenge),
            timeout=int(CEREMONY_LIFE.total_seconds() * 1000),
            allow_credentials=_described(allowed),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return options_to_json_dict(options)

    def _made(self, ceremony: Ceremony, credential: Credential, name: str) -> Passkey:
        """The passkey that an authenticator has made (WebAuthn, section 7.1). Raises Forbidden("passkey_refused")."""
        assert ceremony.account_id is not None
        try:
            verified = webauthn.verify_registration_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(ceremony.challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                require_user_verification=True,
            )
            transports = credential["response"].get("transports") or []
            known = tuple(one for one in sorted(_TRANSPORTS) if one in transports)
        except Exception as error:  # on a stranger's bytes the parsers below it raise whatever they like
            raise _refused() from error
        credential_id = bytes_to_base64url(verified.credential_id)
        if len(credential_id) > _LONGEST_ID:
            raise _refused()
        return Passkey(
            secrets.token_urlsafe(12),
            credential_id,
            ceremony.account_id,
            bytes_to_base64url(verified.credential_public_key),
            verified.sign_count,
            name,
            known,
            self._now().isoformat(),
        )

    async def _used(self, ceremony: Ceremony, credential: Credential) -> tuple[Passkey, Account]:
        """Whose passkey signed the challenge (WebAuthn, section 7.2); where the ceremony is of an account, it has to be
        that one's."""
        id = credential.get("id")
        known = isinstance(id, str) and _CREDENTIAL_ID.fullmatch(id) is not None
        found = await self._store.credentials.passkey(str(id)) if known else None
        if found is None:
            raise NotSignedIn("unknown_passkey", "No account here has this passkey.")
        passkey, account = found
        if ceremony.account_id not in (None, account.id):
            raise _refused()
        try:
            said = credential["response"].get("userHandle")
            if said is not None and base64url_to_bytes(said) != account.id.encode():
                raise _refused()
            verified = webauthn.verify_authentication_response(
                credential=credential,
                expected_challenge=base64url_to_bytes(ceremony.challenge),
                expected_rp_id=self._rp_id,
                expected_origin=self._origin,
                credential_public_key=base64url_to_bytes(passkey.public_key),
                credential_current_sign_count=passkey.sign_count,
                require_user_verification=True,
            )
        except Exception as error:  # as above
            _log.warning("passkey.refused", passkey=passkey.id, reason=str(error)[:200])
            raise _refused() from error
        count = verified.new_sign_count
        if not await self._store.credentials.passkey_used(passkey, count, milliseconds(self._now())):
            raise _refused()
        return replace(passkey, sign_count=count), account


def last_way() -> Conflict:
    return Conflict("last_way", "Nobody could sign in to this account any more without it.")


def _called_after(device: Device | None) -> str:
    """The first passkey of an account, until somebody gives it a better name."""
    known = (device.browser, device.system) if device is not None else ()
    return ", ".join(filter(None, known)) or _NAME


def _described(there: list[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [
        PublicKeyCredentialDescriptor(
            id=base64url_to_bytes(one.credential_id),
            transports=[AuthenticatorTransport(t) for t in one.transports] or None,
        )
        for one in there
    ]


def _challenge() -> str:
    return bytes_to_base64url(secrets.token_bytes(32))


def _refused() -> Forbidden:
    return Forbidden("passkey_refused", "This passkey does not hold here.")


def _over() -> Conflict:
    return Conflict("ceremony_over", "This took too long, or was done already. Begin again.")
