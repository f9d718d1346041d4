"""Row 14: who no longer shows that they want to receive gets nothing 30 s later, and holds no place (RFC 7675)."""

from __future__ import annotations

import asyncio
import socket
import struct
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.scene import live_room
from parola.media.identity import self_signed
from parola.media.peer import Peer
from parola.media.transport import Transport
from parola.rtp import demux
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import CONSENT_S, IceClient, IceLite
from tests.e2e.house import House, eventually, opened
from tests.hostile.callers import CALLER, Caller, attacked, figures, udp

pytestmark = [pytest.mark.waits, pytest.mark.e2e, pytest.mark.any_database, pytest.mark.timeout(120)]

_SO_TIMESTAMPNS = 35


@dataclass
class Deserted:
    """A listener who showed consent for the last time at `at`, in wall-clock seconds; `listeners` before they came."""

    caller: Caller
    at: float
    listeners: float

    def arrivals(self) -> list[tuple[float, bytes]]:
        """Everything that came: when, by the kernel's stamp, and what."""
        found = []
        while True:
            try:
                datagram, ancillary, _, _ = self.caller.sock.recvmsg(2048, 64)
            except BlockingIOError:
                return found
            seconds, nanos = struct.unpack("qq", ancillary[0][2][:16])
            found.append((seconds + nanos / 1e9, datagram))


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    with tempfile.TemporaryDirectory(prefix="parola-test-") as folder, opened(House(Path(folder))) as house:
        yield house


@pytest.fixture(scope="module")
def deserted(house: House) -> Iterator[Deserted]:
    """Made at the module's start, so that its 30 s pass while other tests run."""

    async def desert() -> Deserted:
        before = (await figures(house))["listeners"]
        async with live_room(house, "ada", "carl") as (room_id, (_, carl)):
            caller = await Caller.call(carl, room_id, "whep", "127.2.0.14")
            caller.sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            caller.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
            await caller.connect()
            await caller.prove()
            return Deserted(caller, time.time(), before)

    made = asyncio.run(desert())
    yield made
    made.caller.close()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Handler:
    """Only writes down."""

    def __init__(self) -> None:
        self.reasons: list[str] = []
        self.is_connected = False

    def connected(self, now: float) -> None:
        self.is_connected = True

    def rtp(self, packet: bytes, now: float) -> None: ...

    def rtcp(self, packet: bytes, now: float) -> None: ...

    def moved(self) -> None: ...

    def closed(self, reason: str) -> None:
        self.reasons.append(reason)


async def test_row_14_nothing_leaves_after_consent_not_even_a_goodbye(deserted: Deserted) -> None:
    """On real sockets, with a clock of our own: the last moment at which anything may be sent is exact."""
    clock, handler = Clock(), Handler()
    transport = Transport(Transport.bind(["127.0.0.1"], 0), clock)
    ours, theirs = Certificate(*self_signed()), Certificate(*self_signed())
    peers: list[Peer] = []
    peer = Peer(
        "connection", IceLite("server00", "a-password-of-22-letters", CALLER, b"secret"),
        Dtls(ours, "server", Fingerprint("sha-256", theirs.fingerprint)), handler,
        transport.sender(lambda: peers[0].socket_index), 1, clock.now,
    )  # fmt: skip
    peers.append(peer)
    transport.add(peer)
    transport.start()
    client = Caller(
        udp("127.0.0.1"), transport._sockets[0].getsockname(),
        IceClient("server00", "a-password-of-22-letters", CALLER, b"s" * 12, 1),
        Dtls(theirs, "client", Fingerprint("sha-256", ours.fingerprint)), 1, None,
    )  # fmt: skip
    try:
        await client.connect()
        await eventually(lambda: handler.is_connected)
        report, begin = bytes.fromhex("80c9000100000001"), clock.now
        clock.now = begin + CONSENT_S - 5
        peer.maintain(clock.now)
        before = transport.packets_out
        peer.send_rtcp(report)
        assert transport.packets_out == before + 1
        assert peer.place is not None
        sent = transport.packets_out
        clock.now = begin + CONSENT_S - 1  # once a second it is looked after; the next time would be too late
        peer.maintain(clock.now)
        assert handler.reasons == ["consent_expired"]
        assert transport.ended["consent_expired"] == 1
        assert peer.place is None, "whoever sends for this peer knows that it is over"
        peer.send_rtcp(report)
        peer.close("left")
        assert transport.packets_out == sent
    finally:
        transport.stop()
        client.close()


async def test_row_14_a_listener_without_consent_gets_nothing_and_holds_no_place(
    house: House, deserted: Deserted
) -> None:
    async with attacked(house, "ended_consent_expired") as scene:
        others = 2  # the neighbour's listener, and the one that this test adds
        await scene.ear()
        assert (await figures(house))["listeners"] == deserted.listeners + others + 1

        async def freed() -> bool:
            return (await figures(house))["listeners"] == deserted.listeners + others

        await eventually(freed, deserted.at + CONSENT_S + 5 - time.time())
        await asyncio.sleep(max(0.0, deserted.at + CONSENT_S + 2 - time.time()))
        arrivals = deserted.arrivals()
        media = [at for at, datagram in arrivals if demux.kind(datagram) == "rtp"]
        assert media[-1] > deserted.at + CONSENT_S / 2, "it was cut off long before"
        assert max(at for at, _ in arrivals) <= deserted.at + CONSENT_S
        # Its late check proves nothing to anybody any more.
        deserted.caller.send(deserted.caller.check())
        await scene.settle()
        assert deserted.arrivals() == []
