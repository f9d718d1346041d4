"""One message to one browser, through the push service that it has chosen (RFC 8030), readable by nobody on the way
(RFC 8291), and signed so that the service knows who sends (RFC 8292).

A service that does not answer, or asks for patience, is left alone for a while: what others wait for goes on.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import Enum
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import structlog
from pydantic import AnyHttpUrl
from webpush import WebPush, WebPushSubscription
from webpush.types import WebPushKeys
from webpush.vapid import VAPID

from parola.outbound import Answer, Outbound, OutboundError
from parola.services.secret import Secret
from parola.store import Subscription

_log = structlog.get_logger(__name__)

TTL_S = 300
"""What a browser has not fetched by then is dropped: it must not ring for what was long ago."""
AT_ONCE = 32
_SIGNED_FOR_S = 12 * 3600
_SIGNED_AGAIN_S = 6 * 3600.0
_MOST_ORIGINS = 1000
_LONGEST_PAUSE_S = 300.0
_SILENT_PAUSE_S = 60.0
_SILENCES = 3


class Became(Enum):
    SENT = "sent"
    GONE = "gone"  # nobody is there any more, and never will be
    LATER = "later"
    REFUSED = "refused"  # for good, and for a reason that another one may not have


@dataclass(frozen=True, slots=True)
class Outcome:
    """`after_s` is how long one should wait, where one should try again."""

    became: Became
    after_s: float = 0.0


class Pusher:
    """`contact` is the address of whoever runs this server: push services want one."""

    def __init__(
        self,
        secret: Secret,
        outbound: Outbound,
        contact: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        private, public = secret.pem
        self._sealing = WebPush(private, public, subscriber=contact, ttl=TTL_S, expiration=_SIGNED_FOR_S)
        self._sealing.vapid = _Signing(private, public, monotonic)
        self._outbound = outbound
        self._monotonic = monotonic
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="push")
        self._free = asyncio.Semaphore(AT_ONCE)
        self._origins: dict[str, _Origin] = {}

    async def push(self, to: Subscription, said: dict[str, Any], topic: str) -> Outcome:
        """`said` has at most 3,993 bytes as JSON (RFC 8291, section 4). `topic`: a newer message takes the place of an
        older one that the browser has not fetched yet."""
        async with self._free:
            origin = self._origin(to.endpoint)
            waits = origin.until - self._monotonic()
            if waits > 0:
                return Outcome(Became.LATER, waits)
            body = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
            try:
                sealed, headers = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._seal, to, body
                )
            except ValueError:
                return Outcome(Became.GONE)  # keys that are none
            headers["topic"] = _topic(topic)
            try:
                answer = await self._outbound.post(to.endpoint, sealed, headers)
            except OutboundError as error:
                origin.silences += 1
                if origin.silences >= _SILENCES:
                    origin.until = self._monotonic() + _SILENT_PAUSE_S
                _log.info("push.no_answer", origin=_origin_of(to.endpoint), reason=str(error)[:200])
                return Outcome(Became.LATER)
            origin.silences = 0
            return self._outcome(answer, origin, to)

    def _outcome(self, answer: Answer, origin: _Origin, to: Subscription) -> Outcome:
        if 200 <= answer.status < 300:
            return Outcome(Became.SENT)
        if answer.status in (404, 410):  # RFC 8030, section 7.3
            return Outcome(Became.GONE)
        if answer.status == 429 or answer.status >= 500:
            after_s = _retry_after(answer)
            if answer.status != 429:  # which is about this one browser
                origin.until = max(origin.until, self._monotonic() + after_s)
            return Outcome(Became.LATER, after_s)
        _log.warning("push.refused", origin=_origin_of(to.endpoint), status=answer.status)
        return Outcome(Became.REFUSED)

    def _seal(self, to: Subscription, body: bytes) -> tuple[bytes, dict[str, str]]:
        keys = WebPushKeys(auth=to.auth, p256dh=to.p256dh)
        message = self._sealing.get(body, WebPushSubscription(endpoint=AnyHttpUrl(to.endpoint), keys=keys))
        more = {"content-type": "application/octet-stream", "urgency": "high"}
        return message.encrypted, {**message.headers, **more}

    def _origin(self, endpoint: str) -> _Origin:
        if len(self._origins) > _MOST_ORIGINS:
            self._origins.clear()
        return self._origins.setdefault(_origin_of(endpoint), _Origin())


@dataclass(slots=True)
class _Origin:
    """Nobody asks there before `until`, in monotonic seconds; `silences` came in a row."""

    until: float = 0.0
    silences: int = 0


class _Signing:
    """One signature for each push service and some hours, as RFC 8292, section 5, recommends; and its port is part of
    the audience, which is an origin."""

    def __init__(self, private: bytes, public: bytes, monotonic: Callable[[], float]) -> None:
        self._vapid = VAPID(private, public)
        self._monotonic = monotonic
        self._kept: dict[str, tuple[str, float]] = {}

    def get_authorization_header(self, endpoint: AnyHttpUrl, subscriber: str, expiration: int) -> str:
        usual = {"https": 443, "http": 80}.get(endpoint.scheme)
        host = endpoint.host if endpoint.port in (None, usual) else f"{endpoint.host}:{endpoint.port}"
        origin = f"{endpoint.scheme}://{host}"
        header, until = self._kept.get(origin, ("", 0.0))
        if self._monotonic() >= until:
            audience: Any = SimpleNamespace(scheme=endpoint.scheme, host=host)
            header = self._vapid.get_authorization_header(audience, subscriber, expiration)
            if len(self._kept) > _MOST_ORIGINS:
                self._kept.clear()
            self._kept[origin] = header, self._monotonic() + _SIGNED_AGAIN_S
        return header


def _topic(about: str) -> str:
    """32 characters at most (RFC 8030, section 5.4), of which nobody learns what it is about."""
    return base64.urlsafe_b64encode(hashlib.sha256(about.encode()).digest()[:24]).decode()


def _retry_after(answer: Answer) -> float:
    """Seconds, 1 to 300; a date is taken for a minute."""
    said = answer.headers.get("retry-after", "")
    return (
        min(max(float(said), 1.0), _LONGEST_PAUSE_S)
        if said.isascii() and said.isdigit()
        else 60.0
        if said
        else 5.0
    )


def _origin_of(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"
