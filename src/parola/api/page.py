"""The built page: one document for every address that people open, and its parts, which never change."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.responses import FileResponse, HTMLResponse, Response

from parola.domain.errors import NotFound

_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
_ALWAYS_ASK = {"Cache-Control": "no-cache"}
_NOT_BUILT = (
    "<!doctype html><title>Parola</title><p>The page is not built: <code>make run</code> builds it.</p>"
)


class _BesideTheApi(PathConvertor):
    """Every path but those of the API: what is not there has no page, and no method that would be allowed."""

    regex = r"(?!api(?:/|$)).*"


register_url_convertor("beside_the_api", _BesideTheApi())


def mount_page(app: FastAPI, folder: Path) -> None:
    document = folder / "index.html"

    async def page() -> Response:
        if not document.is_file():
            return HTMLResponse(_NOT_BUILT, 503)
        return FileResponse(document, headers=_ALWAYS_ASK)

    async def part(path: str) -> Response:
        """Files below the folder, and nothing else, whatever the path says."""
        try:
            wanted = (folder / path).resolve()
            found = wanted.is_relative_to(folder.resolve()) and wanted.is_file()
        except (OSError, ValueError):  # longer than a name may be, or with a NUL in it
            found = False
        if not found:
            raise NotFound()
        return FileResponse(wanted, headers=_FOR_EVER if path.startswith("assets/") else _ALWAYS_ASK)

    for address in ("/", "/r/{room_id}", "/styleguide", "/@{handle}"):
        app.add_api_route(address, page, methods=["GET", "HEAD"], include_in_schema=False)
    app.add_api_route("/{path:beside_the_api}", part, methods=["GET", "HEAD"], include_in_schema=False)
