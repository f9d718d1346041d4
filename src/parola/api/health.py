"""Alive, ready, and figures."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from parola.api.caller import services
from parola.api.permissions import ANYONE, may
from parola.api.problems import problem
from parola.bus import BusUnavailable, subjects
from parola.bus.messages import Figures, FiguresOrder, MessageError
from parola.store import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from parola.api.app import Services

router = APIRouter(tags=["health"])

_FIGURES_TIMEOUT_S = 0.5
_asking: set[asyncio.Task[list[str]]] = set()


@router.get("/healthz", response_class=PlainTextResponse)
@may(ANYONE)
async def healthz() -> str:
    return "alive\n"


@router.get("/readyz", response_class=Response)
@may(ANYONE)
async def readyz(request: Request) -> Response:
    away = await missing(services(request))
    if away:
        return problem(503, "not_ready", f"Missing: {', '.join(away)}.", {"Retry-After": "1"}, missing=away)
    return PlainTextResponse("ready\n")


@router.get("/metrics", response_class=PlainTextResponse)
@may(ANYONE)
async def metrics(request: Request) -> Response:
    here = services(request)
    away, media = await asyncio.gather(_missing_in_time(here), _media_figures(here))
    leases = here.projections.leases
    text = here.metrics.text(here.feeds.open_streams, away, len(leases.seen()), len(leases.alive()), media)
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def missing(here: Services) -> list[str]:
    """What is not there yet for a room to be opened and heard."""
    away = []
    try:
        await here.store.ping()
        if here.needs_media:
            await here.projections.leases.look()
    except StoreFull:
        away.append("disk")
    except StoreUnavailable:
        away.append("database")
    if not here.bus.connected:
        away.append("bus")
    processes = here.projections.leases.alive().values()
    if here.needs_media and not processes:
        away.append("media process")
    elif here.needs_media and all(lease.is_full for lease in processes):
        away.append("media overloaded")
    return away


async def _missing_in_time(here: Services) -> list[str]:
    """A database that keeps a scrape waiting is missing. Asking is not cut off: that would cost its connection."""
    asking = asyncio.create_task(missing(here))
    _asking.add(asking)
    asking.add_done_callback(_asking.discard)
    await asyncio.wait({asking}, timeout=_FIGURES_TIMEOUT_S)
    return asking.result() if asking.done() else ["database"]


async def _media_figures(here: Services) -> list[Figures]:
    """Of those who answer in time."""

    async def ask(process_id: str) -> Figures | None:
        order = FiguresOrder().to_bytes()
        try:
            reply = await here.bus.request(subjects.media(process_id, "figures"), order, _FIGURES_TIMEOUT_S)
            return Figures.from_bytes(reply)
        except (BusUnavailable, MessageError):
            return None

    answers = await asyncio.gather(*(ask(process_id) for process_id in here.projections.leases.alive()))
    return [answer for answer in answers if answer is not None]
