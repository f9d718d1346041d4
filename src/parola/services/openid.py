"""Sign-in at an issuer that the operator has named: OpenID Connect Core 1.0, by the authorization code (section 3.1),
with PKCE (RFC 7636)."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from parola.domain.errors import Forbidden
from parola.outbound import Outbound, OutboundError
from parola.services.clock import Clock
from parola.services.provider import Errand, Stranger, elsewhere_away
from parola.store import Identity

PROVIDER = "oidc"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures by a key that only the issuer has: neither `none` nor one by a secret that this server has as well."""
_KEPT_S = 3600.0
_PROVED_S = 600
"""As long as anybody may take for signing in there."""
_SKEW_S = 60
"""Between the issuer's clock and this one."""


@dataclass(frozen=True, slots=True)
class Client:
    """As what the issuer knows this server; the secret is empty for a public client."""

    id: str
    secret: str


class OpenId:
    def __init__(
        self,
        outbound: Outbound,
        issuer: str,
        client: Client,
        name: str,
        now: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self.name = name or issuer.partition("://")[2]
        self._outbound = outbound
        self._issuer = issuer
        self._client_id = client.id
        self._client_secret = client.secret
        self._now = now
        self._monotonic = monotonic
        self._kept: tuple[float, dict[str, Any], KeySet] | None = None

    def place(self, server: str) -> str:
        return PROVIDER

    async def address(self, errand: Errand, state: str, redirect_uri: str) -> str:
        found, _ = await self._discover()
        wanted = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": redirect_uri,
            "scope": "openid profile",
            "state": state,
            "nonce": errand.nonce,
            "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
        }
        if errand.proves:  # not by a session that is open there anyway (Core, section 3.1.2.1)
            wanted |= {"prompt": "login", "max_age": "0"}
        endpoint = str(found["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(wanted)}"

    def check_issuer(self, errand: Errand, issuer: str | None) -> None:
        """RFC 9207: an answer of another issuer is none."""
        says_so = self._kept is not None and self._kept[1].get(
            "authorization_response_iss_parameter_supported"
        )
        if (issuer is None and says_so is True) or issuer not in (None, self._issuer):
            raise Forbidden("wrong_issuer", "This answer comes from somewhere else.")

    async def fetch(self, errand: Errand, code: str, redirect_uri: str) -> Stranger:
        found, _ = await self._discover()
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": errand.verifier,
            "client_id": self._client_id,
        }
        headers = {}
        methods = found.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        if self._client_secret and "client_secret_basic" in methods:
            pair = f"{quote(self._client_id, safe='')}:{quote(self._client_secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif self._client_secret:
            form["client_secret"] = self._client_secret
        try:
            reply = await self._outbound.post(str(found["token_endpoint"]), form, headers)
            if reply.status != 200:
                raise Forbidden("sign_in_refused", "The other side did not confirm this.")
            tokens = reply.json()
        except OutboundError as error:
            raise elsewhere_away() from error
        claims = await self._verified(str(tokens.get("id_token", "")), errand.nonce)
        if errand.proves:
            self._check_lately(claims)
        subject = str(claims["sub"])
        if len(subject) > 255:  # Core, section 2
            raise _no_proof()
        known_as = {key: str(claims.get(key) or "") for key in ("preferred_username", "name")}
        if not all(known_as.values()) and tokens.get("access_token"):
            known_as = await self._ask_for(found, str(tokens["access_token"]), subject, known_as)
        shown = known_as["preferred_username"] or known_as["name"] or subject
        identity = Identity(PROVIDER, f"{self._issuer} {subject}", f"{shown} ({self.name})"[:255])
        return Stranger(identity, known_as["preferred_username"], known_as["name"])

    async def _verified(self, token: str, nonce: str) -> dict[str, Any]:
        """Core, section 3.1.3.7. Raises Forbidden."""
        _, keys = await self._discover()
        try:
            try:
                decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            except (JoseError, ValueError):
                # The issuer may have changed its keys since we asked.
                _, keys = await self._discover(anew=True)
                decoded = jwt.decode(token, keys, algorithms=list(ALGORITHMS))
            claims = decoded.claims
            jwt.JWTClaimsRegistry(
                now=int(self._now().timestamp()),
                leeway=_SKEW_S,
                iss={"essential": True, "value": self._issuer},
                sub={"essential": True},
                aud={"essential": True, "value": self._client_id},
                exp={"essential": True},
                iat={"essential": True},
                nonce={"essential": True, "value": nonce},
            ).validate(claims)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _no_proof() from error
        many = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if many else self._client_id) != self._client_id:
            raise _no_proof()
        if not isinstance(claims["sub"], str) or not claims["sub"]:
            raise _no_proof()
        return dict(claims)

    def _check_lately(self, claims: dict[str, Any]) -> None:
        """That they have signed in there for this. Raises Forbidden."""
        at = claims.get("auth_time")
        if not isinstance(at, int | float) or at < self._now().timestamp() - _PROVED_S - _SKEW_S:
            raise _no_proof()

    async def _ask_for(
        self, found: dict[str, Any], token: str, subject: str, known_as: dict[str, str]
    ) -> dict[str, str]:
        """What it is called there; nothing rests on it (Core, section 5.3)."""
        try:
            reply = await self._outbound.get(
                str(found.get("userinfo_endpoint", "")), {"Authorization": f"Bearer {token}"}
            )
            said = reply.json() if reply.status == 200 else {}
        except OutboundError:
            return known_as
        if said.get("sub") != subject:
            return known_as
        return {key: known or str(said.get(key) or "") for key, known in known_as.items()}

    async def _discover(self, anew: bool = False) -> tuple[dict[str, Any], KeySet]:
        """Discovery 1.0, section 4: the document, and the issuer's keys. Raises Unavailable."""
        now = self._monotonic()
        if self._kept is not None and not anew and now < self._kept[0]:
            return self._kept[1], self._kept[2]
        try:
            document = await self._outbound.get(
                f"{self._issuer.rstrip('/')}/.well-known/openid-configuration"
            )
            found = document.json()
            if document.status != 200 or found.get("issuer") != self._issuer:
                raise OutboundError("this is not the issuer's own document")
            for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
                if not isinstance(found.get(name), str):
                    raise OutboundError(f"the document has no {name}")
            keys = await self._outbound.get(found["jwks_uri"])
            imported = KeySet.import_key_set(keys.json())  # type: ignore[arg-type]
        except (OutboundError, JoseError, ValueError, KeyError, TypeError) as error:
            raise elsewhere_away() from error
        self._kept = (now + _KEPT_S, found, imported)
        return found, imported


def _no_proof() -> Forbidden:
    return Forbidden("sign_in_refused", "What came back proves nothing.")
