"""What only the real bus can get wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from parola.bus import BusUnavailable, Message
from parola.bus.nats import NatsBus
from tests.bus.server import TOKEN, NatsServer


async def test_connecting_waits_for_the_server(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    server.kill()
    connecting = asyncio.create_task(NatsBus.connect(server.url, TOKEN))
    await asyncio.sleep(0)
    server.start()
    async with asyncio.timeout(10):
        bus = await connecting
    assert bus.connected
    await bus.close()
    server.kill()


async def test_a_closed_bus_refuses(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    bus = await NatsBus.connect(server.url, TOKEN)
    await bus.close()
    assert not bus.connected
    with pytest.raises(BusUnavailable):
        await bus.publish("media.gone", b"")
    await bus.close()
    server.kill()


async def test_what_is_too_large_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    server = NatsServer(tmp_path)
    server.start()
    bus = await NatsBus.connect(server.url, TOKEN)
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def handle(message: Message) -> None:
        heard.put_nowait(message.data)

    await bus.subscribe("media.gone", handle)
    with pytest.raises(BusUnavailable):
        await bus.publish("media.gone", bytes(2 << 20))
    await bus.publish("media.gone", b"small")
    async with asyncio.timeout(5):
        assert await heard.get() == b"small"
    await bus.close()
    server.kill()
