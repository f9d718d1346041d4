"""Clients of which every datagram is the test's own doing, and the room next door whose sound must not change."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass, field

from prometheus_client.parser import text_string_to_metric_families

from bench.peer import LEVEL_ID, OPUS_PT, Arrival, RawPeer
from bench.scene import LOUD, Ear, live_room, peer, talk
from fire.flood import Flooded, flood
from parola.client.api import Api
from parola.media.identity import self_signed
from parola.rtp import demux, rtcp
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import Credentials, IceClient
from parola.rtp.rtp import RtpError, RtpPacket
from parola.rtp.srtp import Srtp, SrtpError
from tests.e2e.house import House, eventually

_FIGURES = {
    "parola_media_dropped_datagrams_total": "dropped",
    "parola_media_connections_closed_total": "ended",
}
CALLER = Credentials("caller", "a-password-of-a-caller-00")
_OFFER = """v=0
o=- 1 2 IN IP4 127.0.0.1
s=-
t=0 0
m=audio 9 UDP/TLS/RTP/SAVPF {opus}
c=IN IP4 0.0.0.0
a=ice-ufrag:{caller.ufrag}
a=ice-pwd:{caller.password}
a=fingerprint:sha-256 {fingerprint}
a=setup:{setup}
a=mid:0
a=extmap:{level} urn:ietf:params:rtp-hdrext:ssrc-audio-level
a={direction}
a=rtcp-mux
a=rtpmap:{opus} opus/48000/2
"""


@dataclass
class Caller:
    """Made by `call`: its offer is answered, and no datagram sent. Nothing is kept alive by itself."""

    sock: socket.socket
    server: tuple[str, int]
    ice: IceClient
    dtls: Dtls
    ssrc: int
    """Of its own packets; `heard_ssrc` is of those that the server sends."""
    heard_ssrc: int | None
    srtp: Srtp | None = None
    sequence: int = 1000
    sent: list[bytes] = field(default_factory=list)

    @classmethod
    async def call(
        cls,
        api: Api,
        room_id: str,
        kind: str,
        address: str = "127.0.0.1",
        promised: str | None = None,
        expected: str | None = None,
        ssrc: int | None = None,
        setup: str = "actpass",
    ) -> Caller:
        """`kind` is whip or whep; `promised` is the fingerprint in the offer where it is not of the caller's own
        certificate, `expected` the one that the server has to have where it is not that of its answer."""
        certificate = Certificate(*self_signed())
        offer = _OFFER.format(
            caller=CALLER,
            opus=OPUS_PT,
            level=LEVEL_ID,
            fingerprint=promised or certificate.fingerprint,
            direction="sendonly" if kind == "whip" else "recvonly",
            setup=setup,
        )
        answer, _ = await api.exchange(room_id, kind, offer.replace("\n", "\r\n"))
        lines = dict(
            x.removeprefix("a=").split(":", 1) for x in answer.splitlines() if x.startswith("a=") and ":" in x
        )
        host, port = lines["candidate"].split()[4:6]
        theirs = Fingerprint("sha-256", expected or lines["fingerprint"].split()[1])
        return cls(
            sock=udp(address),
            server=(host, int(port)),
            ice=IceClient(lines["ice-ufrag"], lines["ice-pwd"], CALLER, secrets.token_bytes(12), 1),
            dtls=Dtls(certificate, "client", theirs),
            ssrc=ssrc or secrets.randbits(31) | 1,
            heard_ssrc=int(lines["ssrc"].split()[0]) if "ssrc" in lines else None,
        )

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.sock.getsockname()
        return host, port

    def send(self, *datagrams: bytes, sock: socket.socket | None = None) -> None:
        for datagram in datagrams:
            (sock or self.sock).sendto(datagram, self.server)

    def check(self) -> bytes:
        """A connectivity check as it has to be; only one that `prove` sends is known to be answered."""
        return self.ice.request(asyncio.get_running_loop().time())

    async def prove(self) -> None:
        """One check, and its answer."""
        self.send(self.check())
        await self.until(lambda datagram: self.ice.handle_response(datagram))

    async def shake_hands(self) -> None:
        """ICE and DTLS to their end, whatever that is: `dtls.state`, and `srtp` where there are keys."""
        await self.prove()
        self.dtls.start()
        while self.dtls.state == "handshaking":
            self.flush()
            with contextlib.suppress(TimeoutError):
                self.dtls.handle(await self.until(lambda datagram: demux.kind(datagram) == "dtls", 0.5))
                continue
            self.dtls.handle_timeout()
        self.flush()
        self.srtp = Srtp(self.dtls.keys) if self.dtls.keys is not None else None

    async def connect(self) -> Caller:
        await self.shake_hands()
        assert self.srtp is not None, self.dtls.failure
        return self

    async def until(self, wanted: Callable[[bytes], bool], seconds: float = 5.0) -> bytes:
        """The next datagram that is wanted; those before it are thrown away. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(seconds):
            while not wanted(datagram := await loop.sock_recv(self.sock, 2048)):
                pass
        return datagram

    def flush(self) -> None:
        while (datagram := self.dtls.poll()) is not None:
            self.send(datagram)

    def rtp(self, opus: bytes, dbov: int = 13, ssrc: int | None = None) -> bytes:
        """The next packet of 20 ms, in the clear."""
        self.sequence += 1
        return RtpPacket(
            OPUS_PT, False, self.sequence & 0xFFFF, self.sequence * 960 & 0xFFFFFFFF, ssrc or self.ssrc,
            extensions={LEVEL_ID: bytes([dbov])}, payload=opus,
        ).to_bytes()  # fmt: skip

    def protect(self, packet: bytes) -> bytes:
        assert self.srtp is not None
        return self.srtp.protect(packet)

    def speak(self, opus: bytes, dbov: int = 13) -> None:
        """What `bench.scene.talk` wants of a speaker."""
        self.sent.append(self.protect(self.rtp(opus, dbov)))
        self.send(self.sent[-1])

    def packets(self) -> list[RtpPacket]:
        """RTP that came since the last look, decrypted; other datagrams that wait are thrown away."""
        found = []
        for datagram in received(self.sock):
            if self.srtp is not None and demux.kind(datagram) == "rtp":
                with contextlib.suppress(SrtpError, RtpError):
                    found.append(RtpPacket.parse(self.srtp.unprotect(datagram)))
        return found

    async def lost(self) -> int:
        """How many of this speaker's packets the server says that it missed, in a report made from now on."""
        assert self.srtp is not None
        received(self.sock)
        while True:
            datagram = await self.until(lambda datagram: demux.kind(datagram) == "rtcp")
            for packet in rtcp.parse_compound(self.srtp.unprotect_rtcp(datagram)):
                if isinstance(packet, rtcp.ReceiverReport):
                    return packet.reports[0].cumulative_lost

    def close(self) -> None:
        self.sock.close()


@dataclass
class Scene:
    """A house under attack. `stage` is a live room of `host`, with another member, for the attack itself."""

    house: House
    stage: str
    host: Api
    member: Api
    _stack: contextlib.AsyncExitStack

    async def caller(self, kind: str = "whep", address: str = "127.0.0.1", **more: object) -> Caller:
        """Into the stage: the host speaks, the member listens, unless `api` says otherwise."""
        api = more.pop("api", self.host if kind == "whip" else self.member)
        assert isinstance(api, Api)
        made = await Caller.call(api, self.stage, kind, address, **more)  # type: ignore[arg-type]
        self._stack.callback(made.close)
        return made

    def stranger(self, number: int = 1) -> socket.socket:
        """A socket on an address that nobody else has."""
        sock = udp(f"127.3.0.{number}")
        self._stack.callback(sock.close)
        return sock

    async def ear(self) -> RawPeer:
        """A listener of the stage that listens all the time."""
        return await self._stack.enter_async_context(peer(self.member, self.stage, "whep"))

    def talking(self, speaker: Caller | RawPeer) -> asyncio.Task[None]:
        task = asyncio.create_task(talk(speaker))  # type: ignore[arg-type]
        self._stack.callback(task.cancel)
        return task

    async def settle(self) -> None:
        """Everything that was sent before has been dealt with: datagrams are taken in the order of their arrival."""
        await (await self.caller()).prove()


@contextlib.asynccontextmanager
async def attacked(house: House, *counters: str) -> AsyncIterator[Scene]:
    """Around an attack: the sound next door is whole, and each of the figures has gone up."""
    async with contextlib.AsyncExitStack() as stack:
        next_door, (bea, carl) = await stack.enter_async_context(live_room(house, "bea", "carl"))
        stage, (host, member) = await stack.enter_async_context(live_room(house, "ada", "mallory"))
        speaker = await stack.enter_async_context(peer(bea, next_door, "whip"))
        listener = await stack.enter_async_context(peer(carl, next_door, "whep"))
        talking = asyncio.create_task(talk(speaker))
        stack.callback(talking.cancel)
        await eventually(lambda: len(listener.arrivals) > 30)
        first, before = len(listener.arrivals), await figures(house)
        yield Scene(house, stage, host, member, stack)
        last = len(listener.arrivals)
        await eventually(lambda: len(listener.arrivals) > last + 25)
        assert missing(listener.arrivals[first:]) == 0
        assert quiet(listener.arrivals, first) < 0.05, "the neighbours' sound has holes"
        after = await figures(house)
        for counter in counters:
            assert after[counter] > before[counter], f"{counter}: {after}"


def missing(arrivals: list[Arrival]) -> int:
    """Packets that the sequence numbers say are not there."""
    numbers = {a.packet.sequence for a in arrivals}
    first = arrivals[0].packet.sequence
    return max((n - first) & 0xFFFF for n in numbers) + 1 - len(numbers)


def quiet(arrivals: list[Arrival], first: int = 0) -> float:
    """The share of the packets, from the `first` on, that hold no sound."""
    ear = Ear()
    loud = [ear.rms(a.opus) > LOUD for a in arrivals]
    return loud[first:].count(False) / len(loud[first:])


def loudness(packets: Iterable[bytes]) -> list[float]:
    ear = Ear()
    return [ear.rms(packet) for packet in packets]


def udp(address: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setblocking(False)
    sock.bind((address, 0))
    return sock


def received(sock: socket.socket) -> list[bytes]:
    """What waits in a socket."""
    found = []
    try:
        while True:
            found.append(sock.recv(2048))
    except BlockingIOError:
        return found


async def figures(house: House) -> Counter[str]:
    """What /metrics says of the media processes, with `dropped_` and `ended_` before the reasons."""

    def read() -> str:
        with urllib.request.urlopen(house.origin + "/metrics", timeout=5) as answer:
            return str(answer.read().decode())

    found: Counter[str] = Counter()
    for family in text_string_to_metric_families(await asyncio.to_thread(read)):
        for sample in family.samples:
            reason = sample.labels.get("reason", "")
            name = _FIGURES.get(sample.name, sample.name.removeprefix("parola_media_"))
            found[f"{name}_{reason}" if reason else name] += sample.value
    return found


@contextlib.asynccontextmanager
async def flooding(
    server: tuple[str, int], sockets: list[socket.socket], datagrams: list[bytes], rate: int, seconds: float
) -> AsyncIterator[asyncio.Task[Flooded]]:
    """A flood for as long as the body lasts, and at least `seconds`; its result is there behind it."""
    task = asyncio.create_task(flood(server, sockets, datagrams, rate, seconds))
    try:
        yield task
        await task
    finally:
        task.cancel()


async def heard(listener: Caller, count: int) -> list[RtpPacket]:
    """The next `count` packets that a listener gets."""
    listener.packets()
    found: list[RtpPacket] = []

    def enough() -> bool:
        found.extend(listener.packets())
        return len(found) >= count

    await eventually(enough)
    return found
