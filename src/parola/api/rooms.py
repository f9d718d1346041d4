"""Opening, finding, starting and ending rooms; inviting."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from parola.api.accounts import Body, PersonView
from parola.api.caller import caller, commanding, services
from parola.api.permissions import ANYONE, GRANTING, HOST, MEMBER, WHO_MAY_ENTER, may
from parola.domain import rooms
from parola.domain.errors import Invalid
from parola.domain.rooms import Lifecycle
from parola.domain.search import fold
from parola.services.caller import Caller
from parola.store import Wanted

router = APIRouter(prefix="/api/rooms", tags=["rooms"])
people = APIRouter(prefix="/api/accounts", tags=["rooms"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]
State = Literal["scheduled", "live", "ended"]
Doors = Literal["open", "link", "followers", "mutuals", "invited"]
Words = Annotated[str, Query(max_length=100)]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]


class NewRoom(Body):
    title: str
    access: Doors = "open"
    guests: bool | None = None
    starts_at: str | None = None
    listeners_at_most: int | None = None


class ListenersAtMost(Body):
    listeners: int


class TurnView(BaseModel):
    """When it began, when its speaker is warned, and when the floor is taken."""

    began_at: str
    soft_at: str
    hard_at: str


class TurnsView(BaseModel):
    soft_s: int
    hard_s: int


class SpeakerView(PersonView):
    muted: bool
    connected: bool
    turn: TurnView | None


class HandView(PersonView):
    raised_at: str
    note: str


class EvidenceKeptView(BaseModel):
    minutes: int


class AudienceView(BaseModel):
    count: int


class SeenView(AudienceView):
    people: list[PersonView]


class YouView(BaseModel):
    role: Literal["host", "cohost", "speaker", "listener", "guest"]
    may_speak: bool
    hand: bool
    muted: bool
    offered: bool
    may_grant: bool
    warning: Literal["blocked_on_stage"] | None


class RoomView(BaseModel):
    id: str
    url: str
    title: str
    access: Doors
    guests: bool
    state: Literal["scheduled", "live", "ended"]
    host: PersonView
    seq: int
    speakers: list[SpeakerView]
    hands: list[HandView]
    listeners_at_most: int | None
    hands_locked: bool
    hands_pause_s: int | None
    turns: TurnsView | None
    capacity: int | None
    ends_at: str | None
    offers: list[str]
    offers_until: dict[str, str]
    cohosts: list[str]
    successor: str | None
    acting_host: str | None
    visitors: list[PersonView]
    audience: AudienceView
    evidence: EvidenceKeptView | None
    starts_at: str | None
    started_at: str | None
    ended_at: str | None
    you: YouView


class RoomPage(BaseModel):
    rooms: list[RoomView]
    next: str | None


@router.post("", status_code=201, response_model=RoomView)
@may(MEMBER)
async def open_room(request: Request, who: Member, body: NewRoom) -> Any:
    here = services(request)
    here.limits.room(who.signed_in().account.id)
    starts_at = parse_instant("starts_at", body.starts_at)
    room = await here.rooms.open(who, body.title, body.access, body.guests, starts_at, body.listeners_at_most)
    return await here.views.room(room, who)


@router.get("", response_model=RoomPage)
@may(ANYONE)
async def list_rooms(
    request: Request,
    who: Who,
    state: State = "live",
    q: Words = "",
    following: bool = False,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Any:
    followed_by = who.signed_in().account.id if following else None
    wanted = Wanted(Lifecycle(state), fold(q), followed_by=followed_by)
    return await _page(request, who, wanted, cursor, limit)


@people.get("/{handle}/rooms", response_model=RoomPage)
@may(ANYONE)
async def rooms_of(
    request: Request, who: Who, handle: str, state: State = "ended", cursor: Cursor = None, limit: Limit = 50
) -> Any:
    host = await services(request).people.visible(who, handle)
    return await _page(request, who, Wanted(Lifecycle(state), host=host.id), cursor, limit)


@router.get("/{room_id}", response_model=RoomView)
@may(WHO_MAY_ENTER)
async def show_room(request: Request, who: Who, room_id: str) -> Any:
    here = services(request)
    return await here.views.room(await here.gate.enter(who, room_id), who)


@router.get("/{room_id}/audience")
@may(WHO_MAY_ENTER)
async def show_audience(request: Request, who: Who, room_id: str, limit: Limit = 50) -> SeenView:
    here = services(request)
    room = await here.gate.enter(who, room_id)
    return SeenView.model_validate(await here.views.audience(room, limit, who))


@router.put("/{room_id}/listeners_at_most", status_code=204)
@may(HOST)
async def limit_listeners(request: Request, who: Member, room_id: str, body: ListenersAtMost) -> None:
    await services(request).rooms.command(who, room_id, lambda by: rooms.LimitListeners(by, body.listeners))


@router.delete("/{room_id}/listeners_at_most", status_code=204)
@may(HOST)
async def limit_no_listeners(request: Request, who: Member, room_id: str) -> None:
    await services(request).rooms.command(who, room_id, lambda by: rooms.LimitListeners(by, None))


@router.post("/{room_id}/start", response_model=RoomView)
@may(HOST)
async def start_room(request: Request, who: Member, room_id: str) -> Any:
    here = services(request)
    here.limits.room(who.signed_in().account.id)
    carried = await here.rooms.start(who, room_id)
    return await here.views.room(carried.room, who)


@router.post("/{room_id}/end", response_model=RoomView)
@may(GRANTING)
async def end_room(request: Request, who: Member, room_id: str) -> Any:
    here = services(request)
    carried = await here.rooms.command(who, room_id, rooms.End)
    return await here.views.room(carried.room, who)


async def _page(request: Request, who: Caller, wanted: Wanted, cursor: str | None, limit: int) -> Response:
    """Written as it is: to check fifty rooms against their own description takes longer than to make them."""
    here = services(request)
    page = await here.rooms.page(who, wanted, cursor, limit)
    body = {"rooms": await here.views.rooms(page.rooms, who), "next": page.next}
    return Response(orjson.dumps(body), media_type="application/json")


def parse_instant(field: str, text: str | None) -> datetime | None:
    """Raises Invalid."""
    if text is None:
        return None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid.field(field, "This is no RFC 3339 time.") from error
    if instant.tzinfo is None:
        raise Invalid.field(field, "The time needs its offset from UTC, such as Z.")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise Invalid.field(field, "This is too far away.") from error
