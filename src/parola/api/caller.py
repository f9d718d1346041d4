"""Who is calling: a bearer token, or the cookie where the call comes from our own page; else a guest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.datastructures import Headers
from starlette.responses import Response

from parola.api.limiting import counted_as
from parola.domain.devices import Device, read_device
from parola.domain.errors import Forbidden, NotSignedIn
from parola.services.caller import GUEST, Caller

if TYPE_CHECKING:
    from parola.api.app import Services

COOKIE = "parola_session"
_COOKIE_LIFE_S = 365 * 24 * 3600
_LONGEST_AGENT = 500
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def services(request: Request) -> Services:
    found: Services = request.app.state.services
    return found


async def caller(request: Request) -> Caller:
    """Raises NotSignedIn for a bearer token that does not hold; such a cookie makes a guest, and is cleared. Raises
    Forbidden("suspended") where it is a session for notices and appeals alone: nothing else is answered to it."""
    found = await known(request)
    if found.suspended is not None:
        raise Forbidden("suspended", "This account is suspended.")
    return found


async def known(request: Request) -> Caller:
    """As `caller`, and also who is suspended."""
    here = services(request)
    authorization = request.headers.get("authorization")
    if authorization is not None:
        scheme, _, token = authorization.partition(" ")
        found = await here.sessions.authenticate(token.strip()) if scheme.lower() == "bearer" else GUEST
        if found is GUEST:
            raise NotSignedIn(detail="This token does not hold.")
        return found
    token = request.cookies.get(COOKIE, "")
    if not token or is_foreign(request.headers, urlsplit(here.public_url).netloc):
        return GUEST
    found = await here.sessions.authenticate(token)
    if found is GUEST:
        request.scope.setdefault("state", {})["clear_cookie"] = True
    return found


async def commanding(request: Request, who: Annotated[Caller, Depends(caller)]) -> Caller:
    """The caller of something that changes something: signed in, and within the limits."""
    member = who.signed_in()
    services(request).limits.command(member.account.id, address(request))
    return who


def device(request: Request) -> Device:
    """What the caller's browser says that it is."""
    return read_device(request.headers.get("user-agent", "")[:_LONGEST_AGENT])


def address(request: Request) -> str:
    """As which the caller is counted."""
    return counted_as(request.client.host) if request.client is not None else "unknown"


def is_foreign(headers: Headers, own_netloc: str) -> bool:
    """Whether a browser says that another site's page makes this call. Our own page is at the public address, or at
    whatever address the browser reached this server by: the cookie would not be there otherwise."""
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    try:
        netloc = urlsplit(origin).netloc
    except ValueError:  # such as an IPv6 address that does not end
        return True
    return not netloc or netloc not in (own_netloc, headers.get("host"))


def set_cookie(response: Response, token: str, public_url: str) -> None:
    secure = public_url.startswith("https://")
    response.set_cookie(COOKIE, token, _COOKIE_LIFE_S, path="/", secure=secure, httponly=True, samesite="lax")


def clear_cookie(response: Response) -> None:
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="lax")
