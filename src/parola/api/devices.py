"""Where oneself is signed in, and signing out there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from parola.api.caller import caller, commanding, services
from parola.api.permissions import MEMBER, may
from parola.services.caller import Caller
from parola.services.views import instant, instant_of_ms

router = APIRouter(prefix="/api/me/devices", tags=["signing in"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]


class DeviceView(BaseModel):
    """`seen_at` is the beginning of the hour in which it was used last; `browser` and `system` are null where nobody
    knows them."""

    id: str
    browser: str | None
    system: str | None
    created_at: str
    seen_at: str
    current: bool


class DevicesView(BaseModel):
    devices: list[DeviceView]


class EndedView(BaseModel):
    ended: int


@router.get("")
@may(MEMBER)
async def devices(request: Request, who: Who) -> DevicesView:
    found = await services(request).sessions.devices(who)
    return DevicesView(
        devices=[
            DeviceView(
                id=one.id,
                browser=one.device.browser or None,
                system=one.device.system or None,
                created_at=str(instant(datetime.fromisoformat(one.created_at))),
                seen_at=instant_of_ms(one.seen_at),
                current=one.id == who.session_id,
            )
            for one in found
        ]
    )


@router.delete("")
@may(MEMBER)
async def sign_out_others(request: Request, who: Member) -> EndedView:
    """All but the one that asks."""
    return EndedView(ended=await services(request).sessions.sign_out_others(who))


@router.delete("/{id}", status_code=204)
@may(MEMBER)
async def sign_out_device(request: Request, who: Member, id: str) -> None:
    await services(request).sessions.sign_out_device(who, id)
