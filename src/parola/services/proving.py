"""Whether somebody has shown lately who they are: sensitive things ask for that, whoever holds the session."""

from __future__ import annotations

from datetime import datetime

from parola.domain.errors import Forbidden
from parola.domain.moments import milliseconds
from parola.domain.signing_in import is_recent
from parola.services.caller import Caller, Member


def require_recent(caller: Caller, now: datetime) -> Member:
    """Raises NotSignedIn, Forbidden("sign_in_again")."""
    member = caller.signed_in()
    if not is_recent(member.proved_at, milliseconds(now)):
        raise Forbidden("sign_in_again", "Show once more that it is you.")
    return member
