"""The API of Janus over a Unix socket, one JSON text in a packet: a single session, and a handle for each listener.

That is the leanest way in that it has, so that it is charged for sound and for little else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
from pathlib import Path
from typing import Any

from bench.listeners.peers import sdp
from bench.listeners.signalling import Local, Remote

_PATIENCE_S = 15.0
_KEEP_ALIVE_S = 20.0
_LARGEST = 1 << 18
_PLUGIN = "janus.plugin.streaming"
_ENDS = frozenset({"success", "error", "event"})
"""What answers a request for good; before an event there is an `ack`, after which one has to wait."""

Said = dict[str, Any]


class JanusError(Exception):
    """A request that was refused; the message is the server's."""


class Janus:
    """Made by `connect`."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._waiting: dict[str, asyncio.Future[Said]] = {}
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._keep_alive())]
        self._session = 0
        self._admin = 0

    @classmethod
    async def connect(cls, path: Path) -> Janus:
        """Raises OSError, TimeoutError, JanusError."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, str(path))
        except OSError:
            sock.close()
            raise
        api = cls(sock)
        try:
            api._session = int((await api._ask({"janus": "create"}))["data"]["id"])
            api._admin = await api.attach()
        except BaseException:
            await api.close()
            raise
        return api

    async def attach(self) -> int:
        """A handle of the streaming plugin. Raises JanusError, TimeoutError, as all that follow."""
        return int((await self._ask({"janus": "attach", "plugin": _PLUGIN}))["data"]["id"])

    async def detach(self, handle: int) -> None:
        await self._ask({"janus": "detach", "handle_id": handle})

    async def create_mountpoint(self, number: int, ports: list[int], pt: int) -> None:
        """One that takes RTP on each of the loopback ports, and gives viewers as many streams."""
        media = [
            {"type": "audio", "mid": f"a{n}", "codec": "opus", "pt": pt, "port": port, "iface": "127.0.0.1"}
            for n, port in enumerate(ports)
        ]
        await self.message(
            self._admin,
            {"request": "create", "type": "rtp", "id": number, "permanent": False, "media": media},
        )

    async def destroy_mountpoint(self, number: int) -> None:
        await self.message(self._admin, {"request": "destroy", "id": number})

    async def message(self, handle: int, body: Said, jsep: Said | None = None) -> Said:
        """To the plugin; the whole answer, whose `jsep` may be an offer."""
        request: Said = {"janus": "message", "handle_id": handle, "body": body}
        if jsep is not None:
            request["jsep"] = jsep
        answer = await self._ask(request)
        data = answer.get("plugindata", {}).get("data", {})
        if "error" in data:
            raise JanusError(str(data["error"]))
        return answer

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    async def _ask(self, request: Said) -> Said:
        loop = asyncio.get_running_loop()
        transaction = secrets.token_hex(8)
        request["transaction"] = transaction
        if self._session:
            request["session_id"] = self._session
        waiting = self._waiting[transaction] = loop.create_future()
        try:
            await loop.sock_sendall(self._socket, json.dumps(request).encode())
            answer: Said = await asyncio.wait_for(waiting, _PATIENCE_S)
        finally:
            del self._waiting[transaction]
        if answer["janus"] == "error":
            raise JanusError(str(answer["error"]["reason"]))
        return answer

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while packet := await loop.sock_recv(self._socket, _LARGEST):
                said = json.loads(packet)
                waiting = self._waiting.get(said.get("transaction", ""))
                if waiting is not None and said["janus"] in _ENDS and not waiting.done():
                    waiting.set_result(said)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError("the server has closed its API"))

    async def _keep_alive(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_ALIVE_S)
            request = {"janus": "keepalive", "session_id": self._session, "transaction": "keepalive"}
            with contextlib.suppress(OSError):
                await asyncio.get_running_loop().sock_sendall(self._socket, json.dumps(request).encode())


class JanusWay:
    """Viewers of one mountpoint: the server offers."""

    def __init__(self, api: Janus, mountpoint: int) -> None:
        self._api = api
        self._mountpoint = mountpoint

    async def join(self, local: Local) -> tuple[Remote, object]:
        handle = await self._api.attach()
        try:
            watching = await self._api.message(handle, {"request": "watch", "id": self._mountpoint})
            offer = sdp.parse(watching["jsep"]["sdp"])
            answer = {"type": "answer", "sdp": sdp.answer(offer, local), "trickle": False}
            await self._api.message(handle, {"request": "start"}, answer)
            return sdp.remote(offer), handle
        except BaseException:
            with contextlib.suppress(JanusError, OSError, TimeoutError):
                await self._api.detach(handle)
            raise

    async def leave(self, handle: object) -> None:
        assert isinstance(handle, int)
        await self._api.detach(handle)

    async def close(self) -> None:
        """The session is the server's own, and stays."""
