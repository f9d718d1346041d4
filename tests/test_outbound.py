"""What others have named is called only where it is public, and not followed, waited for or read without end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from parola import outbound
from parola.outbound import MOST_BYTES, Outbound, OutboundError, PublicOnly, Refused, is_public

INSIDE = (
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.0.0.1", "10.1.2.3", "172.16.0.1", "172.16.3.4", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255",
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12:3456::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::8.8.8.8", "64:ff9b::127.0.0.1", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:808:808::", "2001:0:4136:e378:8000:63bf:80ff:fffe",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "nowhere", "",
)  # fmt: skip
OUTSIDE = (
    "1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700::1111", "2606:2800:21f:cb07::1", "::ffff:1.1.1.1",
    "::ffff:93.184.215.14", "64:ff9b::808:808",
)  # fmt: skip
NOT_CALLED = (
    "https://１２７.0.0.1/",
    "https://①②⑦.⓪.⓪.①/",
    "http://rooms.example/", "https://127.0.0.1/", "https://127.1/", "https://0x7f000001/", "https://2130706433/",
    "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/x", "https://169.254.169.254/latest",
    "https://rooms.example:8443/", "https://rooms.example:99999/", "https://somebody@rooms.example/",
    "https://user:word@rooms.example/", "ftp://rooms.example/", "file:///etc/passwd", "https:///", "https://[::1",
    "gopher://127.0.0.1:6379/_FLUSHALL", "",
)  # fmt: skip


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
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET6 if ":" in one else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for one in found
        ]

    async def close(self) -> None:
        pass


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    released = asyncio.Event()

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(OSError):
            while True:
                await answer.write(b"x" * 65536)
        return answer

    async def slow(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async def redirect(_: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://169.254.169.254/latest/meta-data"})

    async def echo(request: web.Request) -> web.Response:
        return web.json_response({"form": dict(await request.post()), "cookies": dict(request.cookies)})

    async def backwards(request: web.Request) -> web.Response:
        return web.Response(body=(await request.read())[::-1], headers={"X-Said": request.headers["X-Asked"]})

    app = web.Application()
    app.router.add_get("/endless", endless)
    app.router.add_get("/slow", slow)
    app.router.add_route("*", "/redirect", redirect)
    app.router.add_post("/echo", echo)
    app.router.add_post("/backwards", backwards)
    server = TestServer(app)
    await server.start_server()
    yield server
    released.set()
    await server.close()


@pytest.fixture
async def client(server: TestServer) -> AsyncIterator[Outbound]:
    client = Outbound({str(server.make_url("")).rstrip("/")})
    yield client
    await client.close()


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_of_this_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", OUTSIDE)
def test_what_everybody_has_the_same_of_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("url", NOT_CALLED)
async def test_some_addresses_are_not_called_whatever_their_name_says(url: str) -> None:
    names = Names(["93.184.215.14"])
    client = Outbound(resolver=names)
    for asking in (client.get(url), client.post(url, b"", {}), client.post(url, {"a": "b"})):
        with pytest.raises(Refused):
            await asking
    with pytest.raises(Refused):
        client.check(url)
    assert names.asked == 0
    await client.close()


@pytest.mark.parametrize(
    "answer",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["::1"],
        ["93.184.215.14", "10.0.0.1"],
        ["::ffff:127.0.0.1"],
        ["no address"],
    ],
)
async def test_a_name_that_leads_inside_leads_nowhere(answer: list[str]) -> None:
    """Nobody listens there: that it was refused, and not tried, is what the error says."""
    names = Names(answer)
    client = Outbound(resolver=names)
    with pytest.raises(OutboundError, match="leads into this network"):
        await client.get("https://rooms.example/")
    assert names.asked == 1
    assert await client.leads_inside("https://rooms.example/")
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


async def test_whoever_asks_is_told_when_a_name_leads_inside() -> None:
    client = Outbound()
    assert await client.leads_inside("https://localhost/x")
    assert not await client.leads_inside("https://nobody-knows.invalid/x")
    assert not await Outbound(resolver=Names(["93.184.215.14"])).leads_inside("https://rooms.example/x")
    assert not await Outbound({"https://localhost"}).leads_inside("https://localhost/x")


async def test_an_endless_answer_is_read_so_far_and_no_further(client: Outbound, server: TestServer) -> None:
    with pytest.raises(OutboundError, match=f"too long.*{MOST_BYTES}"):
        await client.get(str(server.make_url("/endless")))
    assert MOST_BYTES == 1 << 20


async def test_who_does_not_answer_is_not_waited_for(
    client: Outbound, server: TestServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "TIMEOUT_S", 0.05)
    with pytest.raises(OutboundError):
        await client.get(str(server.make_url("/slow")))


async def test_a_redirection_is_an_answer_like_any(client: Outbound, server: TestServer) -> None:
    url = str(server.make_url("/redirect"))
    assert ((await client.get(url)).status, (await client.post(url, b"", {})).status) == (302, 302)


async def test_a_form_goes_out_and_no_cookie_stays(client: Outbound, server: TestServer) -> None:
    answer = await client.post(str(server.make_url("/echo")), {"a": "ü"})
    assert answer.json() == {"form": {"a": "ü"}, "cookies": {}}


async def test_bytes_go_out_as_they_are(client: Outbound, server: TestServer) -> None:
    answer = await client.post(str(server.make_url("/backwards")), b"abc", {"X-Asked": "yes"})
    assert (answer.status, answer.body, answer.headers["x-said"]) == (200, b"cba", "yes")
    with pytest.raises(OutboundError, match="no JSON"):
        answer.json()


async def test_what_the_operator_has_not_named_stays_closed(client: Outbound, server: TestServer) -> None:
    for url in (f"http://localhost:{server.port}/redirect", f"https://127.0.0.1:{server.port}/redirect"):
        with pytest.raises(Refused):
            await client.get(url)
    with pytest.raises(Refused):
        await Outbound().post(str(server.make_url("/backwards")), b"abc", {})
