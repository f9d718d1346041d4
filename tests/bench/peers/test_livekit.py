"""Tokens, and the way in, against a server that speaks just as much of the protocol as that takes."""

import asyncio
import base64
import hashlib
import hmac
import json

import aiohttp
import pytest
from aiohttp import web

from bench.listeners.peers import sdp
from bench.listeners.peers.livekit import token
from bench.listeners.peers.livekit_signalling import LiveKitWay, description
from bench.listeners.peers.protobuf import decode, encode, number, octets, text
from bench.listeners.signalling import Local
from tests.bench.peers.test_sdp import CANDIDATES, DATA, HEAD, SOUND

LOCAL = Local("abcdefgh", "p" * 24, "AB:CD", ("127.16.0.7", 4000), 77)


def unpadded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_is_signed_and_says_who_may_what():
    head, claims, tag = token("key", "secret", "room1", "listener1", False, 1_000_000).split(".")
    signed = f"{head}.{claims}".encode()
    assert unpadded(tag) == hmac.digest(b"secret", signed, hashlib.sha256)
    assert json.loads(unpadded(head)) == {"alg": "HS256", "typ": "JWT"}
    said = json.loads(unpadded(claims))
    assert (said["iss"], said["sub"]) == ("key", "listener1")
    assert said["nbf"] < 1_000_000 < said["exp"]
    assert said["video"] == {
        "roomJoin": True, "room": "room1", "canPublish": False, "canPublishData": False, "canSubscribe": True,
    }  # fmt: skip


class Fake:
    """Says what it was given to say, one message after the other, and keeps what it hears."""

    def __init__(self) -> None:
        self.asked: dict[str, str] = {}
        self.heard: asyncio.Queue[bytes] = asyncio.Queue()
        self.says: asyncio.Queue[bytes | None] = asyncio.Queue()

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        self.asked = dict(request.query)
        answer = web.WebSocketResponse()
        await answer.prepare(request)
        speaking = asyncio.create_task(self._speak(answer))
        async for message in answer:
            await self.heard.put(message.data)
        speaking.cancel()
        return answer

    async def _speak(self, answer: web.WebSocketResponse) -> None:
        while (message := await self.says.get()) is not None:
            await answer.send_bytes(message)
        await answer.close()


@pytest.fixture
async def fake():
    made = Fake()
    app = web.Application()
    app.router.add_get("/rtc", made.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    made.origin = f"127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


def way(fake: Fake, speaks: bool) -> LiveKitWay:
    return LiveKitWay(fake.origin, "room1", "somebody", speaks, lambda *about: json.dumps(about))


def trickle(candidate: str, target: int) -> bytes:
    init = json.dumps({"candidate": candidate, "sdpMid": "0"})
    return encode((4, encode((1, init), *([(2, target)] if target else []))))


def text_of(*sections: str) -> str:
    return HEAD + "".join(sections).replace("\n", "\r\n")


async def test_a_listener_answers_every_offer(fake):
    listening = way(fake, speaks=False)
    joining = asyncio.create_task(listening.join(LOCAL))
    await fake.says.put(encode((1, b"")))
    await fake.says.put(encode((3, description("offer", text_of(DATA), 5))))
    answer = decode(octets(decode(await fake.heard.get()), 2))
    assert (text(answer, 1), number(answer, 3)) == ("answer", 5)
    assert not joining.done()
    await fake.says.put(trickle(CANDIDATES[1], 0))
    await fake.says.put(trickle(CANDIDATES[0], 1))
    remote, _ = await joining
    assert remote.addresses == (("10.0.0.1", 5003),)
    assert not remote.controlling
    assert json.loads(fake.asked["access_token"]) == ["room1", "somebody1", False]
    assert fake.asked["auto_subscribe"] == "1"
    await fake.says.put(encode((3, description("offer", text_of(DATA, SOUND), 6))))
    answer = decode(octets(decode(await fake.heard.get()), 2))
    assert number(answer, 3) == 6
    assert sdp.parse(text(answer, 2)).media[1].formats == ("109",)
    await listening.close()


async def test_one_who_speaks_says_so_and_offers(fake):
    speaking = way(fake, speaks=True)
    joining = asyncio.create_task(speaking.join(LOCAL))
    track = decode(octets(decode(await fake.heard.get()), 4))
    assert (number(track, 3), number(track, 8), number(track, 13)) == (0, 2, 1)
    await fake.says.put(encode((6, encode((1, text(track, 1))))))
    offer = decode(octets(decode(await fake.heard.get()), 1))
    assert text(offer, 1) == "offer"
    assert text(track, 1) in sdp.parse(text(offer, 2)).media[0].first("msid")
    await fake.says.put(trickle(CANDIDATES[1], 0))
    await fake.says.put(encode((2, description("answer", text_of(SOUND), 1))))
    remote, _ = await joining
    assert (remote.controlling, remote.opus_pt, remote.level_id) == (True, 109, 3)
    await speaking.close()


@pytest.mark.parametrize("message", [encode((8, b"")), b"\x0b", None])
async def test_one_who_is_sent_away_does_not_wait(fake, message):
    listening = way(fake, speaks=False)
    joining = asyncio.create_task(listening.join(LOCAL))
    await fake.says.put(message)
    with pytest.raises((ConnectionError, ValueError)):
        await asyncio.wait_for(joining, 5)
    await listening.close()


async def test_one_who_finds_nobody(fake):
    fake.origin = "127.0.0.1:9"
    listening = way(fake, speaks=False)
    with pytest.raises(aiohttp.ClientError):
        await listening.join(LOCAL)
    await listening.close()
