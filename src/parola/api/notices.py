"""How one is told that a room has started: choices, browsers, hosts, and the end of such mail."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from parola.api.accounts import Body
from parola.api.caller import address, caller, commanding, services
from parola.api.permissions import ANYONE, MEMBER, may
from parola.services.caller import Caller
from parola.services.views import instant_of_ms
from parola.services.wishes import Wish

router = APIRouter(prefix="/api", tags=["notices"])
by_mail = APIRouter(tags=["notices"])
"""Beside the API: providers of mail send their own kind of body there (RFC 8058)."""

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]


class KeyView(BaseModel):
    """What a browser's `pushManager.subscribe` takes as `applicationServerKey`."""

    key: str


class BrowserView(BaseModel):
    """`id` is the SHA-256 of its endpoint in hexadecimal digits, so that a browser finds itself."""

    id: str
    since: str


class WishView(BaseModel):
    """`has_address`: there is a confirmed one to which mail may go."""

    in_page: bool
    email: bool
    has_address: bool
    browsers: list[BrowserView]


class WishChange(Body):
    in_page: bool | None = None
    email: bool | None = None


class Keys(Body):
    p256dh: str
    auth: str


class NewBrowser(Body):
    endpoint: str
    keys: Keys
    replaces: str | None = None


class TriedView(BaseModel):
    sent: int
    failed: int


@router.get("/push/key")
@may(ANYONE)
async def key(request: Request) -> KeyView:
    return KeyView(key=services(request).wishes.push_key)


@router.get("/me/notice_settings")
@may(MEMBER)
async def wishes(request: Request, who: Who) -> WishView:
    return _view(await services(request).wishes.read(who))


@router.patch("/me/notice_settings")
@may(MEMBER)
async def choose(request: Request, who: Member, body: WishChange) -> WishView:
    return _view(await services(request).wishes.choose(who, body.in_page, body.email))


@router.post("/me/notice_settings/test")
@may(MEMBER)
async def try_out(request: Request, who: Member) -> TriedView:
    """To each of one's browsers, now."""
    here = services(request)
    here.limits.try_out(who.signed_in().account.id, address(request))
    tried = await here.wishes.try_out(who)
    return TriedView(sent=tried.sent, failed=tried.failed)


@router.post("/me/push", status_code=201)
@may(MEMBER)
async def subscribe(request: Request, who: Member, body: NewBrowser) -> BrowserView:
    """Until the session ends in which this is called."""
    made = await services(request).wishes.subscribe(
        who, body.endpoint, body.keys.p256dh, body.keys.auth, body.replaces
    )
    return BrowserView(id=made.id, since=instant_of_ms(made.created_at))


@router.delete("/me/push", status_code=204)
@may(MEMBER)
async def unsubscribe_all(request: Request, who: Member) -> None:
    await services(request).wishes.unsubscribe(who, None)


@router.delete("/me/push/{id}", status_code=204)
@may(MEMBER)
async def unsubscribe(request: Request, who: Member, id: str) -> None:
    await services(request).wishes.unsubscribe(who, id)


@router.put("/accounts/{handle}/bell", status_code=204)
@may(MEMBER)
async def ring(request: Request, who: Member, handle: str) -> None:
    await services(request).wishes.ring(who, handle, rings=True)


@router.delete("/accounts/{handle}/bell", status_code=204)
@may(MEMBER)
async def do_not_ring(request: Request, who: Member, handle: str) -> None:
    await services(request).wishes.ring(who, handle, rings=False)


@router.post("/unsubscribe/{token}", status_code=204)
@may(ANYONE)
async def no_mail(request: Request, token: str) -> None:
    """From the page that a letter's link opens; nobody has to be signed in."""
    await _no_mail(request, token)


@by_mail.post("/unsubscribe/{token}", status_code=204)
@may(ANYONE)
async def no_mail_at_once(request: Request, token: str) -> None:
    """By the mail program itself."""
    await _no_mail(request, token)


async def _no_mail(request: Request, token: str) -> None:
    here = services(request)
    here.limits.guess(address(request))
    await here.wishes.no_mail(token)


def _view(wish: Wish) -> WishView:
    browsers = [BrowserView(id=one.id, since=instant_of_ms(one.created_at)) for one in wish.browsers]
    return WishView(in_page=wish.in_page, email=wish.email, has_address=wish.has_address, browsers=browsers)
