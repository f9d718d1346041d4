"""Whom administrators let in: the waitlist, open invitations, and the tree of who came by whom."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from parola.api.accounts import Body, PersonView, person_view
from parola.api.administration import Admin, AdministeredView, Cursor, Gated, Limit, Reason, administered
from parola.api.caller import services
from parola.api.permissions import ADMINISTRATOR, may
from parola.api.rooms import parse_instant
from parola.services.views import instant, instant_of_ms
from parola.store import KeptPolicy

router = APIRouter(prefix="/api/admin", tags=["administration"], route_class=Gated)


class NodeView(AdministeredView):
    invited: int


class TreeView(BaseModel):
    people: list[NodeView]


class OpenInvitationView(BaseModel):
    """`by` is null where the server itself invites."""

    id: str
    by: PersonView | None
    created_at: str
    expires_at: str | None


class OpenView(BaseModel):
    invitations: list[OpenInvitationView]
    next: str | None


class WaitingView(BaseModel):
    place: int
    email: str
    handle: str | None
    since: str | None


class WaitlistView(BaseModel):
    count: int
    waiting: list[WaitingView]
    next: int | None


class Approval(Body):
    """Exactly one of the three."""

    places: list[Annotated[int, Field(ge=1, lt=1 << 31)]] | None = None
    first: int | None = None
    before: str | None = None


class ApprovedView(BaseModel):
    invited: int


class Founders(Body):
    table: str


class PolicyChange(Body):
    """`expected` is the version that one has seen, 0 where there was none yet; what is not named stays as it is."""

    expected: Annotated[int, Field(ge=0, le=1 << 30)]
    policy: dict[str, Any]
    reason: str


class InvitingView(BaseModel):
    each: int
    more: int
    days: int
    more_at_most: int
    life_days: int
    waitlist_a_day: int
    waitlist_days: int


class PolicyView(BaseModel):
    registration: Literal["open", "invite", "closed"]
    version: int
    policy: InvitingView


@router.get("/invitations")
@may(ADMINISTRATOR)
async def tree(
    request: Request, who: Admin, by: Annotated[str | None, Query(max_length=64)] = None
) -> TreeView:
    """Whom somebody invited; without `by` those at the roots, who invited somebody and came by nobody."""
    nodes = await services(request).administering.invited(who, by)
    return TreeView(
        people=[NodeView(**administered(one.account).model_dump(), invited=one.invited) for one in nodes]
    )


@router.get("/invitations/open")
@may(ADMINISTRATOR)
async def open_invitations(
    request: Request, who: Admin, cursor: Cursor = None, limit: Limit = 50
) -> OpenView:
    """Those first that hold the longest."""
    here = services(request)
    page = await here.invitations.open_ones(who, cursor, limit)
    makers = await here.administering.names({one.made_by for one in page.invitations if one.made_by})
    views = [
        OpenInvitationView(
            id=one.id,
            by=person_view(makers[one.made_by]) if one.made_by in makers else None,
            created_at=instant(datetime.fromisoformat(one.created_at)) or "",
            expires_at=instant_of_ms(one.expires_at) if one.expires_at is not None else None,
        )
        for one in page.invitations
    ]
    return OpenView(invitations=views, next=page.next)


@router.post("/invitations/{which}/revoke", status_code=204)
@may(ADMINISTRATOR)
async def revoke(request: Request, who: Admin, which: str, body: Reason) -> None:
    """By its id, or by the code in its link."""
    await services(request).invitations.revoke_any(who, which, body.reason)


@router.get("/invitations/policy")
@may(ADMINISTRATOR)
async def policy(request: Request, who: Admin) -> PolicyView:
    return _policy(request, await services(request).inviting.kept(who))


@router.put("/invitations/policy")
@may(ADMINISTRATOR)
async def set_policy(request: Request, who: Admin, body: PolicyChange) -> PolicyView:
    inviting = services(request).inviting
    return _policy(request, await inviting.change(who, body.expected, body.policy, body.reason))


@router.get("/waitlist")
@may(ADMINISTRATOR)
async def waitlist(
    request: Request,
    who: Admin,
    cursor: Annotated[int, Query(ge=0, le=1 << 31)] = 0,
    limit: Limit = 50,
) -> WaitlistView:
    line = await services(request).waitlist.line(who, cursor, limit)
    waiting = [
        WaitingView(
            place=one.place,
            email=one.email,
            handle=one.handle,
            since=instant_of_ms(one.created_at),
        )
        for one in line.waiting
    ]
    return WaitlistView(count=line.count, waiting=waiting, next=line.next)


@router.post("/waitlist/approve")
@may(ADMINISTRATOR)
async def approve(request: Request, who: Admin, body: Approval) -> ApprovedView:
    """An invitation by mail for each: those at `places`, the `first` so many, or all who came `before` a time."""
    before = parse_instant("before", body.before)
    invited = await services(request).waitlist.approve(who, body.places, body.first, before)
    return ApprovedView(invited=invited)


@router.post("/waitlist/founders")
@may(ADMINISTRATOR)
async def founders(request: Request, who: Admin, body: Founders) -> ApprovedView:
    """A CSV file with the columns email and, where one likes, language: everybody in it is invited by mail, and nobody
    where one line cannot be used."""
    return ApprovedView(invited=await services(request).waitlist.invite_founders(who, body.table))


def _policy(request: Request, kept: KeptPolicy) -> PolicyView:
    return PolicyView(
        registration=services(request).invitations.registration,
        version=kept.version,
        policy=InvitingView(**kept.policy.to_json()),
    )
