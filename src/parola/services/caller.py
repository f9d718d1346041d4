"""Who is asking: a member in a session, or a guest."""

from __future__ import annotations

from dataclasses import dataclass

from parola.domain.errors import NotSignedIn
from parola.store import Account


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody signed in."""

    account: Account
    session_id: str
    proved_at: int = 0
    """When they last showed who they are, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Caller:
    """`member` is None for a guest; `suspended` is somebody whose session is for notices and appeals alone, and
    who is a guest to everything else."""

    member: Member | None = None
    suspended: Member | None = None

    @property
    def account_id(self) -> str | None:
        return self.member.account.id if self.member is not None else None

    @property
    def session_id(self) -> str | None:
        return self.member.session_id if self.member is not None else None

    def signed_in(self) -> Member:
        """Raises NotSignedIn."""
        if self.member is None:
            raise NotSignedIn()
        return self.member

    def known(self) -> Member:
        """Also somebody who is suspended. Raises NotSignedIn."""
        found = self.member or self.suspended
        if found is None:
            raise NotSignedIn()
        return found


GUEST = Caller()
