"""What reports have sealed, for administrators: what is there, and hearing it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from parola.api.accounts import PersonView
from parola.api.administration import Admin, AdminLately, Gated, Reason
from parola.api.caller import services
from parola.api.permissions import ADMINISTRATOR_OF_OTHERS, ADMINISTRATOR_OF_OTHERS_LATELY, may
from parola.services.pictures import picture_of
from parola.services.views import instant_of_ms

router = APIRouter(prefix="/api/admin/evidence", tags=["administration"], route_class=Gated)

_PRIVATE = {"Cache-Control": "no-store", "Content-Disposition": 'inline; filename="evidence.ogg"'}


class SpanView(PersonView):
    from_ms: int
    to_ms: int


class PartView(BaseModel):
    from_ms: int
    at: str


class EvidenceView(BaseModel):
    report_id: str
    room_id: str
    sealed_at: str
    expires_at: str
    length_ms: int | None
    parts: list[PartView]
    spoke: list[SpanView]


class HearingView(BaseModel):
    url: str
    expires_at: str


@router.get("/{report_id}")
@may(ADMINISTRATOR_OF_OTHERS)
async def about(request: Request, who: Admin, report_id: str) -> EvidenceView:
    """`length_ms` is null where it cannot be opened here; `parts` says when each stretch of it was."""
    here = services(request)
    found = await here.evidence.about(who, report_id)
    named = await here.administering.names({span.account for span in found.spans})
    spoke = [
        SpanView(
            handle=named[span.account].handle if span.account in named else "",
            name=named[span.account].name if span.account in named else "",
            picture=picture_of(named[span.account]) if span.account in named else None,
            from_ms=span.from_ms,
            to_ms=span.to_ms,
        )
        for span in found.spans
    ]
    return EvidenceView(
        report_id=found.sealed.report_id,
        room_id=found.sealed.room_id,
        sealed_at=instant_of_ms(found.sealed.sealed_at),
        expires_at=instant_of_ms(found.sealed.expires_at),
        length_ms=found.length_ms,
        parts=[PartView(from_ms=part.from_ms, at=instant_of_ms(part.at_ms)) for part in found.parts],
        spoke=spoke,
    )


@router.post("/{report_id}/listen")
@may(ADMINISTRATOR_OF_OTHERS_LATELY)
async def listen(request: Request, who: AdminLately, report_id: str, body: Reason) -> HearingView:
    """An address that gives the sound once, to who asked, within a minute."""
    ticket = await services(request).evidence.listen(who, report_id, body.reason)
    path = request.url.path.removesuffix("/listen")
    return HearingView(url=f"{path}/sound?ticket={ticket.token}", expires_at=instant_of_ms(ticket.expires_at))


@router.get("/{report_id}/sound", response_class=Response)
@may(ADMINISTRATOR_OF_OTHERS)
async def sound(
    request: Request, who: Admin, report_id: str, ticket: Annotated[str, Query(max_length=100)]
) -> Response:
    data = await services(request).evidence.redeem(who, report_id, ticket)
    return Response(data, media_type="audio/ogg", headers=_PRIVATE)
