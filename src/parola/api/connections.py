"""WHEP and WHIP: SDP in, SDP out, and the connection's own address to end it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel

from parola.api.caller import address, caller, services
from parola.api.permissions import WHO_MAY_ENTER, WHOSE_IT_IS, WITH_FLOOR, may
from parola.bus.messages import Connected
from parola.domain.errors import Invalid, NotFound, Unsupported
from parola.services.caller import Caller

router = APIRouter(prefix="/api/rooms/{room_id}", tags=["sound"])

Who = Annotated[Caller, Depends(caller)]
_SDP = "application/sdp"
_FRAGMENT = "application/trickle-ice-sdpfrag"
_OPENAPI = {"requestBody": {"required": True, "content": {_SDP: {"schema": {"type": "string"}}}}}
_CREATED: dict[int | str, dict[str, Any]] = {
    201: {"description": "An SDP answer; Location is the connection", "content": {_SDP: {}}}
}


class Details(BaseModel):
    """`packets` and `bytes` are those sent to a listener, or received of a speaker; `loss` and `concealed` are parts
    of 1."""

    kind: Literal["whep", "whip"]
    state: Literal["connecting", "connected"]
    since_ms: int | None
    family: Literal["ipv4", "ipv6"] | None
    packets: int
    bytes: int
    loss: float | None
    jitter_ms: float | None
    rtt_ms: float | None
    red: bool
    packet_ms: float | None
    concealed: float | None
    delay_ms: float | None


@router.post("/whep", status_code=201, response_class=Response, openapi_extra=_OPENAPI, responses=_CREATED)
@may(WHO_MAY_ENTER)
async def listen(request: Request, who: Who, room_id: str, channel: str = "main") -> Response:
    offer = await _offer(request)
    connected = await services(request).signalling.listen(who, room_id, offer, channel, address(request))
    return _answer(room_id, "whep", connected)


@router.post("/whip", status_code=201, response_class=Response, openapi_extra=_OPENAPI, responses=_CREATED)
@may(WITH_FLOOR)
async def speak(request: Request, who: Who, room_id: str) -> Response:
    who.signed_in()
    offer = await _offer(request)
    connected = await services(request).signalling.speak(who, room_id, offer, address(request))
    return _answer(room_id, "whip", connected)


@router.get("/{kind}/{connection_id}")
@may(WHOSE_IT_IS)
async def details(request: Request, who: Who, room_id: str, kind: str, connection_id: str) -> Details:
    """For whose connection it is. A null is what is not known yet, or not of this kind."""
    _check_kind(kind)
    return Details(**await services(request).signalling.details(who, room_id, connection_id))


@router.delete("/{kind}/{connection_id}", status_code=200)
@may(WHOSE_IT_IS)
async def hang_up(request: Request, who: Who, room_id: str, kind: str, connection_id: str) -> None:
    _check_kind(kind)
    await services(request).signalling.hang_up(who, room_id, connection_id)


@router.patch("/{kind}/{connection_id}", status_code=204)
@may(WHOSE_IT_IS)
async def trickle(request: Request, who: Who, room_id: str, kind: str, connection_id: str) -> None:
    """Candidates are not needed: the server learns addresses from STUN."""
    _check_kind(kind)
    await services(request).signalling.details(who, room_id, connection_id)
    _check_type(request, _FRAGMENT)


async def _offer(request: Request) -> str:
    _check_type(request, _SDP)
    try:
        return (await request.body()).decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("bad_sdp", "The offer is not UTF-8.") from error


def _answer(room_id: str, kind: str, connected: Connected) -> Response:
    location = f"/api/rooms/{room_id}/{kind}/{connected.connection_id}"
    return Response(connected.answer, 201, headers={"Location": location}, media_type=_SDP)


def _check_kind(kind: str) -> None:
    if kind not in ("whep", "whip"):
        raise NotFound()


def _check_type(request: Request, wanted: str) -> None:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != wanted:
        raise Unsupported("unsupported_media_type", f"The body must be {wanted}.")
