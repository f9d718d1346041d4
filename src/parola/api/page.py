"""The built page: one document for every address that people open, and its parts, which never change. The build leaves
packed ones beside them, so that nothing is packed while somebody waits."""

from __future__ import annotations

import gzip
import mimetypes
from pathlib import Path

from fastapi import FastAPI, Request
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import FileResponse, HTMLResponse, Response

from parola.api.sharing import Cards, language_of, with_card
from parola.domain.errors import NotFound

_ADDRESSES = (
    "/",
    "/r/{room_id}",
    "/@{handle}",
    "/i/{code}",
    "/settings",
    "/welcome",
    "/link",
    "/confirm",
    "/unsubscribe/{token}",
    "/admin",
    "/admin/{part}",
)
"""What people open; the page itself knows what is there."""
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ALWAYS_ASK = {"Cache-Control": "no-cache"}
_PACKED = {"br": ".br", "gzip": ".gz"}
"""Smallest first."""
_NOT_BUILT = (
    "<!doctype html><title>Parola</title><p>The page is not built: <code>make run</code> builds it.</p>"
)


class _BesideTheApi(PathConvertor):
    """Every path but those of the API: what is not there has no page, and no method that would be allowed."""

    regex = r"(?!api(?:/|$)).*"


register_url_convertor("beside_the_api", _BesideTheApi())


def mount_page(app: FastAPI, folder: Path, cards: Cards | None = None, public_url: str = "") -> None:
    """`cards` are what links to rooms and people look like elsewhere; without them all documents are one."""
    document = folder / "index.html"

    async def page(request: Request) -> Response:
        if not document.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        language = language_of(request.headers.get("accept-language", ""))
        card = await cards.of(request.url.path, language) if cards is not None else None
        if card is None:
            return _packed(request, document, _ALWAYS_ASK)
        text = with_card(document.read_text("utf-8"), card, public_url)
        return _packed_now(
            request, text.encode(), {**_ALWAYS_ASK, "Vary": "Accept-Encoding, Accept-Language"}
        )

    async def part(request: Request, path: str) -> Response:
        """Files below the folder, and nothing else, whatever the path says. Who followed a link that leads nowhere
        gets the page, which says so."""
        try:
            wanted = (folder / path).resolve()
            found = wanted.is_relative_to(folder.resolve()) and wanted.is_file()
        except (OSError, ValueError):  # longer than a name may be, or with a NUL in it
            found = False
        if not found and document.is_file() and _is_followed(request, path):
            nowhere = _packed(request, document, _ALWAYS_ASK)
            nowhere.status_code = 404
            return nowhere
        if not found:
            raise NotFound()
        return _packed(request, wanted, _FOR_EVER if path.startswith("assets/") else _ALWAYS_ASK)

    for address in _ADDRESSES:
        app.add_api_route(address, page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/{path:beside_the_api}", part, methods=["GET", "HEAD"], include_in_schema=False)


def _is_followed(request: Request, path: str) -> bool:
    return "text/html" in request.headers.get("accept", "") and not path.startswith("assets/")


def _packed(request: Request, wanted: Path, headers: dict[str, str]) -> Response:
    """The smallest of what there is and the caller can unpack."""
    media_type = mimetypes.guess_type(wanted.name)[0]
    offered = [(coding, wanted.with_name(wanted.name + ending)) for coding, ending in _PACKED.items()]
    offered = [(coding, file) for coding, file in offered if file.is_file()]
    if not offered:
        return FileResponse(wanted, headers=headers, media_type=media_type)
    headers = {**headers, "Vary": "Accept-Encoding"}
    accepted = _codings(request.headers.get("accept-encoding", ""))
    for coding, file in offered:
        if coding in accepted:
            return FileResponse(file, headers={**headers, "Content-Encoding": coding}, media_type=media_type)
    return FileResponse(wanted, headers=headers, media_type=media_type)


def _packed_now(request: Request, document: bytes, headers: dict[str, str]) -> Response:
    if "gzip" in _codings(request.headers.get("accept-encoding", "")):
        document, headers = gzip.compress(document, 6), {**headers, "Content-Encoding": "gzip"}
    return HTMLResponse(document, headers=headers)


def _codings(accepted: str) -> set[str]:
    """What an Accept-Encoding names and does not refuse with a weight of nothing (RFC 9110, section 12.5.3)."""
    found = set()
    for one in accepted.lower().split(","):
        coding, _, weight = (part.strip() for part in one.partition(";"))
        if weight.removeprefix("q=").strip("0.") or not weight:
            found.add(coding)
    return found
