"""The public protocol over HTTP, as any outside program would speak it; it shares no code with the server."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp


class ProtocolError(Exception):
    """The server's answer to a call that it refused: `status`, the stable `code`, and words for people."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """Where a room is: the server's origin and the room's id, from the address of its page."""

    origin: str
    room_id: str

    @classmethod
    def parse(cls, url: str) -> RoomAddress:
        """Raises ValueError for what is no room's address, such as http://localhost:8080/r/ID."""
        parts = urlsplit(url)
        steps = parts.path.rstrip("/").split("/")
        if parts.scheme not in ("http", "https") or not parts.netloc or len(steps) < 3 or steps[-2] != "r":
            raise ValueError(f"not the address of a room: {url} (it looks like http://localhost:8080/r/ID)")
        return cls(f"{parts.scheme}://{parts.netloc}", steps[-1])


class Api:
    """One caller of one server; use it as an async context."""

    def __init__(self, origin: str, token: str | None = None) -> None:
        self.origin = origin
        self.token = token
        self._http = aiohttp.ClientSession()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def call(self, method: str, path: str, body: object = None) -> Any:
        """The decoded JSON answer, None where there is no body; raises ProtocolError."""
        async with self._http.request(
            method, self.origin + path, json=body, headers=self._headers()
        ) as answer:
            await _check(answer)
            return await answer.json() if answer.content_type == "application/json" else None

    async def sign_up(self, handle: str, name: str, password: str) -> str:
        answer = await self.call(
            "POST", "/api/accounts", {"handle": handle, "name": name, "password": password}
        )
        self.token = str(answer["token"])
        return self.token

    async def sign_in(self, handle: str, password: str) -> str:
        answer = await self.call("POST", "/api/sessions", {"handle": handle, "password": password})
        self.token = str(answer["token"])
        return self.token

    async def exchange(self, room_id: str, kind: str, offer: str) -> tuple[str, str]:
        """Posts an SDP offer to `whip` or `whep`: (answer, absolute address of the connection)."""
        path = f"/api/rooms/{room_id}/{kind}"
        headers = {**self._headers(), "Content-Type": "application/sdp"}
        async with self._http.post(self.origin + path, data=offer.encode(), headers=headers) as answer:
            await _check(answer)
            location = answer.headers["Location"]
            return await answer.text(), location if location.startswith("http") else self.origin + location

    async def hang_up(self, location: str) -> None:
        async with self._http.delete(location, headers=self._headers()) as answer:
            if answer.status != 404:
                await _check(answer)

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}"} if self.token else {}


async def _check(answer: aiohttp.ClientResponse) -> None:
    if answer.status < 400:
        return
    try:
        problem = await answer.json(content_type=None)
        code, detail = str(problem["code"]), str(problem.get("detail") or problem.get("title"))
    except (ValueError, KeyError, TypeError):
        code, detail = "unexpected", (await answer.text())[:200]
    raise ProtocolError(answer.status, code, detail)
