"""A room's events as `text/event-stream`, resumable by `Last-Event-ID`."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Annotated

import structlog
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from parola.api.caller import address, caller, services
from parola.api.limiting import Limits
from parola.domain.rooms import Lifecycle
from parola.services.caller import Caller
from parola.store import StoreUnavailable

_log = structlog.get_logger(__name__)

router = APIRouter(prefix="/api/rooms/{room_id}", tags=["events"])

_COMMENT_EVERY_S = 15.0


@router.get("/events", response_class=Response, responses={200: {"content": {"text/event-stream": {}}}})
async def events(request: Request, who: Annotated[Caller, Depends(caller)], room_id: str) -> Response:
    here = services(request)
    room = await here.gate.enter(who, room_id)
    last_seq = _parse_seq(request.headers.get("last-event-id"))
    if room.state is Lifecycle.ENDED and last_seq == room.seq:
        return Response(status_code=204)
    here.limits.connect(address(request))
    return EventStream(here.feeds.read(who, room, last_seq), here.limits, address(request))


class EventStream(Response):
    """Sends what the feed yields, and a comment where it has been silent for 15 s. Who does not read is shown out at
    the door, and seen here as somebody who left."""

    media_type = "text/event-stream"

    def __init__(self, told: AsyncIterator[bytes], limits: Limits, address: str) -> None:
        super().__init__(None, 200, {"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._told = told
        self._limits = limits
        self._address = address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            sending = asyncio.ensure_future(self._send_all(send))
            leaving = asyncio.ensure_future(_gone(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                leaving.cancel()
                sending.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)
            error = None if sending.cancelled() else sending.exception()
            if isinstance(error, StoreUnavailable):
                # What was begun cannot be refused any more: it ends, and its reader comes back for what is missing.
                _log.warning("events.store_away", reason=str(error)[:200])
                await send({"type": "http.response.body", "body": b"", "more_body": False})
            elif error is not None:
                raise error
        finally:
            self._limits.disconnect(self._address)

    async def _send_all(self, send: Send) -> None:
        async def push(text: bytes, more: bool = True) -> None:
            await send({"type": "http.response.body", "body": text, "more_body": more})

        await push(f"retry: {random.randrange(1000, 5001)}\n\n".encode())
        told = aiter(self._told)
        coming = asyncio.ensure_future(anext(told, None))
        try:
            while True:
                done, _ = await asyncio.wait({coming}, timeout=_COMMENT_EVERY_S)
                if not done:
                    await push(b": still here\n\n")
                    continue
                text = coming.result()
                if text is None:
                    break
                await push(text)
                coming = asyncio.ensure_future(anext(told, None))
        finally:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)
            await self._told.aclose()  # type: ignore[attr-defined]
        await push(b"", more=False)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _parse_seq(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or len(text) > 15:
        return None
    return int(text)
