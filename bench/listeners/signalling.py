"""What a server under test has to offer, so that all are measured by the same listeners, the same source and the same
counting: how it is started, who may be charged for it, and how a client gets from its own SDP to the server's.

Signalling runs in the bench's own process, packets in two others (`generator`, `source`): none of it is charged to the
server. On either side of a join stands only what ICE, DTLS and RTP need; the SDP in between is the server's own affair.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

Address = tuple[str, int]


class NotRun(Exception):
    """A server that cannot be measured here; the message says why, in a few words for its row of the table."""


@dataclass(frozen=True, slots=True)
class Local:
    """One client of ours. It has one host candidate, `address`, is always the DTLS client (an offer says `actpass` or
    `active`, an answer `active`), and multiplexes RTP and RTCP. `fingerprint` is by sha-256 (`AB:CD:…`); `ssrc` stands
    in its RTCP and, where it speaks, in its RTP."""

    ufrag: str
    password: str
    fingerprint: str
    address: Address
    ssrc: int


@dataclass(frozen=True, slots=True)
class Remote:
    """The server's end, out of its SDP: the transport of all streams of that connection. `addresses` are its UDP
    candidates in order of preference. `controlling`: whether we control (the server is lite, or we offered; RFC 8445,
    section 6.1.1). `level_id`: number of the audio-level extension (RFC 6464) towards the server, if agreed on."""

    ufrag: str
    password: str
    addresses: tuple[Address, ...]
    fingerprint: str
    algorithm: str = "sha-256"
    controlling: bool = True
    opus_pt: int = 111
    red_pt: int | None = None
    level_id: int | None = None


class Signalling(Protocol):
    """How clients of one kind, those who listen or one who speaks, come into one room of a server."""

    async def join(self, local: Local) -> tuple[Remote, object]:
        """The server's end, and a handle to leave with. Raises what it likes: the join then counts as refused."""
        ...

    async def leave(self, handle: object) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class PlainRtp:
    """A speaker's packets go here as they are, without ICE, DTLS and SRTP."""

    address: Address
    opus_pt: int = 111


@dataclass(frozen=True, slots=True)
class HttpSource:
    """A speaker's packets go here by PUT, as an endless Ogg Opus stream in pages of so many milliseconds."""

    url: str
    user: str
    password: str
    page_ms: int = 1000


@dataclass(frozen=True, slots=True)
class HttpStream:
    """Listeners read this with GET, and never end."""

    url: str


class Room(Protocol):
    """A room that is open. `streams`: how many RTP streams each listener gets when all speakers speak."""

    streams: int

    def listening(self) -> Signalling | HttpStream: ...

    def speaking(self, speaker: int) -> Signalling | PlainRtp | HttpSource:
        """Where speaker number 0, 1, … sends to; each may speak from the moment that it has joined."""
        ...

    async def close(self) -> None: ...


class Server(Protocol):
    """A server under test, on loopback addresses and free ports of its own. `name` stands in the table."""

    name: str

    async def start(self, folder: Path) -> None:
        """Ready when it returns; `folder` is empty and its own. Raises NotRun."""
        ...

    async def stop(self) -> None:
        """Also after a start that failed."""
        ...

    def pids(self) -> list[int]:
        """All processes whose CPU time and memory are the server's."""
        ...

    async def room(self, speakers: int) -> Room:
        """A new room for so many speakers, who are about to join."""
        ...


# The peers stand in `bench.listeners.peers`, whose SERVERS goes from a short name to a function without arguments that
# makes a Server.
