"""Event streams: a room's, resumable by `Last-Event-ID`, and an account's own."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parola.api.caller import address, caller, services
from parola.api.door import DOOR
from parola.api.limiting import Limits
from parola.api.permissions import MEMBER, WHO_MAY_ENTER, may
from parola.api.streams import OpenStream
from parola.domain.rooms import Lifecycle
from parola.services.caller import Caller
from parola.services.readers import Outlet
from parola.store import StoreUnavailable

_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/rooms/{room_id}", tags=["events"])
mine = APIRouter(prefix="/api/me", tags=["events"])

_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}


@router.get("/events", response_class=Response, responses=_STREAM)
@may(WHO_MAY_ENTER)
async def events(request: Request, who: Annotated[Caller, Depends(caller)], room_id: str) -> Response:
    here = services(request)
    room = await here.gate.admit(who, room_id)
    last_seq = _parse_seq(request.headers.get("last-event-id"))
    if last_seq is not None and last_seq > room.seq:
        room = await here.gate.enter(who, room_id)  # they may have heard more than this process has
    if room.state is Lifecycle.ENDED and last_seq == room.seq:
        return Response(status_code=204)
    here.limits.connect(address(request))
    wanted = who, room, last_seq
    return EventStream(
        functools.partial(here.feeds.follow, *wanted),
        functools.partial(here.feeds.read, *wanted),
        here.limits,
        address(request),
    )


@mine.get("/events", response_class=Response, responses=_STREAM)
@may(MEMBER)
async def my_events(request: Request, who: Annotated[Caller, Depends(caller)]) -> Response:
    """What concerns the caller wherever they are; nothing of it is kept for who is not there."""
    here = services(request)
    who.signed_in()
    here.limits.connect(address(request))
    return EventStream(
        functools.partial(here.notices.follow, who),
        functools.partial(here.notices.read, who),
        here.limits,
        address(request),
    )


class EventStream(Response):
    """The connection becomes the stream where the server lets it, and the call is over when that has begun. Who does
    not read is shown out, and seen here as somebody who left. `follow` writes all of it to an outlet, `read` gives it
    piece by piece."""

    media_type = "text/event-stream"

    def __init__(
        self,
        follow: Callable[[Outlet], Awaitable[None]],
        read: Callable[[], AsyncGenerator[bytes]],
        limits: Limits,
        address: str,
    ) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Connection": "close"}
        super().__init__(None, 200, headers)
        del self.headers["content-length"]
        self._follow = follow
        self._read = read
        self._limits = limits
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        stream: OpenStream | None = None
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            door = scope.get("extensions", {}).get(DOOR, {}).get("door", lambda: None)()
            if door is None:
                await self._send_all(receive, send)
            elif stream := door.become_stream(self._leave):
                stream.write(_retry())
                await self._follow(stream)
        except StoreUnavailable as error:
            # What was begun cannot be refused any more: it ends, and its reader comes back for what is missing.
            _log.warning("events.store_away", reason=str(error)[:200])
            if stream is None:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            if stream is None:
                self._leave()

    def _leave(self) -> None:
        self._limits.disconnect(self._address)

    async def _send_all(self, receive: Receive, send: Send) -> None:
        """One piece after the other, to any other server. Raises StoreUnavailable."""
        sending = asyncio.ensure_future(self._send_pieces(send))
        leaving = asyncio.ensure_future(_gone(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if not sending.cancelled():
            sending.result()

    async def _send_pieces(self, send: Send) -> None:
        async def push(text: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": more})

        await push(_retry())
        async with contextlib.aclosing(self._read()) as told:
            async for text in told:
                await push(text)
        await push(b"", more=False)


def _retry() -> bytes:
    return f"retry: {random.randrange(1000, 5001)}\n\n".encode()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _parse_seq(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        return None
    return int(text)
