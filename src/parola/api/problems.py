"""Refusals as `application/problem+json` (RFC 9457). Nothing of a bug's inside ever leaves the server."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.exceptions import HTTPException
from starlette.responses import Response

from parola.domain.errors import (
    Conflict,
    Invalid,
    NotFound,
    NotSignedIn,
    NotYet,
    Refusal,
    TooMany,
    Unavailable,
)
from parola.store import AccountGone, HandleTaken, StoreFull, StoreUnavailable

_log = structlog.get_logger(__name__)

_ADMINISTRATION = "/api/admin/"
_CODES = {405: "method_not_allowed", 413: "too_large", 415: "unsupported_media_type"}

_MOST_ERRORS = 20
_LONGEST_FIELD = 200
"""Whoever sends thousands of fields that nobody knows is not told of each."""


class FieldProblem(BaseModel):
    """One field of a body or query that is not acceptable."""

    field: str
    message: str


class Problem(BaseModel):
    """RFC 9457, with a stable `code`."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] | None = None
    because: str | None = None
    wanted: int | None = None


_REF = "#/components/schemas/{model}"
SCHEMAS: dict[str, Any] = models_json_schema([(Problem, "serialization")], ref_template=_REF)[1]["$defs"]
_PROBLEM = {"application/problem+json": {"schema": {"$ref": _REF.format(model="Problem")}}}
RESPONSES: dict[str, dict[str, Any]] = {
    str(status): {"description": HTTPStatus(status).phrase, "content": _PROBLEM}
    for status in (400, 401, 403, 404, 405, 409, 413, 415, 422, 429, 503)
}
"""Of every call, as OpenAPI has them."""


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, **more: Any
) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
    }
    return Response(
        orjson.dumps({**body, **more}), status, headers=headers, media_type="application/problem+json"
    )


def refused(refusal: Refusal) -> Response:
    headers = {}
    if isinstance(refusal, TooMany | Unavailable | Conflict) and refusal.retry_after_s is not None:
        headers["Retry-After"] = str(refusal.retry_after_s)
    more: dict[str, Any] = {}
    if isinstance(refusal, Invalid):
        more["errors"] = [{"field": e.field, "message": e.message} for e in refusal.errors]
    if isinstance(refusal, NotYet):
        more["because"] = refusal.because
        more |= {"wanted": refusal.wanted} if refusal.wanted is not None else {}
    return problem(refusal.status, refusal.code, refusal.detail, headers, **more)


def install(app: FastAPI) -> None:
    @app.exception_handler(Refusal)
    async def on_refusal(_: Request, refusal: Refusal) -> Response:
        return refused(refusal)

    @app.exception_handler(HandleTaken)
    async def on_taken(_: Request, error: HandleTaken) -> Response:
        return refused(Conflict("handle_taken", "Somebody else has this handle."))

    @app.exception_handler(AccountGone)
    async def on_gone(_: Request, error: AccountGone) -> Response:
        return refused(NotSignedIn())  # its sessions have ended meanwhile

    @app.exception_handler(StoreFull)
    async def on_full(_: Request, error: StoreFull) -> Response:
        _log.error("store.full", reason=str(error)[:300])
        return refused(
            Unavailable("store_full", "The server's disk is full: nothing can be changed just now.", 5)
        )

    @app.exception_handler(StoreUnavailable)
    async def on_store(_: Request, error: StoreUnavailable) -> Response:
        _log.error("store.away", reason=str(error)[:300])
        return refused(Unavailable("store_away", "The database cannot be reached just now.", 2))

    @app.exception_handler(RequestValidationError)
    async def on_invalid(_: Request, error: RequestValidationError) -> Response:
        found = error.errors()
        if any(e["type"] == "json_invalid" for e in found):
            return problem(400, "malformed", "The body is not JSON.")
        errors = [{"field": _path(e["loc"])[:_LONGEST_FIELD], "message": str(e["msg"])} for e in found]
        return problem(422, "invalid", "Some fields are not acceptable.", errors=errors[:_MOST_ERRORS])

    @app.exception_handler(HTTPException)
    async def on_http(request: Request, error: HTTPException) -> Response:
        status = error.status_code
        if status == 404 or (status == 405 and request.url.path.startswith(_ADMINISTRATION)):
            # In the words of everything that is not there; and there is no method that would be allowed.
            return refused(NotFound())
        code = "malformed" if status == 400 else _CODES.get(status, "refused")
        return problem(status, code, HTTPStatus(status).phrase + ".", dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        _log.exception("api.bug", method=request.method, exc_info=error)
        return problem(500, "bug", "Something went wrong here, and has been written down.")


def _path(location: tuple[int | str, ...]) -> str:
    """Without FastAPI's first step, which says where the field was looked for."""
    steps = location[1:] if location and location[0] in ("body", "query", "path", "header") else location
    return ".".join(str(step) for step in steps) or "body"
