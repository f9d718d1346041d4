"""The one way out: calls to servers that somebody else has named, with bounds of time and size.

Invariant: nothing is asked of an address that is not public, whatever name led there. The name is resolved once, by a
resolver that refuses such addresses, and the connection goes to what it answered; so a name that changes its mind in
between changes nothing. Redirects are not followed. Only origins that the operator has named are free of this, and the
issuer's is for who signs people in there alone: no push service and no Mastodon is let in by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import SplitResult, urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

TIMEOUT_S = 10.0
"""For one call, from the name to the last byte."""
MOST_BYTES = 1 << 20
_LOOK_UP_S = 2.0
_CONNECTIONS = 100
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_6TO4, _TEREDO = ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32")


class OutboundError(Exception):
    """No answer in time, or one that is too long."""


class Refused(OutboundError):
    """An address that is not called at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Raises OutboundError where it is no object."""
        try:
            found = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise OutboundError("this is no JSON") from error
        if not isinstance(found, dict):
            raise OutboundError("this is no JSON object")
        return found


class Outbound:
    """`trusted` are origins, as http://10.0.0.5:8080, that may be asked whatever their address and scheme."""

    def __init__(self, trusted: Collection[str] = (), resolver: AbstractResolver | None = None) -> None:
        self._trusted = frozenset(trusted)
        self._resolver = resolver
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Raises OutboundError."""
        return await self._ask("GET", url, {"Accept": "application/json", **(headers or {})}, None)

    async def post(
        self, url: str, body: bytes | Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Answer:
        """A mapping goes out as a form, and asks for JSON. Raises OutboundError."""
        wanted = {} if isinstance(body, bytes) else {"Accept": "application/json"}
        return await self._ask("POST", url, {**wanted, **(headers or {})}, body)

    def check(self, url: str) -> None:
        """Raises Refused for what is not called whatever its name leads to."""
        parts = _split(url)
        if self._is_trusted(parts):
            return
        if not parts.netloc.isascii():
            raise Refused("only ASCII names are called")  # full-width digits would become an address unseen
        if parts.scheme != "https":
            raise Refused("only https is called")
        if not parts.hostname or parts.username is not None or parts.password is not None:
            raise Refused("this is no server's address")
        if parts.port not in (None, 443):
            raise Refused("only the usual port is called")
        # A name that is an address is never resolved.
        literal = _literal(parts.hostname)
        if literal is not None and not is_public(literal):
            raise Refused("this address leads into this network")

    async def leads_inside(self, url: str) -> bool:
        """Whether the name in it leads, as of now, to any address that is not called. A name that nobody knows at the
        moment is no verdict. Raises Refused."""
        parts = _split(url)
        if self._is_trusted(parts):
            return False
        with contextlib.suppress(OSError, TimeoutError, UnicodeError):
            async with asyncio.timeout(_LOOK_UP_S):
                found = await self._names().resolve(parts.hostname or "", 443, socket.AF_UNSPEC)
            return not all(is_public(one["host"]) for one in found)
        return False

    def trusting(self, origins: Collection[str]) -> Outbound:
        """The same way out for one caller, who has these origins from the operator; it closes with this one."""
        more = Outbound(self._trusted.union(origins), self._resolver)
        more._sessions = self._sessions
        return more

    def trusts(self, origin: str) -> bool:
        return origin in self._trusted

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | Mapping[str, str] | None
    ) -> Answer:
        self.check(url)
        session = self._session(self._is_trusted(_split(url)))
        try:
            async with (
                asyncio.timeout(TIMEOUT_S),
                session.request(method, url, headers=headers, data=body, allow_redirects=False) as answer,
            ):
                said = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, said, await _read(answer.content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise OutboundError(f"{urlsplit(url).hostname}: {type(error).__name__}: {error}"[:300]) from error

    def _is_trusted(self, parts: SplitResult) -> bool:
        return self.trusts(f"{parts.scheme}://{parts.netloc}")

    def _names(self) -> AbstractResolver:
        if self._resolver is None:
            self._resolver = aiohttp.ThreadedResolver()
        return self._resolver

    def _session(self, is_trusted: bool) -> aiohttp.ClientSession:
        if is_trusted not in self._sessions:
            connector = aiohttp.TCPConnector(
                resolver=self._names() if is_trusted else PublicOnly(self._names()),
                use_dns_cache=False,
                limit=_CONNECTIONS,
            )
            self._sessions[is_trusted] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,  # a small body may be a large one in disguise
                headers={"User-Agent": "Parola", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._sessions[is_trusted]


class PublicOnly(AbstractResolver):
    """Answers with public addresses alone: one that is not, among others, makes the name unknown."""

    def __init__(self, inner: AbstractResolver) -> None:
        self._inner = inner

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        if not all(is_public(one["host"]) for one in found):
            raise OSError(None, f"{host} leads into this network")
        return found

    async def close(self) -> None:
        await self._inner.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one that everybody on the internet has the same of: neither loopback nor
    private, link-local, shared, multicast or reserved. An address that carries an IPv4 address is judged by that one,
    and none that leads through a tunnel, since nobody here sees where that ends."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        # The last: IPv4-compatible, RFC 4291, section 2.5.5.1.
        if ip in _6TO4 or ip in _TEREDO or ip.is_site_local or int(ip) >> 32 == 0:
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


def _split(url: str) -> SplitResult:
    """Raises Refused."""
    try:
        parts = urlsplit(url)
        _ = parts.hostname, parts.port
    except ValueError as error:
        raise Refused("this is no address") from error
    return parts


def _literal(host: str) -> str | None:
    """The address that a host in a URL is, where it is none that wants to be resolved."""
    try:
        return str(ipaddress.ip_address(host.partition("%")[0]))
    except ValueError:
        pass
    try:
        # What C's resolver takes for an address as well: 127.1, 0x7f000001, 2130706433.
        return str(ipaddress.IPv4Address(socket.inet_aton(host)))
    except (OSError, UnicodeError):
        return None


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Raises ValueError for what does not end."""
    found = bytearray()
    async for part in content.iter_any():
        found += part
        if len(found) > MOST_BYTES:
            raise ValueError(f"the answer is too long: more than {MOST_BYTES} bytes")
    return bytes(found)
