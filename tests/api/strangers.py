"""Servers elsewhere, small and real: an issuer of OpenID Connect, and a Mastodon. Both say what a test wants."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiohttp import web
from aiohttp.test_utils import TestServer
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, RSAKey

CLIENT, SECRET = "parola", "s3cret:/ that is long"


@dataclass
class Stranger:
    """A server that people sign in at; `go` starts one. `approve` is the person at its page."""

    origin: str = ""
    redirects: dict[str, dict[str, str]] = field(default_factory=dict)
    """By code: with what it was asked for."""
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    person: dict[str, Any] = field(default_factory=dict)

    def approve(self, url: str) -> dict[str, str]:
        """What stands in the address to which the browser is sent back."""
        wanted = {key: value[0] for key, value in parse_qs(urlsplit(url).query).items()}
        code = secrets.token_urlsafe(8)
        self.redirects[code] = wanted
        return {"code": code, "state": wanted["state"]}

    def redeem(self, form: dict[str, str]) -> dict[str, str] | None:
        """What the code was asked for with; None where it does not hold (RFC 6749, 4.1.3; RFC 7636, 4.6)."""
        wanted = self.redirects.pop(form["code"], None)
        if wanted is None or wanted["redirect_uri"] != form["redirect_uri"]:
            return None
        digest = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest())
        return wanted if digest.decode().rstrip("=") == wanted["code_challenge"] else None

    def routes(self) -> list[web.RouteDef]:
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def go(self) -> AsyncIterator[None]:
        app = web.Application()
        app.router.add_routes(self.routes())
        server = TestServer(app)
        await server.start_server()
        self.origin = str(server.make_url("")).rstrip("/")
        yield
        await server.close()


@dataclass
class Issuer(Stranger):
    """`claims` stand in the token in place of what would; None leaves one out. `algorithm` and `signer` likewise."""

    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    signer: RSAKey | OctKey | None = None
    algorithm: str = "RS256"
    claims: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/.well-known/openid-configuration", self._document),
            web.get("/keys", self._keys),
            web.post("/token", self._token),
        ]

    async def _document(self, _: web.Request) -> web.Response:
        found = {
            "issuer": self.origin,
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "jwks_uri": f"{self.origin}/keys",
        }
        return web.json_response({**found, **self.document})

    async def _keys(self, _: web.Request) -> web.Response:
        return web.json_response(KeySet([self.key]).as_dict(private=False))

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append(("token", form))
        basic = base64.b64encode(b"parola:s3cret%3A%2F%20that%20is%20long").decode()
        wanted = self.redeem(form)
        if wanted is None or request.headers.get("Authorization") != f"Basic {basic}":
            return web.json_response({"error": "invalid_grant"}, status=400)
        now = int(time.time())
        claims = {
            "iss": self.origin,
            "aud": CLIENT,
            "sub": "248289761001",
            "iat": now,
            "exp": now + 300,
            "nonce": wanted["nonce"],
            "preferred_username": "Ada.Lovelace",
            "name": "Ada Lovelace",
            **({"auth_time": now} if "max_age" in wanted else {}),
            **self.claims,
        }
        said = {key: value for key, value in claims.items() if value is not None}
        key = self.signer or self.key
        token = jwt.encode(
            {"alg": self.algorithm, "kid": self.key.kid}, said, key, algorithms=[self.algorithm]
        )
        return web.json_response({"access_token": "none", "token_type": "Bearer", "id_token": token})


@dataclass
class Mastodon(Stranger):
    """`person` is who is signed in there."""

    apps: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    @property
    def server(self) -> str:
        return urlsplit(self.origin).netloc

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/api/v1/apps", self._register),
            web.post("/oauth/token", self._token),
            web.post("/oauth/revoke", self._revoke),
            web.get("/api/v1/accounts/verify_credentials", self._verify),
        ]

    async def _register(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.asked.append(("apps", form))
        id = f"app{len(self.apps)}"
        self.apps[id] = form
        return web.json_response({"client_id": id, "client_secret": f"secret of {id}"})

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        app = self.apps.get(form["client_id"])
        if app is None or form["client_secret"] != f"secret of {form['client_id']}":
            return web.json_response({"error": "invalid_client"}, status=401)
        if self.redeem(form) is None or form["redirect_uri"] != app["redirect_uris"]:
            return web.json_response({"error": "invalid_grant"}, status=400)
        token = secrets.token_urlsafe(8)
        self.tokens.add(token)
        return web.json_response({"access_token": token})

    async def _revoke(self, request: web.Request) -> web.Response:
        self.tokens.discard(str((await request.post())["token"]))
        return web.json_response({})

    async def _verify(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return web.json_response({"error": "The access token is invalid"}, status=401)
        return web.json_response(self.person)
