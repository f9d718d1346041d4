"""What is asked of others' servers, and what of none."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from parola import outbound
from parola.outbound import MOST_BYTES, Outbound, OutboundError, PublicOnly, is_public


class Names(AbstractResolver):
    """Each look-up gives the next of the answers."""

    def __init__(self, *answers: list[str]) -> None:
        self.asked = 0
        self._answers = answers

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(hostname=host, host=one, port=port, family=socket.AF_INET, proto=0, flags=0)
            for one in found
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        try:
            while True:
                await answer.write(b"x" * 65536)
        except ConnectionError:
            return answer

    async def slow(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"form": dict(await request.post()), "cookies": dict(request.cookies)})

    app = web.Application()
    app.router.add_get("/endless", endless)
    app.router.add_get("/slow", slow)
    app.router.add_get("/redirect", redirect)
    app.router.add_post("/echo", echo)
    server = TestServer(app)
    await server.start_server()
    yield server
    await server.close()


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Outbound]:
    client = Outbound({str(server.make_url("")).rstrip("/")})
    yield client
    await client.close()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "fe80::1", "fc00::1",
        "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1",
        "2002:7f00:1::", "2001:0:4136:e378:8000:63bf:80ff:fffe", "2001:db8::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_for_everybody(address: str) -> None:
    assert not is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:93.184.215.14"])
def test_addresses_that_are(address: str) -> None:
    assert is_public(ipaddress.ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "http://rooms.example/", "https://127.0.0.1/", "https://127.1/", "https://0x7f000001/", "https://2130706433/",
        "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://169.254.169.254/latest", "https://rooms.example:8443/",
        "https://somebody@rooms.example/", "ftp://rooms.example/", "file:///etc/passwd", "https:///", "https://[::1",
        "gopher://127.0.0.1:6379/_FLUSHALL",
    ],
)  # fmt: skip
async def test_what_nobody_asks(url: str) -> None:
    names = Names(["93.184.215.14"])
    client = Outbound(resolver=names)
    with pytest.raises(OutboundError):
        await client.get(url)
    assert names.asked == 0
    await client.close()


@pytest.mark.parametrize(
    "answer", [["127.0.0.1"], ["93.184.215.14", "10.0.0.1"], ["::ffff:127.0.0.1"], ["no address"]]
)
async def test_a_name_that_leads_inside_leads_nowhere(answer: list[str]) -> None:
    names = Names(answer)
    client = Outbound(resolver=names)
    with pytest.raises(OutboundError):
        await client.get("https://rooms.example/")
    assert names.asked == 1
    await client.close()


async def test_a_name_that_changes_its_mind_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was resolved is what is connected to: the second answer, inside, is never heard."""
    names = Names(["93.184.215.14"], ["127.0.0.1"])
    gone_to: list[Any] = []

    async def connect(_: Any, *args: Any, addr_infos: Any = None, **more: Any) -> Any:
        gone_to.extend(info[4][0] for info in addr_infos)
        raise ConnectionRefusedError

    monkeypatch.setattr("aiohttp.connector.TCPConnector._wrap_create_connection", connect)
    client = Outbound(resolver=names)
    with pytest.raises((OutboundError, ConnectionRefusedError)):
        await client.get("https://rooms.example/")
    assert (names.asked, gone_to) == (1, ["93.184.215.14"])
    await client.close()


async def test_the_resolver_passes_on_what_is_public() -> None:
    found = await PublicOnly(Names(["93.184.215.14"])).resolve("rooms.example", 443)
    assert [one["host"] for one in found] == ["93.184.215.14"]


async def test_an_answer_without_end_is_cut_off(client: Outbound, server: TestServer) -> None:
    with pytest.raises(OutboundError, match="too long"):
        await client.get(str(server.make_url("/endless")))
    assert MOST_BYTES == 1 << 20


async def test_nobody_is_waited_for_longer(
    client: Outbound, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "PATIENCE_S", 0.05)
    with pytest.raises(OutboundError):
        await client.get(str(server.make_url("/slow")))


async def test_a_redirect_is_an_answer_and_no_way(client: Outbound, server: TestServer) -> None:
    reply = await client.get(str(server.make_url("/redirect")))
    assert reply.status == 302


async def test_a_form_goes_out_and_no_cookie_stays(client: Outbound, server: TestServer) -> None:
    reply = await client.post(str(server.make_url("/echo")), {"a": "ü"})
    assert reply.json() == {"form": {"a": "ü"}, "cookies": {}}


async def test_what_the_operator_has_not_named_stays_closed(client: Outbound, server: TestServer) -> None:
    with pytest.raises(OutboundError):
        await client.get(f"http://localhost:{server.port}/redirect")
