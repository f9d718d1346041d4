"""LiveKit's signalling (`livekit_rtc.proto`): a websocket on which each message is one protocol buffer.

A listener is offered its streams, again and again as they come and go, and answers; one who speaks says what it will
send, and offers. Candidates come beside the SDP, and the websocket has to stay open.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from collections.abc import Callable
from urllib.parse import urlencode

import aiohttp

from bench.listeners.peers import sdp
from bench.listeners.peers.protobuf import Fields, decode, encode, number, octets, text
from bench.listeners.signalling import Local, Remote

Token = Callable[[str, str, bool], str]
"""Room, identity, whether it may speak."""

_PROTOCOL = 16
_PATIENCE_S = 15.0
# Fields of SignalRequest and SignalResponse.
_OFFER_TO_SERVER, _ANSWER_TO_SERVER, _ADD_TRACK = 1, 2, 4
_ANSWER, _OFFER, _TRICKLE, _TRACK_PUBLISHED, _LEAVE = 2, 3, 4, 6, 8
# SessionDescription: type, sdp, id.
_TYPE, _SDP, _ID = 1, 2, 3
_MICROPHONE = 2
_PUBLISHER, _SUBSCRIBER = 0, 1


class LiveKitWay:
    """Into one room, for those who listen or one who speaks."""

    def __init__(self, origin: str, room: str, name: str, speaks: bool, token: Token) -> None:
        self._origin = origin
        self._room = room
        self._name = name
        self._speaks = speaks
        self._token = token
        self._http: aiohttp.ClientSession | None = None
        self._joined: set[_Participant] = set()
        self._count = 0

    async def join(self, local: Local) -> tuple[Remote, object]:
        if self._http is None:
            self._http = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._count += 1
        token = self._token(self._room, f"{self._name}{self._count}", self._speaks)
        asked = urlencode(
            {
                "access_token": token, "protocol": _PROTOCOL, "sdk": "js", "version": "2.15.0",
                "auto_subscribe": "0" if self._speaks else "1", "adaptive_stream": "0",
            }
        )  # fmt: skip
        socket = await self._http.ws_connect(f"ws://{self._origin}/rtc?{asked}", max_msg_size=0)
        participant = _Participant(socket, local, self._speaks)
        self._joined.add(participant)
        try:
            return await asyncio.wait_for(participant.remote, _PATIENCE_S), participant
        except BaseException:
            await self.leave(participant)
            raise

    async def leave(self, handle: object) -> None:
        assert isinstance(handle, _Participant)
        self._joined.discard(handle)
        await handle.close()

    async def close(self) -> None:
        await asyncio.gather(*(self.leave(participant) for participant in tuple(self._joined)))
        if self._http is not None:
            await self._http.close()


class _Participant:
    """One websocket. `remote` is there as soon as the server has described its end and named an address."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse, local: Local, speaks: bool) -> None:
        self.remote: asyncio.Future[Remote] = asyncio.get_running_loop().create_future()
        self._socket = socket
        self._local = local
        self._speaks = speaks
        self._track = secrets.token_hex(8)
        self._said: sdp.Description | None = None
        self._candidates: list[str] = []
        self._reading = asyncio.create_task(self._read())

    async def close(self) -> None:
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading
        await self._socket.close()
        if not self.remote.done():
            self.remote.cancel()

    async def _read(self) -> None:
        failure: Exception = ConnectionError("the server has closed the signalling")
        try:
            if self._speaks:
                await self._socket.send_bytes(encode((_ADD_TRACK, add_track(self._track))))
            async for message in self._socket:
                if message.type is aiohttp.WSMsgType.BINARY:
                    await self._handle(decode(message.data))
        except (OSError, ValueError, aiohttp.ClientError) as error:
            failure = error
        if not self.remote.done():
            self.remote.set_exception(failure)

    async def _handle(self, response: Fields) -> None:
        if _TRICKLE in response:
            self._note_candidate(decode(octets(response, _TRICKLE)))
        elif _OFFER in response and not self._speaks:
            said = decode(octets(response, _OFFER))
            self._said = sdp.parse(text(said, _SDP))
            answer = description("answer", sdp.answer(self._said, self._local), number(said, _ID))
            await self._socket.send_bytes(encode((_ANSWER_TO_SERVER, answer)))
        elif _TRACK_PUBLISHED in response and self._speaks:
            offer = description("offer", sdp.offer(self._local, self._track), 1)
            await self._socket.send_bytes(encode((_OFFER_TO_SERVER, offer)))
        elif _ANSWER in response and self._speaks:
            self._said = sdp.parse(text(decode(octets(response, _ANSWER)), _SDP))
        elif _LEAVE in response:
            raise ConnectionError("the server says goodbye")
        self._settle()

    def _note_candidate(self, trickle: Fields) -> None:
        """TrickleRequest: candidateInit, target."""
        target = _PUBLISHER if self._speaks else _SUBSCRIBER
        if number(trickle, 2) == target and (init := text(trickle, 1)):
            self._candidates.append(json.loads(init)["candidate"])

    def _settle(self) -> None:
        if self._said is None or self.remote.done():
            return
        with contextlib.suppress(ValueError):
            self.remote.set_result(sdp.remote(self._said, self._candidates, we_offered=self._speaks))


def description(kind: str, text: str, identifier: int) -> bytes:
    """SessionDescription."""
    return encode((_TYPE, kind), (_SDP, text), (_ID, identifier))


def add_track(track: str) -> bytes:
    """AddTrackRequest: cid, name, type AUDIO (0, the default), source, and neither DTX nor RED."""
    return encode((1, track), (2, "voice"), (7, True), (8, _MICROPHONE), (13, True))
