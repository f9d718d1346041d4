"""What a crowd sends does not keep a tick waiting: reading stops when its slice of time is used up."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest

from parola.media.transport import _BATCH, _SLICE_S, Transport


@dataclass
class Clock:
    """Each look at it costs."""

    cost_s: float
    now: float = 0.0

    def __call__(self) -> float:
        self.now += self.cost_s
        return self.now


@pytest.mark.parametrize(("cost_s", "read"), [(0.0, _BATCH), (_SLICE_S / 4.5, 5), (_SLICE_S * 2, 1)])
def test_dear_datagrams_come_in_smaller_batches(cost_s: float, read: int) -> None:
    (sock,) = Transport.bind(["127.0.0.1"], 0)
    transport = Transport([sock], Clock(cost_s))
    with sock, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for _ in range(_BATCH + 10):
            sender.sendto(b"?", sock.getsockname())
        transport._readable(0, sock)
        assert transport.packets_in == read
        transport._readable(0, sock)  # the loop calls again for as long as there is something to read
        assert transport.packets_in == min(2 * read, _BATCH + 10)
