"""Hands, the floor, mutes, removals, co-hosts and invitations: each call is one command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from parola.api.accounts import Body, PersonView, person_view
from parola.api.caller import caller, commanding, services
from parola.api.permissions import (
    GRANTING,
    HOST,
    MEMBER_WHO_MAY_ENTER,
    MODERATOR,
    MODERATOR_OR_ONESELF,
    OFFERED,
    ONESELF_ON_STAGE,
    WITHOUT_FLOOR,
    may,
)
from parola.domain import people, rooms
from parola.domain.rooms import Command
from parola.services.caller import Caller
from parola.services.rooms import Carried

router = APIRouter(prefix="/api/rooms/{room_id}", tags=["floor"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]


class Silent(BaseModel):
    """Answered when it is true."""

    silent: Literal[True] = True


class Granted(BaseModel):
    state: Literal["granted", "offered"]


class HandBody(Body):
    """`note`: what one wants to ask; left out, that of a hand that is up stays."""

    note: str | None = None


class NextBody(Body):
    """`hand`: whose hand is thought to be the first, so that asking again calls up nobody else."""

    hand: str | None = None


class InvitedView(BaseModel):
    people: list[PersonView]


class CalledUp(Silent):
    """`handle` has the floor, and whoever had it through the last `next` is silent."""

    handle: str


class Removed(BaseModel):
    removed: Literal[True] = True


@router.put("/hands/me", status_code=204)
@may(WITHOUT_FLOOR)
async def raise_hand(request: Request, who: Member, room_id: str, body: HandBody | None = None) -> None:
    services(request).limits.hand(who.signed_in().account.id)
    note = body.note if body is not None else None
    clean = people.parse_note(note) if note is not None else None
    await services(request).rooms.raise_hand(who, room_id, clean)


@router.delete("/hands/me", status_code=204)
@may(MEMBER_WHO_MAY_ENTER)
async def lower_hand(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.LowerHand)


@router.delete("/hands/{handle}", status_code=204)
@may(MODERATOR)
async def dismiss_hand(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.DismissHand)


@router.put("/locks/hands", status_code=204)
@may(GRANTING)
async def lock_hands(request: Request, who: Member, room_id: str) -> None:
    """Not below `hands`, where any word may be somebody's handle."""
    await command(request, who, room_id, rooms.LockHands)


@router.delete("/locks/hands", status_code=204)
@may(GRANTING)
async def unlock_hands(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.UnlockHands)


@router.post("/floor/accept", status_code=204)
@may(OFFERED)
async def accept(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.Accept)


@router.post("/floor/decline", status_code=204)
@may(OFFERED)
async def decline(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.Decline)


@router.post("/floor/next")
@may(GRANTING)
async def next_hand(request: Request, who: Member, room_id: str, body: NextBody | None = None) -> CalledUp:
    here = services(request)
    expected = None
    if body is not None and body.hand is not None:
        await here.gate.enter(who, room_id)
        expected = (await here.people.find(body.hand)).id
    carried = await command(request, who, room_id, lambda by: rooms.Next(by, expected))
    granted = [e.account for e in carried.events if isinstance(e, rooms.FloorGranted)]
    called = granted[0] if granted else str(expected)
    return CalledUp(handle=(await here.views.handles([called])).get(called, ""))


@router.put("/floor/{handle}", responses={202: {"model": Granted, "description": "Offered"}})
@may(GRANTING)
async def grant(request: Request, response: Response, who: Member, room_id: str, handle: str) -> Granted:
    services(request).limits.message(who.signed_in().account.id)
    carried, target = await _giving(request, who, room_id, handle, rooms.Grant)
    if carried.room.has_floor(target):
        return Granted(state="granted")
    response.status_code = 202
    return Granted(state="offered")


@router.delete("/floor/{handle}")
@may(MODERATOR_OR_ONESELF)
async def revoke(request: Request, who: Member, room_id: str, handle: str) -> Silent:
    await about(request, who, room_id, handle, rooms.Revoke)
    return Silent()


@router.put("/mutes/{handle}")
@may(MODERATOR_OR_ONESELF)
async def mute(request: Request, who: Member, room_id: str, handle: str) -> Silent:
    await about(request, who, room_id, handle, rooms.Mute)
    return Silent()


@router.delete("/mutes/{handle}", status_code=204)
@may(ONESELF_ON_STAGE)
async def unmute(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.Unmute)


@router.put("/mutes")
@may(MODERATOR)
async def mute_all(request: Request, who: Member, room_id: str) -> Silent:
    await command(request, who, room_id, rooms.MuteAll)
    return Silent()


@router.put("/removed/{handle}")
@may(MODERATOR)
async def remove(request: Request, who: Member, room_id: str, handle: str) -> Removed:
    await about(request, who, room_id, handle, rooms.Remove)
    return Removed()


@router.delete("/removed/{handle}", status_code=204)
@may(MODERATOR)
async def restore(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.Restore)


@router.put("/cohosts/{handle}", status_code=204)
@may(HOST)
async def add_cohost(request: Request, who: Member, room_id: str, handle: str) -> None:
    await _giving(request, who, room_id, handle, rooms.AddCohost)


@router.delete("/cohosts/{handle}", status_code=204)
@may(HOST)
async def remove_cohost(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.RemoveCohost)


@router.get("/invited")
@may(HOST)
async def show_invited(request: Request, who: Who, room_id: str) -> InvitedView:
    found = await services(request).rooms.invited(who, room_id)
    return InvitedView(people=[person_view(one) for one in found])


@router.put("/invited/{handle}", status_code=204)
@may(HOST)
async def invite(request: Request, who: Member, room_id: str, handle: str) -> None:
    services(request).limits.message(who.signed_in().account.id)
    await _giving(request, who, room_id, handle, rooms.Invite)


@router.delete("/invited/{handle}", status_code=204)
@may(HOST)
async def uninvite(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.Uninvite)


async def command(request: Request, who: Caller, room_id: str, make: Callable[[str], Command]) -> Carried:
    """One command of the caller's."""
    return await services(request).rooms.command(who, room_id, make)


async def about(
    request: Request, who: Caller, room_id: str, handle: str, make: Callable[[str, str], Command]
) -> tuple[Carried, str]:
    """A command that takes something from somebody, whatever stands between the two. The room is asked for first:
    outside of it nobody learns which handles exist."""
    here = services(request)
    await here.gate.enter(who, room_id)
    target = (await here.people.find(handle)).id
    return await here.rooms.command(who, room_id, lambda by: make(by, target)), target


async def _giving(
    request: Request, who: Caller, room_id: str, handle: str, make: Callable[[str, str], Command]
) -> tuple[Carried, str]:
    """A command that gives something to somebody: nobody, for the host whom they have blocked."""
    here = services(request)
    await here.gate.enter(who, room_id)
    target = await here.people.reachable(who, handle)
    return await here.rooms.command(who, room_id, lambda by: make(by, target)), target
