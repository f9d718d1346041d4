"""A push service (RFC 8030) on this machine, and browsers that read what it brings: RFC 8291 and 8292 written down a
second time, from the receiver's side."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


@dataclass
class Got:
    """One message: what it says, and how it was sent."""

    said: Any
    headers: dict[str, str]


@dataclass
class Browser:
    """One subscription. `answers` are statuses with headers, for one message each; after them it takes everything."""

    endpoint: str
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    auth: bytes = field(default_factory=lambda: secrets.token_bytes(16))
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    got: list[Got] = field(default_factory=list)
    asked: int = 0

    def subscription(self, **more: Any) -> dict[str, Any]:
        """As a page sends it."""
        return {
            "endpoint": self.endpoint,
            "keys": {"p256dh": encoded(self._point), "auth": encoded(self.auth)},
            **more,
        }

    @property
    def _point(self) -> bytes:
        return self.key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def read(self, body: bytes) -> Any:
        """RFC 8188, section 2, with the keys of RFC 8291, section 3.4."""
        salt, length = body[:16], body[20]
        record_size = int.from_bytes(body[16:20], "big")
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        assert len(sealed) <= record_size <= 4096
        shared = self.key.exchange(
            ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender)
        )
        info = b"WebPush: info\0" + self._point + sender
        secret = HKDF(hashes.SHA256(), 32, self.auth, info).derive(shared)
        key = HKDF(hashes.SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(hashes.SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        plain = AESGCM(key).decrypt(nonce, sealed, None)
        text, _, padding = plain.rpartition(b"\x02")
        assert not padding.strip(b"\0")
        return json.loads(text)


class PushService:
    """Made by `go`. `origin` is its address."""

    def __init__(self, origin: str) -> None:
        self.origin = origin
        self.browsers: dict[str, Browser] = {}
        self.most_at_once = 0
        self._at_once = 0
        self.takes_s = 0.0
        self._took = asyncio.Condition()
        self._count = 0

    @classmethod
    @contextlib.asynccontextmanager
    async def go(cls) -> AsyncIterator[PushService]:
        app = web.Application()
        runner = web.AppRunner(app, access_log=None)
        service = cls("")
        app.router.add_post("/{name}", service._take)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        service.origin = f"http://127.0.0.1:{port}"
        try:
            yield service
        finally:
            await runner.cleanup()

    def browser(self, *answers: tuple[int, dict[str, str]]) -> Browser:
        name = secrets.token_urlsafe(8)
        self.browsers[name] = Browser(f"{self.origin}/{name}", answers=list(answers))
        return self.browsers[name]

    async def took(self, count: int) -> None:
        """Returns when it has taken so many messages."""
        async with self._took:
            await self._took.wait_for(lambda: self._count >= count)

    async def _take(self, request: web.Request) -> web.Response:
        browser = self.browsers.get(request.match_info["name"])
        if browser is None:
            return web.Response(status=410)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.takes_s)
            browser.asked += 1
            headers = {name.lower(): value for name, value in request.headers.items()}
            check_signature(headers["authorization"], self.origin)
            said = browser.read(await request.read())
            if browser.answers:
                status, more = browser.answers.pop(0)
                return web.Response(status=status, headers=more)
            browser.got.append(Got(said, headers))
            async with self._took:
                self._count += 1
                self._took.notify_all()
            return web.Response(status=201)
        finally:
            self._at_once -= 1


def check_signature(authorization: str, origin: str) -> str:
    """RFC 8292: the sender's key, who has signed for this service, and not for longer than a day."""
    scheme, _, rest = authorization.partition(" ")
    assert scheme == "vapid"
    fields = dict(part.strip().partition("=")[::2] for part in rest.split(","))
    signed, _, signature = fields["t"].rpartition(".")
    raw = decoded(signature)
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), decoded(fields["k"]))
    pair = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    key.verify(pair, signed.encode(), ec.ECDSA(hashes.SHA256()))
    claims = json.loads(decoded(signed.partition(".")[2]))
    assert claims["aud"] == origin
    assert 0 < claims["exp"] - time.time() <= 86_400
    assert claims["sub"].startswith("mailto:")
    return fields["k"]


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
