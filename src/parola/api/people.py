"""Between people: following, requests to follow, blocks and hushes."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from parola.api.accounts import FoundView, found_views
from parola.api.caller import caller, commanding, services
from parola.api.permissions import ANYONE, MEMBER, may
from parola.services.caller import Caller
from parola.store import PeoplePage

router = APIRouter(prefix="/api", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]


class PeoplePageView(BaseModel):
    people: list[FoundView]
    next: str | None


class Requested(BaseModel):
    """A private account is asked first."""

    state: Literal["requested"] = "requested"


@router.put(
    "/accounts/{handle}/follow",
    status_code=204,
    responses={202: {"model": Requested, "description": "Asked for"}},
)
@may(MEMBER)
async def follow(request: Request, who: Member, handle: str) -> Response:
    services(request).limits.follow(who.signed_in().account.id)
    if await services(request).people.follow(who, handle):
        return Response(status_code=204)
    return Response(Requested().model_dump_json(), 202, media_type="application/json")


@router.delete("/accounts/{handle}/follow", status_code=204)
@may(MEMBER)
async def unfollow(request: Request, who: Member, handle: str) -> None:
    await services(request).people.unfollow(who, handle)


@router.get("/accounts/{handle}/followers")
@may(ANYONE)
async def followers(
    request: Request, who: Who, handle: str, cursor: Cursor = None, limit: Limit = 50
) -> PeoplePageView:
    return await _page(
        request, who, await services(request).people.related(who, handle, "followers", cursor, limit)
    )


@router.get("/accounts/{handle}/following")
@may(ANYONE)
async def following(
    request: Request, who: Who, handle: str, cursor: Cursor = None, limit: Limit = 50
) -> PeoplePageView:
    return await _page(
        request, who, await services(request).people.related(who, handle, "following", cursor, limit)
    )


@router.get("/me/requests")
@may(MEMBER)
async def requests(request: Request, who: Who, cursor: Cursor = None, limit: Limit = 50) -> PeoplePageView:
    return await _page(request, who, await services(request).people.requests(who, cursor, limit))


@router.put("/me/requests/{handle}", status_code=204)
@may(MEMBER)
async def approve(request: Request, who: Member, handle: str) -> None:
    await services(request).people.answer(who, handle, approved=True)


@router.delete("/me/requests/{handle}", status_code=204)
@may(MEMBER)
async def refuse(request: Request, who: Member, handle: str) -> None:
    await services(request).people.answer(who, handle, approved=False)


@router.put("/accounts/{handle}/block", status_code=204)
@may(MEMBER)
async def block(request: Request, who: Member, handle: str) -> None:
    """Answered when neither hears the other in the other's rooms any more."""
    await services(request).blocking.block(who, handle)


@router.delete("/accounts/{handle}/block", status_code=204)
@may(MEMBER)
async def unblock(request: Request, who: Member, handle: str) -> None:
    await services(request).blocking.unblock(who, handle)


@router.get("/me/blocks")
@may(MEMBER)
async def blocks(request: Request, who: Who, cursor: Cursor = None, limit: Limit = 50) -> PeoplePageView:
    return await _page(request, who, await services(request).blocking.blocked(who, cursor, limit))


@router.put("/accounts/{handle}/hush", status_code=204)
@may(MEMBER)
async def hush(request: Request, who: Member, handle: str) -> None:
    await services(request).blocking.hush(who, handle)


@router.delete("/accounts/{handle}/hush", status_code=204)
@may(MEMBER)
async def unhush(request: Request, who: Member, handle: str) -> None:
    await services(request).blocking.unhush(who, handle)


@router.get("/me/hushes")
@may(MEMBER)
async def hushes(request: Request, who: Who, cursor: Cursor = None, limit: Limit = 50) -> PeoplePageView:
    return await _page(request, who, await services(request).blocking.hushed(who, cursor, limit))


@router.put("/me/removed/{handle}", status_code=204)
@may(MEMBER)
async def keep_out(request: Request, who: Member, handle: str) -> None:
    """Of all rooms that the caller hosts, now and later; answered when they are silent there."""
    await services(request).keeping_out.keep_out(who, handle)


@router.delete("/me/removed/{handle}", status_code=204)
@may(MEMBER)
async def let_back(request: Request, who: Member, handle: str) -> None:
    await services(request).keeping_out.let_back(who, handle)


@router.get("/me/removed")
@may(MEMBER)
async def kept_out(request: Request, who: Who, cursor: Cursor = None, limit: Limit = 50) -> PeoplePageView:
    return await _page(request, who, await services(request).keeping_out.list(who, cursor, limit))


async def _page(request: Request, who: Caller, page: PeoplePage) -> PeoplePageView:
    return PeoplePageView(people=await found_views(request, who, page.people), next=page.next)
