"""A member's own invitations, and whose a code is."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel

from parola.api.accounts import PersonView, person_view
from parola.api.caller import address, caller, commanding, services
from parola.api.permissions import ANYONE, MEMBER, may
from parola.domain.moments import from_milliseconds
from parola.services.caller import Caller
from parola.services.views import instant
from parola.store import Invitation

router = APIRouter(prefix="/api", tags=["invitations"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]


class InvitationView(BaseModel):
    """`url` is null once it does not open anything any more."""

    id: str
    url: str | None
    state: Literal["open", "used", "expired"]
    created_at: str
    expires_at: str | None
    used_by: PersonView | None


class EarningView(BaseModel):
    """`more` for each who comes by one of them and is heard or listens on `days` days."""

    more: int
    days: int


class InvitationsView(BaseModel):
    registration: Literal["open", "invite", "closed"]
    left: int
    earned: int
    earns: EarningView
    invitations: list[InvitationView]


class InviterView(BaseModel):
    by: PersonView | None


@router.get("/me/invitations")
@may(MEMBER)
async def mine(request: Request, who: Who) -> InvitationsView:
    here = services(request)
    found = await here.invitations.mine(who)
    return InvitationsView(
        registration=here.invitations.registration,
        left=found.left,
        earned=found.earned,
        earns=EarningView(more=found.policy.more, days=found.policy.days),
        invitations=[_view(one, here.public_url) for one in found.invitations],
    )


@router.post("/me/invitations", status_code=201)
@may(MEMBER)
async def make(request: Request, who: Member) -> InvitationView:
    services(request).limits.invitation(who.signed_in().account.id)
    here = services(request)
    return _view(await here.invitations.make(who), here.public_url)


@router.delete("/me/invitations/{id}", status_code=204)
@may(MEMBER)
async def revoke(request: Request, who: Member, id: str) -> None:
    await services(request).invitations.revoke(who, id)


@router.get("/invitations/{code}")
@may(ANYONE)
async def inviter(request: Request, code: str) -> InviterView:
    """404 for a code that does not hold; `by` is null where the server itself invites."""
    here = services(request)
    here.limits.guess(address(request))
    by = await here.invitations.inviter(code)
    return InviterView(by=person_view(by) if by is not None else None)


def _view(one: Invitation, public_url: str) -> InvitationView:
    ends = from_milliseconds(one.expires_at) if one.expires_at is not None else None
    expired = ends is not None and ends <= datetime.now(UTC)
    used = person_view(one.used_by) if one.used_by is not None else None
    is_open = one.code is not None and not expired
    return InvitationView(
        id=one.id,
        url=f"{public_url}/i/{one.code}" if is_open else None,
        state="open" if is_open else "expired" if one.code is not None else "used",
        created_at=instant(datetime.fromisoformat(one.created_at)) or "",
        expires_at=instant(ends),
        used_by=used,
    )
