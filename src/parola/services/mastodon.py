"""Sign-in with an account at any server that speaks Mastodon's API (docs.joinmastodon.org/methods/apps, /oauth).

Whom the server names is an account of that server, and of no other.
"""

from __future__ import annotations

import re
from urllib.parse import urlencode

from parola.domain.errors import Forbidden, Invalid
from parola.outbound import Outbound, OutboundError
from parola.services.provider import Errand, Stranger, elsewhere_away
from parola.store import App, Identity, Store

PROVIDER = "mastodon"
_SCOPE = "read:accounts"
_HOST = re.compile(
    r"(?=.{4,253}$)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


class Mastodon:
    name = "Mastodon"

    def __init__(self, store: Store, outbound: Outbound, public_url: str) -> None:
        self._store = store
        self._outbound = outbound
        self._public_url = public_url

    def place(self, server: str) -> str:
        return self._parse(server)

    async def address(self, errand: Errand, state: str, redirect_uri: str) -> str:
        app = await self._app(errand.place, redirect_uri)
        wanted = {
            "response_type": "code",
            "client_id": app.client_id,
            "redirect_uri": redirect_uri,
            "scope": _SCOPE,
            "state": state,
            "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
        }
        if errand.proves:  # not by a session that is open there anyway
            wanted["force_login"] = "true"
        return f"{self._origin(errand.place)}/oauth/authorize?{urlencode(wanted)}"

    def check_issuer(self, errand: Errand, issuer: str | None) -> None:
        if issuer is not None and issuer.rstrip("/") != self._origin(errand.place):
            raise Forbidden("wrong_issuer", "This answer comes from somewhere else.")

    async def fetch(self, errand: Errand, code: str, redirect_uri: str) -> Stranger:
        origin, app = self._origin(errand.place), await self._app(errand.place, redirect_uri)
        client = {"client_id": app.client_id, "client_secret": app.client_secret}
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": errand.verifier,
            **client,
        }
        try:
            reply = await self._outbound.post(f"{origin}/oauth/token", form)
            if reply.status == 401:  # it does not know us any more
                await self._store.elsewhere.forget_app(self._key(errand.place))
            if reply.status != 200:
                raise Forbidden("sign_in_refused", "The other side did not confirm this.")
            token = str(reply.json().get("access_token", ""))
            headers = {"Authorization": f"Bearer {token}"}
            answer = await self._outbound.get(f"{origin}/api/v1/accounts/verify_credentials", headers)
            said = answer.json() if answer.status == 200 else {}
        except OutboundError as error:
            raise elsewhere_away() from error
        await self._give_back(origin, token, client)
        id, username = said.get("id"), said.get("username")
        if (
            not isinstance(id, str)
            or not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", id)
            or not isinstance(username, str)
        ):
            raise Forbidden("sign_in_refused", "What came back proves nothing.")
        shown = f"@{username}@{errand.place}"[:255]
        return Stranger(
            Identity(PROVIDER, f"{errand.place} {id}", shown), username, str(said.get("display_name") or "")
        )

    async def _give_back(self, origin: str, token: str, client: dict[str, str]) -> None:
        """It was for one question."""
        try:
            await self._outbound.post(f"{origin}/oauth/revoke", {**client, "token": token})
        except OutboundError:
            return

    async def _app(self, place: str, redirect_uri: str) -> App:
        known = await self._store.elsewhere.app(self._key(place))
        if known is not None:
            return known
        form = {
            "client_name": "Parola",
            "redirect_uris": redirect_uri,
            "scopes": _SCOPE,
            "website": self._public_url,
        }
        try:
            reply = await self._outbound.post(f"{self._origin(place)}/api/v1/apps", form)
            said = reply.json() if reply.status == 200 else {}
        except OutboundError as error:
            raise elsewhere_away() from error
        id, secret = said.get("client_id"), said.get("client_secret")
        if not isinstance(id, str) or not isinstance(secret, str) or not 0 < len(id) + len(secret) < 2000:
            raise elsewhere_away()
        return await self._store.elsewhere.keep_app(self._key(place), App(id, secret))

    def _key(self, place: str) -> str:
        return f"{place} {self._public_url}"

    def _origin(self, place: str) -> str:
        """Over http only where the operator says so of this very server."""
        plain = f"http://{place}"
        return plain if self._outbound.trusts(plain) else f"https://{place}"

    def _parse(self, text: str) -> str:
        """A server as people write it: with https:// before it, or as the end of @somebody@server."""
        host = text.strip().lower().removeprefix("https://").partition("/")[0].rpartition("@")[2]
        if self._outbound.trusts(f"http://{host}") or self._outbound.trusts(f"https://{host}"):
            return host
        try:
            plain = host.encode("idna").decode() if not host.isascii() else host
        except UnicodeError:
            plain = ""
        if not _HOST.fullmatch(plain):
            raise Invalid.field("server", "This is no server, such as mastodon.example.")
        return plain
