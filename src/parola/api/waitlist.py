"""Waiting for an invitation."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from parola.api.accounts import Body
from parola.api.caller import address, services
from parola.api.permissions import ANYONE, may
from parola.api.sharing import language_of

router = APIRouter(prefix="/api/waitlist", tags=["invitations"])


class Wish(Body):
    email: str
    handle: str | None = None


class PositionView(BaseModel):
    """`position` 1 is whose turn is next; null where the turn has come."""

    state: Literal["waiting", "invited"]
    position: int | None


class PlaceView(PositionView):
    token: str


@router.post("", status_code=201)
@may(ANYONE)
async def join(request: Request, body: Wish) -> PlaceView:
    here = services(request)
    here.limits.join(body.email, address(request))
    language = language_of(request.headers.get("accept-language", ""))
    place = await here.waitlist.join(body.email, body.handle, language)
    return PlaceView(token=place.token, state="waiting", position=place.position)


@router.get("/{token}")
@may(ANYONE)
async def position(request: Request, token: str) -> PositionView:
    here = services(request)
    here.limits.guess(address(request))
    found = await here.waitlist.position(token)
    return PositionView(state="waiting" if found else "invited", position=found or None)


@router.delete("/{token}", status_code=204)
@may(ANYONE)
async def leave(request: Request, token: str) -> None:
    here = services(request)
    here.limits.guess(address(request))
    await here.waitlist.leave(token)
