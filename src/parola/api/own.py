"""What is one's own: a picture, a copy of everything, and the end of it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from parola.api.accounts import Body, MeView, me_view
from parola.api.caller import caller, clear_cookie, commanding, services
from parola.api.permissions import ANYONE, LATELY_NOT_THE_LAST, MEMBER, may
from parola.services.caller import Caller
from parola.services.clock import now
from parola.services.export import file_name

router = APIRouter(prefix="/api", tags=["people"])

Who = Annotated[Caller, Depends(caller)]
Member = Annotated[Caller, Depends(commanding)]

_WEBP: dict[int | str, dict[str, Any]] = {200: {"content": {"image/webp": {}}}}
_ZIP: dict[int | str, dict[str, Any]] = {200: {"content": {"application/zip": {}}}}
_FOR_GOOD = {
    "Cache-Control": "private, max-age=31536000, immutable",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "cross-origin",
}
"""Another picture has another address; private, since a block keeps it from somebody."""
_TAKEN: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            kind: {"schema": {"type": "string", "format": "binary"}}
            for kind in ("image/jpeg", "image/png", "image/webp")
        },
    }
}


class Farewell(Body):
    """`handle` is one's own, typed once more."""

    handle: str


class Silent(BaseModel):
    silent: Literal[True] = True


@router.put("/me/picture", openapi_extra=_TAKEN)
@may(MEMBER)
async def put_picture(request: Request, who: Member) -> MeView:
    return me_view(await services(request).pictures.put(who, await request.body()))


@router.delete("/me/picture", status_code=204)
@may(MEMBER)
async def delete_picture(request: Request, who: Member) -> None:
    await services(request).pictures.remove(who)


@router.get("/accounts/{handle}/picture/{version}", response_class=Response, responses=_WEBP)
@may(ANYONE)
async def picture(
    request: Request,
    who: Who,
    handle: str,
    version: str,
    size: Annotated[Literal["96", "400"], Query()] = "400",
) -> Response:
    found = await services(request).pictures.read(who, handle, version, int(size))
    return Response(found, media_type="image/webp", headers=_FOR_GOOD)


@router.post("/me/deletion")
@may(LATELY_NOT_THE_LAST)
async def delete_me(request: Request, response: Response, who: Member, body: Farewell) -> Silent:
    """Answered when one is silent wherever one was heard."""
    here = services(request)
    await here.deletion.delete(who, body.handle)
    clear_cookie(response)
    return Silent()


@router.get("/me/export", response_class=Response, responses=_ZIP)
@may(MEMBER)
async def export(request: Request, who: Member) -> Response:
    """Everything that is one's own, written while it is read."""
    here = services(request)
    pieces = here.export.write(who)
    name = file_name(who.signed_in().account.handle, now())
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(pieces, media_type="application/zip", headers=headers)
