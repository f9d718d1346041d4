"""Signing in by an account elsewhere. A short cookie holds what goes out and what comes back to one browser."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel

from parola.api.accounts import Body, SessionView, begun
from parola.api.caller import address, caller, commanding, device, services, set_cookie
from parola.api.permissions import ANYONE, LATELY, MEMBER, may
from parola.domain.errors import NotFound, Refusal
from parola.services.caller import Caller
from parola.services.elsewhere import ARRIVAL_LIFE, Linked
from parola.services.sessions import SignedIn

router = APIRouter(prefix="/api", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]
Text = Annotated[str | None, Query(max_length=2000)]

COOKIE = "parola_elsewhere"
_PATH = "/api/elsewhere"


class ProviderView(BaseModel):
    id: Literal["oidc", "mastodon"]
    name: str


class ProvidersView(BaseModel):
    providers: list[ProviderView]


class Away(Body):
    """`server` is for Mastodon; with `link` it shall belong to the caller's account; with `prove` it does, and the
    caller shows again who they are."""

    server: str = ""
    link: bool = False
    prove: bool = False


class SentView(BaseModel):
    url: str


class ArrivalView(BaseModel):
    """`handle` and `name` to begin with, empty where nothing of what is said there can stand."""

    provider: str
    known_as: str
    handle: str
    name: str
    registration: Literal["open", "invite", "closed"]


class Newcomer(Body):
    handle: str
    name: str
    invite: str | None = None


class IdentityView(BaseModel):
    provider: str
    subject: str
    name: str


class IdentitiesView(BaseModel):
    identities: list[IdentityView]


class Unlinked(Body):
    subject: str


@router.get("/elsewhere")
@may(ANYONE)
async def providers(request: Request) -> ProvidersView:
    found = services(request).elsewhere.providers
    return ProvidersView.model_validate(
        {"providers": [{"id": id, "name": name} for id, name in found.items()]}
    )


@router.post("/elsewhere/{provider}")
@may(ANYONE)
async def begin(request: Request, response: Response, who: Who, provider: str, body: Away) -> SentView:
    here = services(request)
    here.limits.guess(address(request))
    browser = request.cookies.get(COOKIE) or secrets.token_urlsafe(32)
    sent = await here.elsewhere.begin(who, provider, body.server, browser, body.link, body.prove)
    _bind(response, browser, here.public_url)
    return SentView(url=sent.url)


@router.get("/elsewhere/back/{place}", response_class=Response, status_code=303)
@may(ANYONE)
async def back(
    request: Request, place: str, state: Text = None, code: Text = None, iss: Text = None
) -> Response:
    """Where the other side sends people back to; from here they go on to a page."""
    here = services(request)
    try:
        here.limits.guess(address(request))
        came = await here.elsewhere.come_back(
            place, _browser(request), state or "", code, iss, device(request)
        )
    except Refusal as refusal:
        return _on(f"{here.public_url}/welcome?problem={refusal.code}")
    if isinstance(came, SignedIn):
        answer = _on(f"{here.public_url}/")
        set_cookie(answer, came.token, here.public_url)
        return answer
    if isinstance(came, Linked):
        return _on(f"{here.public_url}/settings")
    # Behind the hash, so that it stands in no log.
    return _on(f"{here.public_url}/welcome#{came.token}")


@router.get("/elsewhere/arrivals/{token}")
@may(ANYONE)
async def arrival(request: Request, token: str) -> ArrivalView:
    here = services(request)
    here.limits.guess(address(request))
    found = await here.elsewhere.arrival(token, _browser(request))
    return ArrivalView.model_validate(
        {
            "provider": found.provider,
            "known_as": found.known_as,
            "handle": found.handle,
            "name": found.name,
            "registration": here.elsewhere.registration,
        }
    )


@router.post("/elsewhere/arrivals/{token}", status_code=201)
@may(ANYONE)
async def arrive(request: Request, response: Response, token: str, body: Newcomer) -> SessionView:
    here = services(request)
    here.limits.sign_up(address(request))
    signed_in = await here.elsewhere.sign_up(
        token, _browser(request), body.handle, body.name, body.invite, device(request)
    )
    return begun(response, signed_in, here.public_url)


@router.get("/me/identities")
@may(MEMBER)
async def identities(request: Request, who: Who) -> IdentitiesView:
    found = await services(request).elsewhere.linked(who)
    return IdentitiesView(
        identities=[IdentityView(provider=one.provider, subject=one.subject, name=one.name) for one in found]
    )


@router.delete("/me/identities/{provider}", status_code=204)
@may(LATELY)
async def unlink(request: Request, who: Member, provider: str, body: Unlinked) -> None:
    await services(request).elsewhere.unlink(who, provider, body.subject)


def _browser(request: Request) -> str:
    """Raises NotFound where this browser was sent nowhere."""
    found = request.cookies.get(COOKIE)
    if not found:
        raise NotFound()
    return found


def _bind(response: Response, browser: str, public_url: str) -> None:
    # Lax: it has to come along when another site sends the browser back here.
    response.set_cookie(
        COOKIE,
        browser,
        int(ARRIVAL_LIFE.total_seconds()),
        path=_PATH,
        secure=public_url.startswith("https://"),
        httponly=True,
        samesite="lax",
    )


def _on(url: str) -> RedirectResponse:
    return RedirectResponse(url, 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
