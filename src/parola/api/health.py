"""Alive, ready, and figures."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import PlainTextResponse, Response

from parola.api.caller import services
from parola.api.problems import problem
from parola.bus import BusUnavailable, subjects
from parola.bus.messages import Figures, FiguresOrder, MessageError
from parola.store import StoreFull, StoreUnavailable

if TYPE_CHECKING:
    from parola.api.app import Services

router = APIRouter(tags=["health"])

_FIGURES_TIMEOUT_S = 0.5


@router.get("/healthz", response_class=PlainTextResponse)
async def healthz() -> str:
    return "alive\n"


@router.get("/readyz", response_class=Response)
async def readyz(request: Request) -> Response:
    missing = await _missing(services(request))
    if missing:
        return problem(
            503, "not_ready", f"Missing: {', '.join(missing)}.", {"Retry-After": "1"}, missing=missing
        )
    return PlainTextResponse("ready\n")


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(request: Request) -> Response:
    here = services(request)
    text = here.metrics.text(here.feeds.open_streams, await _media_figures(here))
    return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")


async def _missing(here: Services) -> list[str]:
    """What is not there yet for a room to be opened and heard."""
    missing = []
    try:
        await here.store.ping()
        if here.needs_media:
            await here.projections.leases.look()
    except StoreFull:
        missing.append("disk")
    except StoreUnavailable:
        missing.append("database")
    if not here.bus.connected:
        missing.append("bus")
    processes = here.projections.leases.alive().values()
    if here.needs_media and not processes:
        missing.append("media process")
    elif here.needs_media and all(lease.is_full for lease in processes):
        missing.append("media overloaded")
    return missing


async def _media_figures(here: Services) -> dict[str, float]:
    async def ask(process_id: str) -> dict[str, float]:
        order = FiguresOrder().to_bytes()
        try:
            reply = await here.bus.request(subjects.media(process_id, "figures"), order, _FIGURES_TIMEOUT_S)
            return Figures.from_bytes(reply).values
        except (BusUnavailable, MessageError):
            return {}

    processes = here.projections.leases.alive()
    total: Counter[str] = Counter()
    for values in await asyncio.gather(*(ask(process_id) for process_id in processes)):
        total.update(values)
    return {"processes": float(len(processes)), **total}
