"""What a place where people can sign in has to offer."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import asdict, dataclass
from typing import Protocol

from parola.domain.errors import Unavailable
from parola.store import Identity


@dataclass(frozen=True, slots=True)
class Errand:
    """Somebody on the way to sign in elsewhere. `place` is what the way back is named after; `session_id` is empty for
    who signs in, and else that of the account to which it shall belong, or, where it `proves`, does already."""

    provider: str
    place: str
    server: str
    nonce: str
    verifier: str
    account_id: str = ""
    session_id: str = ""
    proves: str = ""
    """Something, where it does."""

    @classmethod
    def new(
        cls, provider: str, place: str, server: str, account_id: str, session_id: str, proves: bool
    ) -> Errand:
        nonce, verifier = secrets.token_urlsafe(16), secrets.token_urlsafe(48)
        return cls(provider, place, server, nonce, verifier, account_id, session_id, "yes" if proves else "")

    @property
    def challenge(self) -> str:
        """RFC 7636, section 4.2."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).decode().rstrip("=")

    def written(self) -> dict[str, str]:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who has come back, and what they are called there."""

    identity: Identity
    handle: str
    name: str


class Provider(Protocol):
    name: str

    def place(self, server: str) -> str:
        """One path for each that answers: what one of them sends can then not be taken for another's (RFC 9700,
        section 4.4.2.2). Raises Invalid."""
        ...

    async def address(self, errand: Errand, state: str, redirect_uri: str) -> str:
        """Where to sign in. Raises Unavailable, Invalid."""
        ...

    def check_issuer(self, errand: Errand, issuer: str | None) -> None:
        """Raises Forbidden("wrong_issuer")."""
        ...

    async def fetch(self, errand: Errand, code: str, redirect_uri: str) -> Stranger:
        """Raises Forbidden("sign_in_refused"), Unavailable."""
        ...


def elsewhere_away() -> Unavailable:
    return Unavailable("elsewhere_away", "The other server does not answer as it should.", 5)
