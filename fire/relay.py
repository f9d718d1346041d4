"""A network between one client and the server, as bad as one likes: a UDP relay in user space, since not every kernel
can spoil its own packets.

What happens to a packet is decided by `Network`, which is pure: the time comes in, and out come the times at which
copies of the packet arrive. `Relay` moves the bytes. A client finds the server behind it by the candidate in the SDP
answer, which `Relay.behind` rewrites; both ways have conditions of their own, which may change at any time.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial

Place = tuple[str, int]
_CANDIDATE = "a=candidate:"
_READ = 64


@dataclass(frozen=True, slots=True)
class Bursts:
    """Loss after Gilbert and Elliott: a good state without loss and a bad one. Per packet: how likely the bad one
    begins and ends, and how likely a packet is lost in it."""

    begin: float
    end: float
    loss: float = 1.0

    @property
    def average(self) -> float:
        """The share lost in the long run."""
        return self.begin / (self.begin + self.end) * self.loss


@dataclass(frozen=True, slots=True)
class Conditions:
    """Times in seconds, the rest shares of all packets. Jitter queues packets and keeps their order, as routers do;
    a reordered packet alone is held back by `behind`, so that those after it overtake."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    bursts: Bursts | None = None
    reordered: float = 0.0
    behind: float = 0.03
    duplicated: float = 0.0


class Network:
    """One direction. The same dice and times give the same fates."""

    def __init__(self, conditions: Conditions, dice: random.Random) -> None:
        self.conditions = conditions
        self._dice = dice
        self._is_bad = False
        self._last = float("-inf")

    def fate(self, now: float) -> list[float]:
        """When each copy of a packet that is sent now arrives; none for one that is lost."""
        conditions, dice = self.conditions, self._dice
        # Every packet throws all dice, so that a change of one condition does not change what the others do.
        lost, slow, overtaken, twice = (dice.random() for _ in range(4))
        if self._is_lost_in_burst() or lost < conditions.loss:
            return []
        at = now + conditions.delay + conditions.jitter * slow
        if overtaken < conditions.reordered:
            arrivals = [at + conditions.behind]
        else:
            self._last = at = max(at, self._last)
            arrivals = [at]
        return arrivals * 2 if twice < conditions.duplicated else arrivals

    def _is_lost_in_burst(self) -> bool:
        change, lost = self._dice.random(), self._dice.random()
        bursts = self.conditions.bursts
        if bursts is None:
            self._is_bad = False
            return False
        self._is_bad = change >= bursts.end if self._is_bad else change < bursts.begin
        return self._is_bad and lost < bursts.loss


class Relay:
    """Made by `relay`. `up` is towards the server, `down` towards the client; `counts` says what became of packets."""

    def __init__(self, up: Conditions, down: Conditions, seed: int) -> None:
        self._up, self._down = (
            Network(c, random.Random(f"{seed}{way}")) for c, way in ((up, "up"), (down, "down"))
        )
        self.counts: Counter[str] = Counter()
        self._server: Place | None = None
        self._front = _open()
        self._ways: dict[Place, socket.socket] = {}
        """By the client's address (a browser tries several): the socket that the server sees it as."""
        self._retired: list[socket.socket] = []

    @property
    def place(self) -> Place:
        host, port = self._front.getsockname()
        return host, port

    @property
    def up(self) -> Conditions:
        return self._up.conditions

    @up.setter
    def up(self, conditions: Conditions) -> None:
        self._up.conditions = conditions

    @property
    def down(self) -> Conditions:
        return self._down.conditions

    @down.setter
    def down(self, conditions: Conditions) -> None:
        self._down.conditions = conditions

    def behind(self, answer: str) -> str:
        """The SDP answer with this relay as its one candidate; the server's own is where packets go on to."""
        lines = answer.splitlines(keepends=True)
        candidates = [line for line in lines if line.startswith(_CANDIDATE)]
        before, host, port, after = _parts(candidates[0])
        self._server = (host, port)
        moved = f"{before} {self.place[0]} {self.place[1]} {after}"
        return "".join(
            moved if line == candidates[0] else line for line in lines if line not in candidates[1:]
        )

    def rebind(self) -> None:
        """The client's address, as the server sees it, changes at once. What still goes to the old one vanishes: a
        router that has forgotten a mapping sends no word of it."""
        for client, sock in self._ways.items():
            asyncio.get_running_loop().remove_reader(sock.fileno())
            self._retired.append(sock)
            self._ways[client] = self._way(client)

    def start(self) -> None:
        asyncio.get_running_loop().add_reader(self._front.fileno(), self._from_client)

    def close(self) -> None:
        loop = asyncio.get_running_loop()
        for sock in (self._front, *self._ways.values(), *self._retired):
            loop.remove_reader(sock.fileno())
            sock.close()

    def _way(self, client: Place) -> socket.socket:
        sock = _open()
        asyncio.get_running_loop().add_reader(sock.fileno(), self._from_server, sock, client)
        return sock

    def _from_client(self) -> None:
        for datagram, client in _waiting(self._front):
            if client not in self._ways:
                self._ways[client] = self._way(client)
            self._pass("up", self._up, partial(self._to_server, datagram, client))

    def _from_server(self, sock: socket.socket, client: Place) -> None:
        for datagram, _ in _waiting(sock):
            self._pass("down", self._down, partial(_send, self._front, datagram, client))

    def _to_server(self, datagram: bytes, client: Place) -> None:
        """By the address that the client has when the packet leaves."""
        if self._server is not None:
            _send(self._ways[client], datagram, self._server)

    def _pass(self, way: str, network: Network, send: Callable[[], None]) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        arrivals = network.fate(now)
        self.counts[f"{way}_sent"] += 1
        self.counts[f"{way}_lost"] += not arrivals
        for at in arrivals:
            if at <= now:
                send()
            else:
                loop.call_at(at, send)


@contextlib.asynccontextmanager
async def relay(
    up: Conditions | None = None, down: Conditions | None = None, seed: int = 1
) -> AsyncIterator[Relay]:
    """For one client on 127.0.0.1."""
    made = Relay(up or Conditions(), down or Conditions(), seed)
    made.start()
    try:
        yield made
    finally:
        made.close()


def _parts(candidate: str) -> tuple[str, str, int, str]:
    """RFC 8839, section 5.1: foundation, component, transport, priority, address, port, and the rest."""
    fields = candidate.split(" ")
    return " ".join(fields[:4]), fields[4], int(fields[5]), " ".join(fields[6:])


def _open() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind(("127.0.0.1", 0))
    return sock


def _waiting(sock: socket.socket) -> list[tuple[bytes, Place]]:
    found = []
    with contextlib.suppress(BlockingIOError, ConnectionError):
        for _ in range(_READ):
            found.append(sock.recvfrom(4096))
    return found


def _send(sock: socket.socket, datagram: bytes, place: Place) -> None:
    with contextlib.suppress(OSError):  # closed since, or nobody there: lost, as on any network
        sock.sendto(datagram, place)
