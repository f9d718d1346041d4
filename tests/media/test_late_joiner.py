"""Who joins after hours: their stream begins anew, so that SRTP's roll-over counter, which begins at 0, fits it."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import numpy as np
import pytest

from parola.media.fanout import Sender, plain
from parola.rtp.dtls import SrtpKeys
from parola.rtp.rtp import RtpPacket
from parola.rtp.srtp import Inbound, Outbound

SPEECH = bytes([31 << 3]) + b"speech"
STEP = 200
"""Packets that fit into a receive buffer."""


class Line:
    """A listener's slot, and a receiver that has been there from the stream's first packet."""

    def __init__(self, sender: Sender, fd: int, seed: bytes) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.setblocking(False)
        keys = SrtpKeys("SRTP_AEAD_AES_128_GCM", seed * 28, b"x" * 28)
        self._inbound = Inbound(SrtpKeys(keys.profile, keys.remote, keys.local))
        self.slot = sender.add(Outbound(keys, 1234), 1234, 16_000, 5000)
        sender.move(self.slot, fd, self.sock.getsockname())
        self.heard = 0

    def listen(self) -> None:
        while True:
            try:
                datagram = self.sock.recv(2048)
            except BlockingIOError:
                return
            assert RtpPacket.parse(self._inbound.unprotect(datagram)).payload == SPEECH
            self.heard += 1


@pytest.fixture
def outlet() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        yield sock


async def test_a_listener_who_joins_after_70_000_packets_decrypts_everything_and_so_does_the_first(
    outlet: socket.socket,
) -> None:
    sender = Sender(plain.WORKER)
    sender.start()
    try:
        lines = [Line(sender, outlet.fileno(), b"1")]
        for begin in range(1, 70_401, STEP):
            if begin == 70_001:
                lines.append(Line(sender, outlet.fileno(), b"2"))
            members = np.array([line.slot for line in lines], np.int32)
            for tick in range(begin, begin + STEP):
                sender.send(members, SPEECH, 111, tick, 1, False)
            await sender.flush()
            for line in lines:
                line.listen()
    finally:
        sender.stop()
        for line in lines:
            line.sock.close()
    assert [line.heard for line in lines] == [70_400, 400]
