"""The one way out: calls to servers that somebody else has named.

Invariant: nothing is asked of an address that is not public, whatever name led there. The name is resolved once, by a
resolver that refuses such addresses, and the connection goes to what it answered; so a name that changes its mind in
between changes nothing. Redirects are not followed. Only origins that the operator has named are free of this.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

PATIENCE_S = 10.0
MOST_BYTES = 1 << 20
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052
_6TO4, _TEREDO = ipaddress.IPv6Network("2002::/16"), ipaddress.IPv6Network("2001::/32")


class OutboundError(Exception):
    """It may not be asked, did not answer in time, or not in few words."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
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

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """Raises OutboundError."""
        return await self._ask("GET", url, headers, None)

    async def post(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Raises OutboundError."""
        return await self._ask("POST", url, headers, form)

    async def close(self) -> None:
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def trusts(self, origin: str) -> bool:
        return origin in self._trusted

    async def _ask(
        self, method: str, url: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None
    ) -> Reply:
        is_trusted = self._check(url)
        wanted = {"Accept": "application/json", **(headers or {})}
        try:
            async with (
                asyncio.timeout(PATIENCE_S),
                self._session(is_trusted).request(
                    method, url, headers=wanted, data=form, allow_redirects=False
                ) as answer,
            ):
                return Reply(answer.status, await _read(answer.content))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise OutboundError(f"{urlsplit(url).hostname}: {type(error).__name__}: {error}"[:300]) from error

    def _check(self, url: str) -> bool:
        """Whether it is one of the operator's. Raises OutboundError."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise OutboundError("this is no address") from error
        if f"{parts.scheme}://{parts.netloc}" in self._trusted:
            return True
        if parts.scheme != "https" or not host or parts.username is not None:
            raise OutboundError("only https is asked")
        if port not in (None, 443):
            raise OutboundError("only the usual port is asked")
        # A name that is an address is never resolved.
        literal = _parse(host)
        if literal is not None and not is_public(literal):
            raise OutboundError("this address is not public")
        return False

    def _session(self, is_trusted: bool) -> aiohttp.ClientSession:
        if is_trusted not in self._sessions:
            resolver = self._resolver or ThreadedResolver()
            connector = aiohttp.TCPConnector(
                resolver=resolver if is_trusted else PublicOnly(resolver),
                use_dns_cache=False,
                force_close=True,
            )
            self._sessions[is_trusted] = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                headers={"User-Agent": "Parola", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=PATIENCE_S),
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
        for one in found:
            address = _parse(one["host"])
            if address is None or not is_public(address):
                raise OSError("this name leads to an address that is not public")
        return found

    async def close(self) -> None:
        await self._inner.close()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Neither loopback nor private, link-local, shared, multicast or reserved; of IPv6 also not what carries such an
    IPv4 address in it."""
    if isinstance(address, ipaddress.IPv6Address):
        carried = _carried(address)
        if carried is not None:
            return False if address in _TEREDO else is_public(carried)
        if address.is_site_local:
            return False
    return address.is_global and not address.is_multicast and not address.is_reserved


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _6TO4:
        return address.sixtofour
    if address in _TEREDO:
        return ipaddress.IPv4Address(0)
    if address in _NAT64 or int(address) >> 32 == 0:  # the latter: IPv4-compatible, RFC 4291, 2.5.5.1
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return None


def _parse(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # What C's resolver takes for an address as well: 127.1, 0x7f000001, 2130706433.
        return ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        return None


async def _read(content: aiohttp.StreamReader) -> bytes:
    """Raises ValueError for what does not end."""
    found = bytearray()
    async for part in content.iter_chunked(1 << 16):
        found += part
        if len(found) > MOST_BYTES:
            raise ValueError("the answer is too long")
    return bytes(found)
