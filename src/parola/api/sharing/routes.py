"""oEmbed (https://oembed.com), pictures of cards, QR codes."""

from __future__ import annotations

import asyncio
import io
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel

from parola.api.caller import caller, services
from parola.api.permissions import ANYONE, WHO_MAY_ENTER, may
from parola.api.sharing import picture
from parola.api.sharing.cards import Card
from parola.domain.errors import NotFound
from parola.services.caller import Caller

router = APIRouter(prefix="/api", tags=["sharing"])

_A_MINUTE = {"Cache-Control": "public, max-age=60"}
_PNG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}}}}
_SVG: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}}}


class OEmbed(BaseModel):
    version: str = "1.0"
    type: str = "link"
    provider_name: str = "Parola"
    provider_url: str
    title: str
    author_name: str
    author_url: str
    thumbnail_url: str
    thumbnail_width: int = picture.WIDTH
    thumbnail_height: int = picture.HEIGHT
    cache_age: int = 60


@router.get("/oembed")
@may(ANYONE)
async def oembed(request: Request, url: Annotated[str, Query(max_length=500)]) -> OEmbed:
    here = services(request)
    try:
        asked = urlsplit(url)
    except ValueError:  # such as an IPv6 address that does not end
        raise NotFound() from None
    ours = (here.public_url, str(request.base_url).rstrip("/"))
    card = await here.cards.of(asked.path) if f"{asked.scheme}://{asked.netloc}" in ours else None
    if card is None:
        raise NotFound()
    return OEmbed(
        provider_url=here.public_url,
        title=card.title,
        author_name=card.by.name,
        author_url=f"{here.public_url}/@{card.by.handle}",
        thumbnail_url=card.picture,
    )


@router.get("/rooms/{room_id}/card.png", response_class=Response, responses=_PNG)
@may(ANYONE)
async def room_card(request: Request, room_id: str) -> Response:
    return await _picture(request, f"/r/{room_id}")


@router.get("/accounts/{handle}/card.png", response_class=Response, responses=_PNG)
@may(ANYONE)
async def profile_card(request: Request, handle: str) -> Response:
    return await _picture(request, f"/@{handle}")


@router.get("/rooms/{room_id}/qr.svg", response_class=Response, responses=_SVG)
@may(WHO_MAY_ENTER)
async def room_qr(request: Request, who: Annotated[Caller, Depends(caller)], room_id: str) -> Response:
    """The room's address, black on white whatever the theme: that is what cameras read."""
    import segno

    here = services(request)
    room = await here.gate.enter(who, room_id)
    drawn = io.BytesIO()
    code = segno.make(f"{here.public_url}/r/{room.id}", micro=False, error="m")
    code.save(drawn, kind="svg", border=4, dark="#000", light="#fff", omitsize=True)
    return Response(drawn.getvalue(), media_type="image/svg+xml")


async def _picture(request: Request, path: str) -> Response:
    here = services(request)
    card = await here.cards.of(path)
    if card is None:
        raise NotFound()
    key = (path, card.version, card.live, card.faces)
    drawn = _drawn.get(key)
    if drawn is None:
        drawn = await asyncio.to_thread(_draw, card)
        if len(_drawn) >= _MOST_DRAWN:
            _drawn.pop(next(iter(_drawn)))
        _drawn[key] = drawn
    return Response(drawn, media_type="image/png", headers=_A_MINUTE)


_MOST_DRAWN = 200
_drawn: dict[object, bytes] = {}
"""Drawing takes as long as a hundred other calls; links are asked about in bursts."""


def _draw(card: Card) -> bytes:
    by = ", ".join(face.name for face in card.faces)
    return picture.draw(card.title, by, card.faces, card.live)
