"""What others have named is called only where it is public, and not followed, waited for or read without end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import web
from aiohttp.abc import ResolveResult

from parola import outbound
from parola.outbound import MOST_BYTES, Outbound, OutboundError, Refused, is_public

INSIDE = (
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.1",
    "172.16.3.4",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "240.0.0.1",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::127.0.0.1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "192.0.2.1",
    "nowhere",
)


@pytest.mark.parametrize("address", INSIDE)
def test_what_is_of_this_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700::1111", "::ffff:1.1.1.1", "64:ff9b::808:808"]
)
def test_what_everybody_has_the_same_of_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "http://push.example/x",
        "ftp://push.example/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://169.254.169.254/latest/meta-data",
        "https://user:word@push.example/x",
        "https:///x",
        "https://[/x",
        "https://push.example:99999/x",
        "file:///etc/passwd",
        "",
    ],
)
async def test_some_addresses_are_not_called_whatever_their_name_says(url: str) -> None:
    client = Outbound()
    with pytest.raises(Refused):
        await client.post(url, b"", {})
    await client.close()


@pytest.mark.parametrize("answer", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1"])
async def test_a_name_that_leads_inside_is_not_connected_to(
    answer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens there: that it was refused, and not tried, is what the error says."""
    client = Outbound()
    monkeypatch.setattr("aiohttp.ThreadedResolver.resolve", _resolving(answer))
    with pytest.raises(OutboundError, match="leads into this network"):
        await client.post("https://rebinding.example/x", b"", {})
    await client.close()


async def test_a_number_in_other_clothes_is_a_name_like_any(monkeypatch: pytest.MonkeyPatch) -> None:
    client = Outbound()
    for url in ("https://localhost/x", "https://127.1/x", "https://0x7f000001/x", "https://2130706433/x"):
        with pytest.raises(OutboundError):
            await client.post(url, b"", {})
    await client.close()


async def test_whoever_asks_is_told_when_a_name_leads_inside() -> None:
    client = Outbound()
    assert await client.leads_inside("https://localhost/x")
    assert not await client.leads_inside("https://nobody-knows.invalid/x")
    assert not await Outbound(loopback=True).leads_inside("https://localhost/x")


async def test_a_redirection_is_an_answer_like_any() -> None:
    async def away(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://127.0.0.1:1/")

    async with serving(away) as url:
        client = Outbound(loopback=True)
        assert (await client.post(url, b"", {})).status == 302
        await client.close()


async def test_an_endless_answer_is_read_so_far_and_no_further() -> None:
    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        with contextlib.suppress(OSError):
            while True:
                await answer.write(b"x" * 65536)
        return answer

    async with serving(endless) as url:
        client = Outbound(loopback=True)
        with pytest.raises(OutboundError, match=str(MOST_BYTES)):
            await client.post(url, b"", {})
        await client.close()


async def test_who_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbound, "TIMEOUT_S", 0.05)
    released = asyncio.Event()

    async def silent(_: web.Request) -> web.Response:
        await released.wait()
        return web.Response()

    async with serving(silent) as url:
        client = Outbound(loopback=True)
        with pytest.raises(OutboundError):
            await client.post(url, b"", {})
        released.set()
        await client.close()


async def test_a_server_of_this_machine_answers_only_where_a_test_allows_it() -> None:
    async def fine(request: web.Request) -> web.Response:
        return web.Response(body=(await request.read())[::-1], headers={"X-Said": request.headers["X-Asked"]})

    async with serving(fine) as url:
        client = Outbound(loopback=True)
        answer = await client.post(url, b"abc", {"X-Asked": "yes"})
        assert (answer.status, answer.body, answer.headers["x-said"]) == (200, b"cba", "yes")
        await client.close()
        with pytest.raises(Refused):
            await Outbound().post(url, b"abc", {})


def _resolving(address: str) -> Callable[..., Awaitable[list[ResolveResult]]]:
    async def resolve(_: object, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    return resolve


@contextlib.asynccontextmanager
async def serving(handler: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/", handler)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    await runner.cleanup()
