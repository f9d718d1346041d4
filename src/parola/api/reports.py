"""Reporting, and what was decided about oneself: notices and appeals, which also the suspended may read and write."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from parola.api.accounts import Body, PersonView, person_view
from parola.api.caller import address, caller, commanding, known, services
from parola.api.permissions import KNOWN, MEMBER, may
from parola.domain.moderation import Measure, Reason
from parola.services.caller import Caller
from parola.services.views import instant_of_ms
from parola.store import DISMISSED, Account, Measured, Report, Said

router = APIRouter(prefix="/api", tags=["reports"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]
Known = Annotated[Caller, Depends(known)]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]
ReasonName = Literal[
    "spam", "harassment", "hate", "violence", "sexual", "minors", "impersonation", "other"
]  # fmt: skip
MeasureName = Literal["warn", "remove", "suspend", "ban", "restore"]


class AboutBody(Body):
    handle: str | None = None
    room: str | None = None
    at_ms: int | None = None


class NewReport(Body):
    about: AboutBody
    reason: ReasonName
    text: str = ""


class AppealBody(Body):
    text: str


class AboutRoomView(BaseModel):
    id: str
    title: str


class OwnReportView(BaseModel):
    """One's own words; `about` is null for somebody who is no more."""

    id: str
    about: PersonView | None
    room: AboutRoomView | None
    at_ms: int | None
    reason: ReasonName
    text: str
    state: Literal["open", "resolved", "dismissed"]
    created_at: str
    closed_at: str | None


class OwnReportsView(BaseModel):
    reports: list[OwnReportView]
    next: str | None


class AppealView(BaseModel):
    """`decision` is null while it waits."""

    text: str
    at: str
    decision: Literal["upheld", "lifted"] | None
    decided_at: str | None
    reason: str | None


class NoticeView(BaseModel):
    """What was decided about oneself. `over`: it does not hold any more; `seen` false again when there is news."""

    id: str
    measure: MeasureName
    reason: str
    at: str
    until: str | None
    over: bool
    seen: bool
    may_appeal: bool
    appeal: AppealView | None


class NoticesView(BaseModel):
    """`suspended`: nothing but this is answered to the caller."""

    me: PersonView
    suspended: bool
    notices: list[NoticeView]


@router.post("/reports", status_code=201)
@may(MEMBER)
async def report(request: Request, who: Member, body: NewReport) -> OwnReportView:
    """Reporting the same thing again while it is open adds to what one said."""
    here = services(request)
    me, about = who.signed_in().account.id, body.about
    here.limits.report(me)
    said = await here.reports.file(
        who,
        about.handle,
        about.room,
        about.at_ms,
        Reason(body.reason),
        body.text,
        lambda: here.limits.may_seal(me, address(request)),
    )
    return (await _own(request, [said]))[0]


@router.get("/me/reports")
@may(MEMBER)
async def my_reports(request: Request, who: Who, cursor: Cursor = None, limit: Limit = 50) -> OwnReportsView:
    page = await services(request).reports.mine(who, cursor, limit)
    return OwnReportsView(reports=await _own(request, page.said), next=page.next)


@router.get("/me/notices")
@may(KNOWN)
async def my_notices(request: Request, who: Known) -> NoticesView:
    account = who.known().account
    found = await services(request).moderating.notices(who)
    return NoticesView(
        me=person_view(account),
        suspended=who.suspended is not None,
        notices=[notice_of(one) for one in found],
    )


@router.put("/me/notices/{id}/seen", status_code=204)
@may(KNOWN)
async def see_notice(request: Request, who: Known, id: str) -> None:
    _count(request, who)
    await services(request).moderating.see(who, id)


@router.post("/me/notices/{id}/appeal", status_code=204)
@may(KNOWN)
async def appeal(request: Request, who: Known, id: str, body: AppealBody) -> None:
    """Once for each."""
    _count(request, who)
    services(request).limits.appeal(who.known().account.id)
    await services(request).moderating.appeal(who, id, body.text)


def moment(at_ms: int | None) -> str | None:
    """Milliseconds since 1970, as the protocol shows a time."""
    return instant_of_ms(at_ms) if at_ms is not None else None


def state_of(report: Report) -> Literal["open", "resolved", "dismissed"]:
    if report.closed_at is None:
        return "open"
    return "dismissed" if report.outcome == DISMISSED else "resolved"


def person_of(people: dict[str, Account], id: str | None) -> PersonView | None:
    found = people.get(id) if id is not None else None
    return person_view(found) if found is not None else None


def _count(request: Request, who: Caller) -> None:
    services(request).limits.command(who.known().account.id, address(request))


def notice_of(one: Measured) -> NoticeView:
    said = None
    if one.appeal is not None:
        said = AppealView(
            text=one.appeal,
            at=moment(one.appealed_at) or "",
            decision=one.decision.value if one.decision is not None else None,
            decided_at=moment(one.decided_at),
            reason=one.decided_why,
        )
    return NoticeView(
        id=one.id,
        measure=one.kind.value,
        reason=one.reason,
        at=moment(one.at) or "",
        until=moment(one.until),
        over=one.over_at is not None,
        seen=one.seen_at is not None,
        may_appeal=one.appeal is None and one.kind is not Measure.RESTORE,
        appeal=said,
    )


async def _own(request: Request, listed: list[Said] | tuple[Said, ...]) -> list[OwnReportView]:
    here = services(request)
    people = await here.moderating.people_of({one.report.account_id for one in listed})
    rooms = await here.reports.titles(one.report for one in listed)
    return [
        OwnReportView(
            id=one.voice.id,
            about=person_of(people, one.report.account_id),
            room=_room(rooms, one.report.room_id),
            at_ms=one.voice.at_ms,
            reason=one.voice.reason.value,
            text=one.voice.text,
            state=state_of(one.report),
            created_at=moment(one.voice.at) or "",
            closed_at=moment(one.report.closed_at),
        )
        for one in listed
    ]


def _room(titles: dict[str, str], id: str | None) -> AboutRoomView | None:
    return AboutRoomView(id=id, title=titles.get(id, "")) if id is not None else None
