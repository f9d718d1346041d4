"""A sender, with each of its two workers: what arrives at a real socket, opened by libsrtp."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from parola.media.fanout import Sender, SenderFull, plain, sender, workers
from parola.media.fanout.layout import BATCH, LARGEST_PAYLOAD, RING, State, Worker
from parola.rtp import rtcp
from parola.rtp.dtls import PROFILES, SrtpKeys
from parola.rtp.rtp import RtpPacket
from parola.rtp.srtp import Inbound, Outbound, Srtp, SrtpError
from parola.rtp.srtp_keys import SessionKeys, session_keys

GCM = "SRTP_AEAD_AES_128_GCM"
COMPILED = workers.choose(True, Path(".cache/compiled"))


@pytest.fixture(params=["plain", "compiled", "compiled, at once"])
def worker(request: pytest.FixtureRequest) -> Worker:
    if request.param == "plain":
        return plain.WORKER
    assert COMPILED is not plain.WORKER, "numba is one of the dependencies"
    return COMPILED if "at once" in request.param else Worker(COMPILED.thread)


@asynccontextmanager
async def running(worker: Worker) -> AsyncIterator[Sender]:
    tested = Sender(worker)
    tested.start()
    try:
        yield tested
    finally:
        tested.stop()


_opened: list[socket.socket] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


def outlet(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    _opened.append(sock)
    sock.bind((host, 0))
    sock.setblocking(False)
    return sock


class Ear:
    """A listener's end: a socket and the keys to what it gets."""

    def __init__(self, ssrc: int, profile: str = GCM, host: str = "127.0.0.1") -> None:
        size = sum(PROFILES[profile])
        master = bytes((ssrc + n) % 256 for n in range(size))
        self.ssrc = ssrc
        self.keys = SrtpKeys(profile, master, master)
        self.inbound = Inbound(self.keys)
        self.socket = outlet(host)

    @property
    def handed(self) -> SessionKeys | Outbound:
        return session_keys(self.keys) or Outbound(self.keys, self.ssrc)

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.socket.getsockname()[:2]
        return host, port

    def datagrams(self) -> Iterator[bytes]:
        while True:
            try:
                yield self.socket.recv(2048)
            except BlockingIOError:
                return

    def packets(self) -> list[RtpPacket]:
        return [RtpPacket.parse(self.inbound.unprotect(datagram)) for datagram in self.datagrams()]

    def reports(self) -> list[list[rtcp.Packet]]:
        return [rtcp.parse_compound(self.inbound.unprotect_rtcp(datagram)) for datagram in self.datagrams()]


def members(*slots: int) -> np.ndarray[tuple[int], np.dtype[np.int32]]:
    return np.array(slots, np.int32)


@pytest.mark.parametrize("profile", PROFILES)
async def test_each_listener_gets_the_payload_under_keys_and_numbers_of_their_own(
    worker: Worker, profile: str
) -> None:
    ears, out = [Ear(7, profile), Ear(8, profile)], outlet()
    async with running(worker) as tested:
        slots = [tested.add(ear.handed, ear.ssrc, 100 * ear.ssrc, 5000) for ear in ears]
        for slot, ear in zip(slots, ears, strict=True):
            tested.move(slot, out.fileno(), ear.address)
        for tick in (10, 11, 14):
            tested.send(members(*slots), b"sound %d" % tick, 111, tick, 1, tick == 11)
        await tested.flush()
        assert tested.counts(slots[0])[0] == 3
    for ear in ears:
        got = ear.packets()
        assert [p.payload for p in got] == [b"sound 10", b"sound 11", b"sound 14"]
        assert [p.sequence for p in got] == [100 * ear.ssrc + n for n in range(3)]
        assert [p.timestamp for p in got] == [5000 + tick * 960 for tick in (10, 11, 14)]
        assert [p.marker for p in got] == [True, False, True], "where sound begins, and begins again"
        assert {(p.ssrc, p.payload_type) for p in got} == {(ear.ssrc, 111)}


@pytest.mark.parametrize("profile", PROFILES)
async def test_reports_and_goodbyes_are_opened_too(worker: Worker, profile: str) -> None:
    ear, out = Ear(7, profile), outlet()
    async with running(worker) as tested:
        slot = tested.add(ear.handed, ear.ssrc, 0, 0)
        tested.move(slot, out.fileno(), ear.address)
        tested.send(members(slot), bytes(50), 111, 3, 1, False)
        tested.send(members(slot), bytes(70), 111, 4, 1, False)
        await tested.flush()
        assert len(ear.packets()) == 2
        tested.report(members(slot), 5, 1 << 33, "a room")
        tested.send_rtcp(slot, rtcp.goodbye(ear.ssrc, "a room"))
        await tested.flush()
    report, goodbye = ear.reports()
    assert report[0] == rtcp.SenderReport(ear.ssrc, 1 << 33, 5 * 960, 2, 120)
    assert report[1] == rtcp.Sdes(ear.ssrc, "a room")
    assert goodbye[-1] == rtcp.Bye((ear.ssrc,))


async def test_the_roll_over_counter_follows_the_sequence_number(worker: Worker) -> None:
    ear, out = Ear(7), outlet()
    async with running(worker) as tested:
        slot = tested.add(ear.handed, ear.ssrc, 0xFFFE, 0)
        tested.move(slot, out.fileno(), ear.address)
        for tick in range(1, 6):
            tested.send(members(slot), b"%d" % tick, 111, tick, 1, False)
        await tested.flush()
    got = ear.packets()
    assert [p.sequence for p in got] == [0xFFFE, 0xFFFF, 0, 1, 2]
    assert [p.payload for p in got] == [b"1", b"2", b"3", b"4", b"5"]


async def test_no_tick_is_sent_twice_and_none_after_a_later_one(worker: Worker) -> None:
    ear, out = Ear(7), outlet()
    async with running(worker) as tested:
        slot = tested.add(ear.handed, ear.ssrc, 0, 0)
        tested.move(slot, out.fileno(), ear.address)
        tested.send(members(slot), b"5 to 7", 111, 5, 3, False)
        for tick in (5, 7, 4, 8):
            tested.send(members(slot), b"%d" % tick, 111, tick, 1, False)
        await tested.flush()
    assert [p.payload for p in ear.packets()] == [b"5 to 7", b"8"]


async def test_nothing_leaves_before_there_is_an_address_or_after_the_end(worker: Worker) -> None:
    ear, out = Ear(7), outlet()
    async with running(worker) as tested:
        slot = tested.add(ear.handed, ear.ssrc, 0, 0)
        tested.send(members(slot), b"early", 111, 1, 1, False)
        await tested.flush()
        tested.move(slot, out.fileno(), ear.address)
        tested.send(members(slot), b"heard", 111, 2, 1, False)
        tested.remove(slot)
        tested.send(members(slot), b"late", 111, 3, 1, False)
        await tested.flush()
        # Whoever gets the slot next starts anew, under other keys.
        other = Ear(8)
        again = tested.add(other.handed, other.ssrc, 9, 0)
        assert again == slot
        tested.move(again, out.fileno(), other.address)
        tested.send(members(again), b"new", 111, 1, 1, False)
        await tested.flush()
        assert tested.counts(again)[0] == 1
    assert [p.payload for p in ear.packets()] == [b"heard"]
    assert [(p.sequence, p.payload) for p in other.packets()] == [(9, b"new")]


async def test_a_listener_who_moves_is_followed_even_to_the_other_family(worker: Worker) -> None:
    first, second, out, out_6 = Ear(7), Ear(7, host="::1"), outlet(), outlet("::1")
    second.inbound = first.inbound
    async with running(worker) as tested:
        slot = tested.add(first.handed, 7, 0, 0)
        tested.move(slot, out.fileno(), first.address)
        tested.send(members(slot), b"here", 111, 1, 1, False)
        await tested.flush()
        tested.move(slot, out_6.fileno(), second.address)
        tested.send(members(slot), b"there", 111, 2, 1, False)
        await tested.flush()
    assert [p.payload for p in first.packets()] == [b"here"]
    assert [p.payload for p in second.packets()] == [b"there"]


async def test_more_than_a_batch_the_largest_payload_and_sockets_in_between(worker: Worker) -> None:
    ears, outs = [Ear(n) for n in range(1, 2 * BATCH + 10)], (outlet(), outlet())
    payload = bytes(n % 251 for n in range(LARGEST_PAYLOAD))
    async with running(worker) as tested:
        slots = []
        for n, ear in enumerate(ears):
            slots.append(tested.add(ear.handed, ear.ssrc, 0, 0))
            tested.move(slots[-1], outs[n // 7 % 2].fileno(), ear.address)
        tested.send(members(*slots), payload, 63, 1, 6, False)
        await tested.flush()
        assert tested.total(State.SENT) == len(ears)
        assert tested.total(State.SENT_BYTES) == len(ears) * 1200
        assert tested.total(State.REFUSED) == 0
    assert all([p.payload for p in ear.packets()] == [payload] for ear in ears)


async def test_a_destination_that_cannot_be_reached_costs_the_others_nothing(worker: Worker) -> None:
    ears, out = [Ear(7), Ear(8), Ear(9)], outlet()
    async with running(worker) as tested:
        slots = [tested.add(ear.handed, ear.ssrc, 0, 0) for ear in ears]
        for slot, ear in zip(slots, ears, strict=True):
            # A socket that is bound to loopback has no way to the world (EINVAL).
            tested.move(slot, out.fileno(), ("192.0.2.1", 9) if ear is ears[1] else ear.address)
        tested.send(members(*slots), b"sound", 111, 1, 1, False)
        await tested.flush()
        assert tested.total(State.UNSENT_ERROR) == 1
    assert [[p.payload for p in ear.packets()] for ear in ears] == [[b"sound"], [], [b"sound"]]


async def test_both_workers_make_the_same_datagrams() -> None:
    wire = []
    for worker in (plain.WORKER, Worker(COMPILED.thread), COMPILED):
        ear, out = Ear(7), outlet()
        async with running(worker) as tested:
            slot = tested.add(ear.handed, ear.ssrc, 0xFFFD, 4_294_960_000)
            tested.move(slot, out.fileno(), ear.address)
            for tick in range(1, 9):
                tested.send(members(slot), bytes([tick]) * tick * 31, 111 - tick, tick, 1, tick % 3 == 0)
                tested.report(members(slot), tick, tick << 40, "x" * tick)
            await tested.flush()
        wire.append(list(ear.datagrams()))
    assert len(wire[0]) == 16
    assert wire[0] == wire[1] == wire[2]


async def test_a_ring_that_is_full_drops_counts_and_recovers() -> None:
    def asleep(memory: object, told: int, tell: int) -> None:
        return

    tested = Sender(Worker(asleep))
    tested.start()
    for tick in range(RING + 5):
        tested.send(members(0), b"", 111, tick, 1, False)
    assert tested.dropped >= 5
    tested.stop()


async def test_a_sender_says_when_it_is_full(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "SLOTS", 2)
    async with running(worker) as tested:
        ear = Ear(7)
        slots = [tested.add(ear.handed, 7, 0, 0) for _ in range(2)]
        with pytest.raises(SenderFull):
            tested.add(ear.handed, 7, 0, 0)
        tested.remove(slots[0])
        await tested.flush()
        assert tested.add(ear.handed, 7, 0, 0) == slots[0]


def test_keys_are_handed_over_once_and_not_used_beside() -> None:
    handed = Srtp(Ear(7).keys)
    handed.hand_over()
    with pytest.raises(SrtpError):
        handed.hand_over()
    with pytest.raises(SrtpError):
        handed.protect_rtcp(rtcp.goodbye(7, "x"))
    used = Srtp(Ear(7).keys)
    used.protect_rtcp(rtcp.goodbye(7, "x"))
    with pytest.raises(SrtpError):
        used.hand_over()


async def test_waiting_for_a_sender_that_was_stopped_ends() -> None:
    tested = Sender(plain.WORKER)
    tested.start()
    tested.stop()
    await asyncio.wait_for(tested.flush(), 1)
    assert not tested.is_running
