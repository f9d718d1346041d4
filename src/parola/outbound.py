"""Calls to servers whose address somebody else has given: never into this network, and with bounds of time and size.

The address that was looked at is the one that is connected to: the resolver itself leaves out what is not public, so
that a name which says something else a moment later leads nowhere. Nothing is followed that redirects.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

TIMEOUT_S = 10.0
"""For one call, from the name to the last byte."""
MOST_BYTES = 1 << 20
_LOOK_UP_S = 2.0
_CONNECTIONS = 100
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class OutboundError(Exception):
    """No answer, or one that is too long."""


class Refused(OutboundError):
    """An address that is not called at all."""


@dataclass(frozen=True, slots=True)
class Answer:
    """`headers` by their names in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def is_public(address: str) -> bool:
    """Whether an IP address, as text, is one that everybody on the internet has the same of. Addresses that carry an
    IPv4 address in them are judged by that one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return is_public(str(ip.ipv4_mapped))
        if ip in _NAT64:
            return is_public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
        if ip.sixtofour is not None or ip.teredo is not None:
            return False  # tunnels: where they end, nobody here can see
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified or ip.is_loopback)


class Outbound:
    """`loopback` is for tests: servers on this machine, without TLS, may be called as well."""

    def __init__(self, loopback: bool = False, trust: ssl.SSLContext | None = None) -> None:
        self._loopback = loopback
        self._trust = trust
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """Raises OutboundError."""
        self.check(url)
        try:
            async with self._open().post(
                url, data=body, headers=headers, allow_redirects=False, raise_for_status=False
            ) as answer:
                said = {name.lower(): value for name, value in answer.headers.items()}
                return Answer(answer.status, said, await _read(answer))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise OutboundError(f"{type(error).__name__}: {error}"[:300]) from error

    def check(self, url: str) -> None:
        """Raises Refused for what is not called whatever its name leads to."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as error:
            raise Refused(str(error)) from error
        near = self._loopback and _is_loopback(host)
        if parts.scheme != "https" and not (near and parts.scheme == "http"):
            raise Refused("only https is called")
        if not host or parts.username is not None or parts.password is not None:
            raise Refused("this is no server's address")
        if _is_numeric(host) and not near and not is_public(host):
            raise Refused("this address leads into this network")

    async def leads_inside(self, url: str) -> bool:
        """Whether the name in it leads, as of now, to no address but ones that are not called. A name that nobody knows
        at the moment is no verdict."""
        host = urlsplit(url).hostname or ""
        with contextlib.suppress(OSError, TimeoutError, UnicodeError):
            async with asyncio.timeout(_LOOK_UP_S):
                found = await asyncio.get_running_loop().getaddrinfo(host, 443, type=socket.SOCK_STREAM)
            return not any(self._may_call(str(info[4][0])) for info in found)
        return False

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _may_call(self, address: str) -> bool:
        return is_public(address) or (self._loopback and _is_loopback(address))

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=_Public(self._may_call),
                use_dns_cache=False,
                limit=_CONNECTIONS,
                ssl=self._trust or True,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small body may be a large one in disguise
                trust_env=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        return self._session


class _Public(AbstractResolver):
    """Names as the system knows them, without what must not be called."""

    def __init__(self, may_call: Callable[[str], bool]) -> None:
        self._system = aiohttp.ThreadedResolver()
        self._may_call = may_call

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        found = await self._system.resolve(host, port, family)
        public = [one for one in found if self._may_call(one["host"])]
        if not public:
            raise OSError(None, f"{host} leads into this network")
        return public

    async def close(self) -> None:
        await self._system.close()


async def _read(answer: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for part in answer.content.iter_any():
        body += part
        if len(body) > MOST_BYTES:
            raise OutboundError(f"the answer is longer than {MOST_BYTES} bytes")
    return bytes(body)


def _is_numeric(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    return _is_numeric(host) and ipaddress.ip_address(host.partition("%")[0]).is_loopback
