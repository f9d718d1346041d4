"""The administration's calls about reports, people, appeals and words. For everybody else nothing is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel

from parola.api.accounts import Body, PersonView
from parola.api.administration import Admin, AdministeredView, Cursor, Gated, Limit, Reason, administered
from parola.api.caller import services
from parola.api.permissions import ADMINISTRATOR, ADMINISTRATOR_OF_OTHERS, may
from parola.api.reports import (
    AboutRoomView,
    MeasureName,
    NoticeView,
    ReasonName,
    moment,
    notice_of,
    person_of,
    state_of,
)
from parola.api.rooms import parse_instant
from parola.api.words import Word, WordBody
from parola.domain.audit import COMMAND_LINE
from parola.domain.moderation import Decision, Measure
from parola.services.actor import Actor
from parola.services.views import instant
from parola.store import Account, Report

router = APIRouter(prefix="/api/admin", tags=["administration"], route_class=Gated)


class Taking(Body):
    """`anyway`: also from another administrator."""

    anyway: bool = False


class MeasureBody(Reason):
    measure: MeasureName
    until: str | None = None


class DecisionBody(Reason):
    decision: Literal["upheld", "lifted"]


class SilentView(BaseModel):
    silent: Literal[True] = True


class QueuedView(BaseModel):
    """`voices` reporters; `reasons` counts what they say. `taken_by` is a handle, empty for the command line."""

    id: str
    about: PersonView | None
    room: AboutRoomView | None
    voices: int
    reasons: dict[ReasonName, int]
    opened_at: str
    state: Literal["open", "resolved", "dismissed"]
    taken_by: str | None
    closed_at: str | None
    closed_by: str | None
    outcome: str | None
    reason: str | None


class QueueView(BaseModel):
    open: int
    reports: list[QueuedView]
    next: str | None


class VoiceView(BaseModel):
    """`floor`: who had the floor at that time in the room."""

    reporter: PersonView | None
    reason: ReasonName
    text: str
    at: str
    at_ms: int | None
    floor: list[PersonView]


class DoneView(NoticeView):
    """A measure as administrators see it; `by` is a handle, empty for the command line."""

    by: str
    report: str | None


class ReportedRoomView(AboutRoomView):
    state: Literal["scheduled", "live", "ended"]
    host: PersonView | None
    started_at: str | None
    ended_at: str | None


class CaseView(BaseModel):
    report: QueuedView
    account: AdministeredView | None
    invited_by: PersonView | None
    room: ReportedRoomView | None
    voices: list[VoiceView]
    measures: list[DoneView]
    earlier: list[QueuedView]


class WaitingAppealView(BaseModel):
    """`yours`: the caller did it, and another administrator decides."""

    person: PersonView | None
    measure: DoneView
    yours: bool


class AppealsView(BaseModel):
    appeals: list[WaitingAppealView]


class WordView(BaseModel):
    word: str
    by: str
    at: str


class WordsView(BaseModel):
    words: list[WordView]


@router.get("/reports")
@may(ADMINISTRATOR)
async def queue(
    request: Request,
    who: Admin,
    state: Literal["open", "closed"] = "open",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> QueueView:
    """Open ones by urgency: the oldest first, and sooner the more people report and the graver it is."""
    here = services(request).reports
    page = await here.queue(who, state == "closed", cursor, limit)
    views = await _queued(request, who, page.reports)
    return QueueView(open=await here.open_count(who), reports=views, next=page.next)


@router.get("/reports/{id}")
@may(ADMINISTRATOR_OF_OTHERS)
async def show(request: Request, who: Admin, id: str) -> CaseView:
    here = services(request)
    case = await here.reports.show(who, id)
    report, room = case.report, case.room
    ids = {report.account_id, *(told.voice.reporter for told in case.told)}
    ids |= {account for told in case.told for account in told.floor} | {m.actor for m in case.measures}
    people = await here.moderating.people_of(ids | ({room.host} if room is not None else set()))
    account = people.get(report.account_id)
    by = account.invited_by if account is not None else None
    inviters = await here.moderating.people_of({by} if by is not None else set())
    queued = await _queued(request, who, (report, *case.earlier))
    shown = None
    if room is not None:
        shown = ReportedRoomView(
            id=room.id,
            title=room.title,
            state=room.state.value,
            host=person_of(people, room.host),
            started_at=instant(room.started_at),
            ended_at=instant(room.ended_at),
        )
    return CaseView(
        report=queued[0],
        account=administered(account) if account is not None else None,
        invited_by=person_of(inviters, by),
        room=shown,
        voices=[
            VoiceView(
                reporter=person_of(people, told.voice.reporter),
                reason=told.voice.reason.value,
                text=told.voice.text,
                at=moment(told.voice.at) or "",
                at_ms=told.voice.at_ms,
                floor=[one for one in (person_of(people, id) for id in told.floor) if one is not None],
            )
            for told in case.told
        ],
        measures=[
            DoneView(**notice_of(m).model_dump(), by=_handle(people, m.actor), report=m.report_id)
            for m in case.measures
        ],
        earlier=queued[1:],
    )


@router.put("/reports/{id}/taken", status_code=204)
@may(ADMINISTRATOR_OF_OTHERS)
async def take(request: Request, who: Admin, id: str, body: Taking | None = None) -> None:
    await services(request).reports.take(who, id, body is not None and body.anyway)


@router.delete("/reports/{id}/taken", status_code=204)
@may(ADMINISTRATOR_OF_OTHERS)
async def release(request: Request, who: Admin, id: str) -> None:
    await services(request).reports.release(who, id)


@router.post("/reports/{id}/resolve")
@may(ADMINISTRATOR_OF_OTHERS)
async def resolve(request: Request, who: Admin, id: str, body: MeasureBody) -> SilentView:
    until = parse_instant("until", body.until)
    await services(request).reports.resolve(who, id, Measure(body.measure), body.reason, until)
    return SilentView()


@router.post("/reports/{id}/dismiss", status_code=204)
@may(ADMINISTRATOR_OF_OTHERS)
async def dismiss(request: Request, who: Admin, id: str, body: Reason) -> None:
    await services(request).reports.dismiss(who, id, body.reason)


@router.post("/people/{handle}/measures")
@may(ADMINISTRATOR_OF_OTHERS)
async def act(request: Request, who: Admin, handle: str, body: MeasureBody) -> SilentView:
    until = parse_instant("until", body.until)
    await services(request).moderating.act(who, handle, Measure(body.measure), body.reason, until)
    return SilentView()


@router.get("/appeals")
@may(ADMINISTRATOR)
async def appeals(request: Request, who: Admin) -> AppealsView:
    """Those that wait, the oldest first."""
    here = services(request).moderating
    waiting = await here.appeals(who)
    people = await here.people_of({m.account_id for m in waiting} | {m.actor for m in waiting})
    views = [
        WaitingAppealView(
            person=person_of(people, m.account_id),
            measure=DoneView(**notice_of(m).model_dump(), by=_handle(people, m.actor), report=m.report_id),
            yours=await here.is_for_others(who, m),
        )
        for m in waiting
    ]
    return AppealsView(appeals=views)


@router.post("/appeals/{id}/decide", status_code=204)
@may(ADMINISTRATOR)
async def decide(request: Request, who: Admin, id: str, body: DecisionBody) -> None:
    await services(request).moderating.decide(who, id, Decision(body.decision), body.reason)


@router.get("/words")
@may(ADMINISTRATOR)
async def words(request: Request, who: Admin) -> WordsView:
    found = await services(request).words.list(who)
    people = await services(request).moderating.people_of({one.by for one in found})
    listed = [WordView(word=w.word, by=_handle(people, w.by), at=moment(w.at) or "") for w in found]
    return WordsView(words=listed)


@router.post("/words", status_code=204)
@may(ADMINISTRATOR)
async def block_word(request: Request, who: Admin, body: WordBody) -> None:
    await services(request).words.add(who, body.word)


@router.delete("/words", status_code=204)
@may(ADMINISTRATOR)
async def allow_word(request: Request, who: Admin, word: Word) -> None:
    await services(request).words.remove(who, word)


async def _queued(request: Request, who: Actor, found: Sequence[Report]) -> list[QueuedView]:
    here = services(request)
    reasons = await here.reports.reasons(who, found)
    titles = await here.reports.titles(found)
    ids = {id for r in found for id in (r.account_id, r.taken_by, r.closed_by) if id}
    people = await here.moderating.people_of(ids)
    return [
        QueuedView(
            id=report.id,
            about=person_of(people, report.account_id),
            room=AboutRoomView(id=report.room_id, title=titles.get(report.room_id, ""))
            if report.room_id is not None
            else None,
            voices=report.voices,
            reasons={reason.value: voices for reason, voices in reasons[report.id].items()},
            opened_at=moment(report.opened_at) or "",
            state=state_of(report),
            taken_by=_handle(people, report.taken_by) if report.taken_by is not None else None,
            closed_at=moment(report.closed_at),
            closed_by=_handle(people, report.closed_by) if report.closed_by is not None else None,
            outcome=report.outcome,
            reason=report.reason,
        )
        for report in found
    ]


def _handle(people: dict[str, Account], id: str) -> str:
    if id == COMMAND_LINE:
        return ""
    return people[id].handle if id in people else id
