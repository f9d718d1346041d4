"""How the host leads a room: turns, the stage's capacity, slow hands, and who follows upon them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from parola.api.accounts import Body
from parola.api.caller import commanding
from parola.api.floor import about, command
from parola.api.permissions import GRANTING, HOST, may
from parola.domain import rooms
from parola.services.caller import Caller

router = APIRouter(prefix="/api/rooms/{room_id}", tags=["floor"])

Member = Annotated[Caller, Depends(commanding)]


class TurnsBody(Body):
    """Seconds until a speaker is warned, and until the floor is taken."""

    soft_s: int
    hard_s: int


class StageBody(Body):
    """How many may have the floor at once, the host among them."""

    capacity: int


class PauseBody(Body):
    """Seconds that a hand stays down after it was lowered, or after its turn."""

    pause_s: int


@router.put("/turns", status_code=204)
@may(GRANTING)
async def set_turns(request: Request, who: Member, room_id: str, body: TurnsBody) -> None:
    await command(request, who, room_id, lambda by: rooms.SetTurns(by, body.soft_s, body.hard_s))


@router.delete("/turns", status_code=204)
@may(GRANTING)
async def lift_turns(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.LiftTurns)


@router.put("/stage", status_code=204)
@may(GRANTING)
async def size_stage(request: Request, who: Member, room_id: str, body: StageBody) -> None:
    await command(request, who, room_id, lambda by: rooms.SizeStage(by, body.capacity))


@router.put("/pauses/hands", status_code=204)
@may(GRANTING)
async def slow_hands(request: Request, who: Member, room_id: str, body: PauseBody) -> None:
    """Not below `hands`, where any word may be somebody's handle."""
    await command(request, who, room_id, lambda by: rooms.SlowHands(by, body.pause_s))


@router.delete("/pauses/hands", status_code=204)
@may(GRANTING)
async def unslow_hands(request: Request, who: Member, room_id: str) -> None:
    await command(request, who, room_id, rooms.UnslowHands)


@router.put("/successor/{handle}", status_code=204)
@may(HOST)
async def name_successor(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.NameSuccessor)


@router.delete("/successor/{handle}", status_code=204)
@may(HOST)
async def drop_successor(request: Request, who: Member, room_id: str, handle: str) -> None:
    await about(request, who, room_id, handle, rooms.DropSuccessor)
