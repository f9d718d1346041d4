"""What every call passes before any route: size and type of its body, where it comes from, and the headers that answers
carry. Pure ASGI, so that event streams pass through it unbuffered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from parola.api import bodies
from parola.api.caller import COOKIE, is_foreign
from parola.api.problems import problem

if TYPE_CHECKING:
    from parola.api.app import Services

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_SDP_CALLS = ("/whep", "/whip")

_PAGE_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_CORS_HEADERS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Location, Retry-After, Link",
}


class Guard:
    """Outermost but for the server itself."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self._app = app
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        headers = Headers(scope=scope)
        path: str = scope["path"]
        if scope["method"] == "HEAD" and path.startswith("/api/") and not path.endswith("/events"):
            scope = {**scope, "method": "GET"}  # the server itself leaves the body out
        answer = self._preflight(scope, path) or self._refusal(scope, headers, path)
        dressed = self._dressed(scope, send, path, began)
        if answer is not None:
            await answer(scope, receive, dressed)
            return
        body = _Body(receive, bodies.largest(scope["method"], path))
        await self._app(scope, body.receive, dressed)

    def _preflight(self, scope: Scope, path: str) -> Response | None:
        if scope["method"] != "OPTIONS" or not path.startswith("/api/"):
            return None
        headers = {
            "Access-Control-Allow-Methods": "GET, POST, PUT, PATCH, DELETE, OPTIONS",
            "Access-Control-Allow-Headers": "Authorization, Content-Type, Last-Event-ID",
            "Access-Control-Max-Age": "86400",
        }
        if path.endswith(_SDP_CALLS):
            headers["Accept-Post"] = "application/sdp"
        return Response(status_code=204, headers=headers)

    def _refusal(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        length = headers.get("content-length", "")
        most = bodies.largest(scope["method"], path)
        if length.isascii() and length.isdigit() and int(length[:12]) > most:
            return problem(413, "too_large", f"At most {most} bytes.")
        if headers.get("content-encoding", "identity") != "identity":
            return problem(415, "unsupported_media_type", "Compressed bodies are not taken.")
        if scope["method"] in _SAFE or not path.startswith("/api/"):
            return None
        own = urlsplit(self._services.public_url)
        brings_cookie = f"{COOKIE}=" in headers.get("cookie", "") and "authorization" not in headers
        if brings_cookie and is_foreign(headers, own.netloc):
            return problem(403, "foreign_origin", "This call comes from another site.")
        has_body = length not in ("", "0") or "transfer-encoding" in headers
        taken = bodies.types(scope["method"], path)
        if has_body and taken is not None:
            media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type not in taken:
                named = ", ".join(sorted(taken))
                return problem(415, "unsupported_media_type", f"The body must be {named}.")
        return None

    def _dressed(
        self, scope: Scope, send: Send, path: str, began: float
    ) -> Callable[[Message], Awaitable[None]]:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _PAGE_HEADERS.items():
                    headers.setdefault(name, value)
                if path.startswith("/api/"):
                    for name, value in _CORS_HEADERS.items():
                        headers[name] = value
                    headers.setdefault("Cache-Control", "no-store")
                state: dict[str, Any] = scope.get("state", {})
                if state.get("clear_cookie") and "set-cookie" not in headers:
                    headers.append("Set-Cookie", f"{COOKIE}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax")
                route = scope.get("route")
                self._services.metrics.answered(
                    scope["method"],
                    getattr(route, "path", "other"),
                    message["status"],
                    time.perf_counter() - began,
                )
            await send(message)

        return dressed


class _Body:
    """Counts what is read of a body whose length nobody announced, and reads no further than allowed. What it raises
    is an HTTPException, since FastAPI takes anything else for a body that is not JSON."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._read = 0

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._read += len(message.get("body", b""))
            if self._read > self._most:
                raise HTTPException(413)
        return message
