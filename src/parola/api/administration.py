"""The administration's calls. For everybody but administrators nothing is here, whatever they ask and however."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response

from parola.api import health
from parola.api.accounts import Body, PersonView, person_view
from parola.api.caller import address, caller, services
from parola.api.permissions import (
    ADMINISTRATOR,
    ADMINISTRATOR_LATELY,
    ADMINISTRATOR_OF_OTHERS,
    WITH_LINK,
    may,
)
from parola.domain.audit import COMMAND_LINE, GUARD, RULE
from parola.domain.errors import Forbidden, NotFound, NotSignedIn
from parola.services.actor import Actor
from parola.services.views import instant
from parola.store import Account

_NOBODY: dict[str, Literal["command_line", "guard", "rule"]] = {
    COMMAND_LINE: "command_line",
    GUARD: "guard",
    RULE: "rule",
}
_SAFE = frozenset({"GET", "HEAD"})


class Gated(APIRoute):
    """The gate stands before everything else: what a body or a query lacks is told to nobody else either."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def gated(request: Request) -> Response:
            here = services(request)
            try:
                who = await caller(request)
            except (NotSignedIn, Forbidden) as error:
                raise NotFound() from error
            request.state.actor = here.administering.admit(who)
            request.state.caller = who
            if request.method not in _SAFE:
                here.limits.command(request.state.actor.id, address(request))
            return await handle(request)

        return gated


def actor(request: Request) -> Actor:
    """Whom the gate let in."""
    found: Actor = request.state.actor
    return found


def actor_lately(request: Request) -> Actor:
    """The same, where they have lately shown who they are."""
    return services(request).administering.admit_lately(request.state.caller)


router = APIRouter(prefix="/api/admin", tags=["administration"], route_class=Gated)
claims = APIRouter(prefix="/api/admin", tags=["administration"])

Admin = Annotated[Actor, Depends(actor)]
AdminLately = Annotated[Actor, Depends(actor_lately)]
Cursor = Annotated[str | None, Query(max_length=200)]
Limit = Annotated[int, Query(ge=1, le=100)]


class Reason(Body):
    reason: str


class Suspension(Reason):
    branch: bool = False


class RoleChange(Reason):
    role: Literal["member", "administrator"]


class Claim(Body):
    token: str


class AdministeredView(PersonView):
    role: str
    suspended: bool
    created_at: str


class PeopleView(BaseModel):
    people: list[AdministeredView]
    next: str | None


class SuspendedView(BaseModel):
    suspended: int
    silent: Literal[True] = True


class LiveView(BaseModel):
    id: str
    title: str
    access: str
    host: PersonView
    speakers: int
    audience: int
    started_at: str | None


class LivePage(BaseModel):
    rooms: list[LiveView]
    next: str | None


class EndedView(BaseModel):
    silent: Literal[True] = True


class EntryView(BaseModel):
    seq: int
    at: str
    actor: str | None
    by: Literal["person", "command_line", "guard", "rule"]
    action: str
    kind: str
    object: str
    reason: str


class AuditView(BaseModel):
    entries: list[EntryView]
    next: int | None


class VerifiedView(BaseModel):
    """`broken_at` is the number of the first entry that does not follow from those before it, null where all do."""

    count: int
    broken_at: int | None
    seal: str
    holds_seal: bool


class ProcessView(BaseModel):
    id: str
    machine: str
    alive: bool
    load: float


class HealthView(BaseModel):
    ready: bool
    missing: list[str]
    processes: list[ProcessView]
    streams: int


@claims.post("/claim", status_code=204)
@may(WITH_LINK)
async def claim(request: Request, body: Claim) -> None:
    """404 for a guest, and for a token that does not hold."""
    here = services(request)
    try:
        who = await caller(request)
    except (NotSignedIn, Forbidden) as error:
        raise NotFound() from error
    here.limits.guess(address(request))
    await here.claims.claim(who, body.token)


@router.get("/people")
@may(ADMINISTRATOR)
async def people(
    request: Request,
    who: Admin,
    q: Annotated[str, Query(max_length=100)] = "",
    cursor: Cursor = None,
    limit: Limit = 50,
) -> PeopleView:
    found = await services(request).administering.people(who, q, cursor, limit)
    return PeopleView(people=[administered(one) for one in found.people], next=found.next)


@router.post("/people/{handle}/suspend")
@may(ADMINISTRATOR)
async def suspend(request: Request, who: Admin, handle: str, body: Suspension) -> SuspendedView:
    met = await services(request).administering.suspend(who, handle, body.reason, body.branch)
    return SuspendedView(suspended=met)


@router.post("/people/{handle}/restore", status_code=204)
@may(ADMINISTRATOR_OF_OTHERS)
async def restore(request: Request, who: Admin, handle: str, body: Reason) -> None:
    await services(request).administering.restore(who, handle, body.reason)


@router.post("/people/{handle}/role", status_code=204)
@may(ADMINISTRATOR_LATELY)
async def set_role(request: Request, who: AdminLately, handle: str, body: RoleChange) -> None:
    await services(request).administering.set_role(who, handle, body.role, body.reason)


@router.get("/rooms")
@may(ADMINISTRATOR)
async def live_rooms(request: Request, who: Admin, cursor: Cursor = None, limit: Limit = 50) -> LivePage:
    here = services(request)
    page = await here.administering.live_rooms(who, cursor, limit)
    hosts = await here.administering.names({room.host for room in page.rooms})
    rooms = [
        LiveView(
            id=room.id,
            title=room.title,
            access=room.access.value,
            host=_person(hosts.get(room.host)),
            speakers=len(room.speakers),
            audience=here.audience.count(room),
            started_at=instant(room.started_at),
        )
        for room in page.rooms
    ]
    return LivePage(rooms=rooms, next=page.next)


@router.post("/rooms/{room_id}/end")
@may(ADMINISTRATOR)
async def end_room(request: Request, who: Admin, room_id: str, body: Reason) -> EndedView:
    await services(request).administering.end_room(who, room_id, body.reason)
    return EndedView()


@router.put("/rooms/{room_id}/visit", status_code=204)
@may(ADMINISTRATOR)
async def visit(request: Request, who: Admin, room_id: str, body: Reason) -> None:
    """The caller may listen, and everybody in the room sees it."""
    await services(request).administering.visit(who, room_id, None, body.reason)


@router.delete("/rooms/{room_id}/visit", status_code=204)
@may(ADMINISTRATOR)
async def end_visit(request: Request, who: Admin, room_id: str) -> None:
    await services(request).administering.end_visit(who, room_id)


@router.get("/audit")
@may(ADMINISTRATOR)
async def audit(
    request: Request,
    who: Admin,
    cursor: Annotated[int | None, Query(ge=1, le=1 << 31)] = None,
    limit: Limit = 50,
) -> AuditView:
    """The newest first. `actor` is a handle, null where `by` is no person; so is an `object` that is an account."""
    here = services(request)
    entries = await here.administering.audit(who, cursor, limit)
    ids = {entry.deed.actor for entry in entries}
    ids |= {entry.deed.object for entry in entries if entry.deed.kind == "account"}
    named = await here.administering.names(ids - _NOBODY.keys())
    views = [
        EntryView(
            seq=entry.seq,
            at=entry.at,
            actor=None if entry.deed.actor in _NOBODY else _handle(named, entry.deed.actor),
            by=_NOBODY.get(entry.deed.actor, "person"),
            action=entry.deed.action,
            kind=entry.deed.kind,
            object=_handle(named, entry.deed.object) if entry.deed.kind == "account" else entry.deed.object,
            reason=entry.deed.reason,
        )
        for entry in entries
    ]
    more = len(entries) == limit and entries[-1].seq > 1
    return AuditView(entries=views, next=entries[-1].seq if more else None)


@router.get("/audit/verify")
@may(ADMINISTRATOR)
async def verify(
    request: Request, who: Admin, seal: Annotated[str | None, Query(max_length=64)] = None
) -> VerifiedView:
    """`seal`: one that was kept elsewhere; `holds_seal`, whether its entry is still there."""
    found = await services(request).administering.verify(who, seal)
    return VerifiedView(
        count=found.count, broken_at=found.broken_at, seal=found.seal, holds_seal=found.holds_seal
    )


@router.get("/health")
@may(ADMINISTRATOR)
async def show_health(request: Request, _: Admin) -> HealthView:
    here = services(request)
    missing = await health.missing(here)
    leases = here.projections.leases
    alive = leases.alive()
    processes = [
        ProcessView(id=lease.process_id, machine=lease.machine, alive=id in alive, load=lease.load)
        for id, lease in sorted(leases.seen().items())
    ]
    return HealthView(
        ready=not missing, missing=missing, processes=processes, streams=here.feeds.open_streams
    )


def administered(account: Account) -> AdministeredView:
    return AdministeredView(
        **person_view(account).model_dump(),
        role=account.role,
        suspended=account.suspended,
        created_at=account.created_at,
    )


def _person(account: Account | None) -> PersonView:
    return person_view(account) if account else PersonView(handle="", name="", picture=None)


def _handle(named: dict[str, Account], id: str) -> str:
    return named[id].handle if id in named else id
