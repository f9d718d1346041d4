"""The peers themselves, heard by the bench's own listeners: all that is offered is delivered, and it is sound.

Only with PAROLA_PEERS=1: they are large, take minutes to build or root to install, and say nothing about Parola.
"""

import asyncio
import os

import pytest

from bench.listeners.crowd import gathered
from bench.listeners.peers import SERVERS
from bench.listeners.peers.http_crowd import reading
from bench.listeners.signalling import HttpStream, NotRun
from bench.listeners.stage import talking

LISTENERS = 20

pytestmark = [
    pytest.mark.alone,
    pytest.mark.e2e,
    pytest.mark.any_database,
    pytest.mark.timeout(3600),
    pytest.mark.skipif(
        not os.environ.get("PAROLA_PEERS"), reason="PAROLA_PEERS=1 starts the servers of others"
    ),
]


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("speakers", [1, 10])
async def test_it_is_heard(tmp_path, name, speakers):
    server = SERVERS[name]()
    try:
        await server.start(tmp_path)
        room = await server.room(speakers)
        if speakers > 1 and room.streams == 1:
            pytest.skip("it has one stream, whoever speaks")
        async with talking((room, speakers)):
            await listen(room)
        await room.close()
    except NotRun as why:
        pytest.skip(f"{server.name}: not run: {why}")
    finally:
        await server.stop()


async def listen(room) -> None:
    way = room.listening()
    listeners = LISTENERS // room.streams
    async with (
        reading(way.url) if isinstance(way, HttpStream) else gathered(listeners, room.streams) as crowd
    ):
        joins = await crowd.join([way] * listeners, 25.0)
        await crowd.first_packets()
        assert [join.failure for join in joins if join.failure] == []
        assert all(join.first_packet_at for join in joins)
        await crowd.begin()
        await asyncio.sleep(4)
        found = (await crowd.end(room.streams)).delivered
        assert found.streams == listeners * room.streams
        assert (found.missing, found.silent_streams, found.duplicates) == (0, 0, 0)
        assert found.loss < 0.001
        sample = await crowd.sample()
        assert sample.is_sound
        assert sample.decoded > 0.99
