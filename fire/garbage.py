"""10,000 datagrams of garbage a second, from a hundred addresses, at the port through which a room plays.

Strangers' traffic cannot be kept away from an open port; what counts is that it costs little, and that what is known
comes through beside it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import socket
import time
from pathlib import Path

from bench.figures import Figure, quantile, spread
from bench.peer import RawPeer
from bench.scene import live_room, peer
from fire.flood import Flooded, flood
from fire.neighbour import neighbour
from parola.client.api import Api
from parola.rtp.ice import Credentials, IceClient
from parola.rtp.rtp import RtpPacket
from tests.e2e.house import House, children, opened

RATE = 10_000
SECONDS = 30.0
ADDRESSES = 100
LISTENERS = 10
_JOIN_EVERY_S = 0.5
_CPU_TICKS = os.sysconf("SC_CLK_TCK")


async def garbage(folder: Path) -> list[Figure]:
    return await under_garbage(folder, RATE, SECONDS)


async def under_garbage(folder: Path, rate: int, seconds: float) -> list[Figure]:
    """`rate` datagrams a second for `seconds`."""
    house = House(folder)
    with opened(house), contextlib.ExitStack() as sockets:
        async with (
            neighbour(house.origin) as neighbours,
            live_room(house, "carl") as (_, (carl,)),
            contextlib.AsyncExitStack() as stack,
        ):
            room_id = neighbours.room_id
            listeners = [
                await stack.enter_async_context(peer(carl, room_id, "whep", with_red=False))
                for _ in range(LISTENERS)
            ]
            (media,) = children(house)["media"]
            quiet = await _cpu_share(media, min(5.0, seconds))
            first = [len(x.arrivals) for x in listeners]
            strangers = [sockets.enter_context(_stranger(n)) for n in range(ADDRESSES)]
            began, used = time.monotonic(), _cpu_seconds(media)
            server = ("127.0.0.1", house.udp_port)
            attack = asyncio.create_task(flood(server, strangers, datagrams(random.Random(4)), rate, seconds))
            joins = await _joins_during(attack, carl, room_id)
            flooded = attack.result()
            share = (_cpu_seconds(media) - used) / (time.monotonic() - began)
            await asyncio.sleep(0.5)
            lost = [_lost(listener, at) for listener, at in zip(listeners, first, strict=True)]
            answered = sum(_answers(stranger) for stranger in strangers)
        heard = await neighbours.end()
    assert flooded.sent > 0.9 * rate * seconds, f"the flood was too slow: {flooded}"
    sent = f"{flooded.sent} datagrams in {flooded.seconds:.1f} s, {answered} answered"
    cost = (share - quiet) / (flooded.sent / flooded.seconds) * 1e6
    return [
        Figure("garbage: listeners' loss", max(lost) * 100, "%", 0.1, f"worst of {LISTENERS}; {sent}"),
        Figure(
            "garbage: a new listener's first packet, p95", quantile(joins, 0.95), "s", 1.0, spread(joins, "s")
        ),
        Figure("garbage: datagrams answered", answered, "", 0, sent),
        Figure(
            "garbage: the media process's CPU for a datagram",
            cost,
            "µs",
            20,
            f"{quiet:.1%} of a core before, {share:.1%} meanwhile",
        ),
        heard.figure("garbage"),
    ]


NOBODY = Credentials("garbage", "nobody answers with it")


def datagrams(dice: random.Random, count: int = 5000) -> list[bytes]:
    """What scanners, attackers and lost clients send: nothing of it is for anybody here."""

    def check() -> bytes:
        ufrag, password = dice.randbytes(8).hex(), dice.randbytes(16).hex()
        return IceClient(
            ufrag,
            password,
            NOBODY,
            dice.randbytes(12),
            dice.getrandbits(60),
        ).request(0.0)

    def rtp() -> bytes:
        return RtpPacket(
            111,
            False,
            dice.getrandbits(16),
            dice.getrandbits(32),
            dice.getrandbits(32),
            payload=dice.randbytes(100),
        ).to_bytes()

    def hello() -> bytes:
        return b"\x16\xfe\xff" + bytes(8) + (300).to_bytes(2, "big") + b"\x01" + dice.randbytes(299)

    def noise() -> bytes:
        return dice.randbytes(dice.randrange(1, 1200))

    def truncated() -> bytes:
        whole = dice.choice((check, rtp, hello))()
        return whole[: dice.randrange(1, len(whole))]

    kinds = (noise, check, rtp, hello, truncated)
    return [kinds[i % len(kinds)]() for i in range(count)]


async def _joins_during(attack: asyncio.Task[Flooded], api: Api, room_id: str) -> list[float]:
    """Seconds from the call to the first packet of sound, again and again."""
    waits = []
    while not attack.done():
        began = time.monotonic()
        listener, heard = await RawPeer.connect(api, room_id, "whep", with_red=False), asyncio.Event()
        listener.on_arrival = lambda _, heard=heard: heard.set()  # type: ignore[misc]
        if not listener.arrivals:
            await heard.wait()
        waits.append(time.monotonic() - began)
        listener.close()
        await api.hang_up(listener.location)
        await asyncio.wait([attack], timeout=_JOIN_EVERY_S)
    return waits


def _lost(listener: RawPeer, first: int) -> float:
    """The share of the packets since the `first` that is missing by their numbers."""
    numbers = [a.packet.sequence for a in listener.arrivals[first:]]
    expected = max((n - numbers[0]) & 0xFFFF for n in numbers) + 1
    return 1 - len(set(numbers)) / expected


def _stranger(number: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((f"127.4.{number // 250}.{number % 250 + 1}", 0))
    return sock


def _answers(sock: socket.socket) -> int:
    count = 0
    with contextlib.suppress(BlockingIOError):
        while sock.recv(2048):
            count += 1
    return count


async def _cpu_share(pid: int, seconds: float) -> float:
    before = _cpu_seconds(pid)
    await asyncio.sleep(seconds)
    return (_cpu_seconds(pid) - before) / seconds


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _CPU_TICKS
