"""The network's decisions without any time, and the relay with real datagrams."""

from __future__ import annotations

import asyncio
import random
import socket
from itertools import groupby, pairwise

from fire.relay import Bursts, Conditions, Network, Place, relay
from tests.e2e.house import eventually

MANY = 20_000
ANSWER = "\r\n".join(
    [
        "v=0",
        "a=candidate:1 1 udp 2130706431 {host} {port} typ host",
        "a=candidate:2 1 udp 2130706175 192.0.2.1 7882 typ host",
        "a=end-of-candidates",
        "",
    ]
)


def fates(conditions: Conditions, seed: int = 1, count: int = MANY) -> list[list[float]]:
    """Of packets every 20 ms."""
    network = Network(conditions, random.Random(seed))
    return [network.fate(n * 0.02) for n in range(count)]


def test_a_perfect_network_delivers_each_packet_once_and_at_once() -> None:
    assert fates(Conditions(), count=50) == [[n * 0.02] for n in range(50)]


def test_random_loss_loses_that_share() -> None:
    lost = sum(not fate for fate in fates(Conditions(loss=0.3)))
    assert 0.28 < lost / MANY < 0.32


def test_the_same_seed_gives_the_same_network_and_another_one_another() -> None:
    conditions = Conditions(loss=0.3, jitter=0.05, reordered=0.1, duplicated=0.1, bursts=Bursts(0.05, 0.2))
    assert fates(conditions, seed=7) == fates(conditions, seed=7)
    assert fates(conditions, seed=7) != fates(conditions, seed=8)


def test_loss_in_bursts_loses_as_much_in_longer_runs() -> None:
    bursts = Bursts(begin=0.05, end=0.25)
    lost = [not fate for fate in fates(Conditions(bursts=bursts))]
    runs = [len(list(run)) for is_lost, run in groupby(lost) if is_lost]
    assert abs(sum(lost) / MANY - bursts.average) < 0.02
    assert 3.5 < sum(runs) / len(runs) < 4.5, "a burst lasts 1/end packets"
    even = [not fate for fate in fates(Conditions(loss=bursts.average))]
    single = [len(list(run)) for is_lost, run in groupby(even) if is_lost]
    assert sum(single) / len(single) < 1.4


def test_jitter_delays_by_up_to_its_size_and_keeps_the_order() -> None:
    arrivals = [at for (at,) in fates(Conditions(delay=0.1, jitter=0.05))]
    waits = [at - n * 0.02 for n, at in enumerate(arrivals)]
    assert 0.1 <= min(waits) < 0.11
    assert 0.14 < max(waits) <= 0.15
    assert all(a <= b for a, b in pairwise(arrivals))


def test_reordered_packets_are_overtaken_and_the_others_are_not() -> None:
    arrivals = [at for (at,) in fates(Conditions(reordered=0.1, behind=0.05))]
    late = [at - n * 0.02 > 0.049 for n, at in enumerate(arrivals)]
    assert 0.08 < sum(late) / MANY < 0.12
    assert all(at == n * 0.02 for n, at in enumerate(arrivals) if not late[n])
    assert sum(a > b for a, b in pairwise(arrivals)) > 0.08 * MANY


def test_duplicates_come_twice() -> None:
    counts = [len(fate) for fate in fates(Conditions(duplicated=0.2))]
    assert set(counts) == {1, 2}
    assert 0.18 < (sum(counts) - MANY) / MANY < 0.22


def test_one_condition_does_not_change_the_dice_of_another() -> None:
    plain = fates(Conditions(loss=0.3), count=500)
    jittery = fates(Conditions(loss=0.3, jitter=0.02, duplicated=0.5), count=500)
    assert [not fate for fate in plain] == [not fate for fate in jittery]


class Server:
    """Echoes each datagram with the port that it came from."""

    def __init__(self) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        self.sock.bind(("127.0.0.1", 0))
        self.seen: list[Place] = []

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            datagram, client = await loop.sock_recvfrom(self.sock, 2048)
            self.seen.append(client)
            await loop.sock_sendto(self.sock, datagram + f" {client[1]}".encode(), client)

    def answer(self) -> str:
        host, port = self.sock.getsockname()
        return ANSWER.format(host=host, port=port)


async def test_a_client_reaches_the_server_and_its_address_can_change() -> None:
    loop, server = asyncio.get_running_loop(), Server()
    serving = asyncio.create_task(server.serve())
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setblocking(False)
    try:
        async with relay() as between:
            answer = between.behind(server.answer())
            host, port = between.place
            assert f"a=candidate:1 1 udp 2130706431 {host} {port} typ host\r\n" in answer
            assert "192.0.2.1" not in answer
            assert answer.endswith("a=end-of-candidates\r\n")
            echoes = []
            for word in (b"one", b"two"):
                await loop.sock_sendto(client, word, between.place)
                echoes.append(await asyncio.wait_for(loop.sock_recv(client, 2048), 5))
                between.rebind()
            assert [e.split()[0] for e in echoes] == [b"one", b"two"]
            assert len(set(server.seen)) == 2
            await loop.sock_sendto(server.sock, b"to the old address", server.seen[0])
            await loop.sock_sendto(client, b"three", between.place)
            assert (await asyncio.wait_for(loop.sock_recv(client, 2048), 5)).startswith(b"three")
            between.up = Conditions(loss=1.0)
            await loop.sock_sendto(client, b"four", between.place)
            await eventually(lambda: between.counts["up_sent"] == 4)
            assert between.counts["up_lost"] == 1
            assert len(server.seen) == 3
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        client.close()
        server.sock.close()
