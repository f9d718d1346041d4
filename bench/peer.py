"""A WebRTC peer of few moving parts, for measuring: every packet in and out with the kernel's own time stamp.

It speaks through the project's sans-IO pieces in the client's role; what a browser or aiortc make of the server is
judged elsewhere.
"""

from __future__ import annotations

import asyncio
import random
import secrets
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from parola.client.api import Api
from parola.media.identity import self_signed
from parola.rtp import demux, red, rtcp
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import Credentials, IceClient
from parola.rtp.rtcp import ReceptionStatistics
from parola.rtp.rtp import RtpError, RtpPacket
from parola.rtp.srtp import Srtp, SrtpError

OPUS_PT = 111
RED_PT = 63
LEVEL_ID = 1
_SO_TIMESTAMPNS = 35
_CONSENT_S = 2.5
_REPORT_S = 5.0
"""As Chromium does for audio: half as long at first, and each time half to one and a half of it."""

_OFFER = """v=0
o=- {session} 2 IN IP4 127.0.0.1
s=-
t=0 0
a=group:BUNDLE 0
a=extmap-allow-mixed
m=audio 9 UDP/TLS/RTP/SAVPF {opus} {red}
c=IN IP4 0.0.0.0
a=rtcp:9 IN IP4 0.0.0.0
a=ice-ufrag:{ufrag}
a=ice-pwd:{password}
a=ice-options:trickle
a=fingerprint:sha-256 {fingerprint}
a=setup:actpass
a=mid:0
a=extmap:{level} urn:ietf:params:rtp-hdrext:ssrc-audio-level
a={direction}
a=rtcp-mux
a=rtpmap:{opus} opus/48000/2
a=fmtp:{opus} minptime=10;useinbandfec=1
a=rtpmap:{red} red/48000/2
a=fmtp:{red} {opus}/{opus}
"""


@dataclass(slots=True)
class Arrival:
    """One decrypted RTP packet and when the kernel got it, in wall-clock seconds."""

    at: float
    packet: RtpPacket

    @property
    def opus(self) -> bytes:
        """The packet's own Opus frame, out of RED where it came so."""
        if self.packet.payload_type == RED_PT:
            return red.decode(self.packet.payload)[-1].data
        return self.packet.payload


@dataclass(slots=True)
class RawPeer:
    """Made by `connect`. `drop` decides for each datagram of media, either way, whether the network loses it."""

    sock: socket.socket
    srtp: Srtp
    ice: IceClient
    server: tuple[str, int]
    location: str
    ssrc: int = field(default_factory=lambda: secrets.randbits(31) | 1)
    sequence: int = 1000
    timestamp: int = 48_000
    arrivals: list[Arrival] = field(default_factory=list)
    drop: Callable[[], bool] = lambda: False
    on_arrival: Callable[[Arrival], None] | None = None
    bad: int = 0
    _reception: ReceptionStatistics | None = None
    _report: asyncio.TimerHandle | None = None
    _earlier: list[bytes] = field(default_factory=list)
    _consent: asyncio.TimerHandle | None = None

    @classmethod
    async def connect(
        cls,
        api: Api,
        room_id: str,
        kind: str,
        with_red: bool = True,
        via: Callable[[str], str] = lambda answer: answer,
    ) -> RawPeer:
        """`kind` is whip or whep; `via` rewrites the SDP answer, for a way through something else. Raises
        ProtocolError, TimeoutError."""
        loop = asyncio.get_running_loop()
        certificate = Certificate(*self_signed())
        ufrag, password = secrets.token_hex(4), secrets.token_hex(12)
        offer = _OFFER.format(
            session=secrets.randbits(60),
            opus=OPUS_PT,
            red=RED_PT,
            ufrag=ufrag,
            password=password,
            fingerprint=certificate.fingerprint,
            level=LEVEL_ID,
            direction="sendonly" if kind == "whip" else "recvonly",
        )
        if not with_red:
            about_red = (f"a=rtpmap:{RED_PT} ", f"a=fmtp:{RED_PT} ")
            kept = [line for line in offer.split("\n") if not line.startswith(about_red)]
            offer = "\n".join(kept).replace(f" {RED_PT}\n", "\n")
        answer, location = await api.exchange(room_id, kind, offer.replace("\n", "\r\n"))
        lines = dict(
            x.removeprefix("a=").split(":", 1)
            for x in via(answer).splitlines()
            if x.startswith("a=") and ":" in x
        )
        *_, address, port, _, _ = lines["candidate"].split()[:8]
        server = (address, int(port))
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        sock.bind(("127.0.0.1", 0))
        own = Credentials(ufrag, password)
        ice = IceClient(lines["ice-ufrag"], lines["ice-pwd"], own, secrets.token_bytes(12), 1)
        algorithm, value = lines["fingerprint"].split(" ", 1)
        dtls = Dtls(certificate, "client", Fingerprint(algorithm, value))
        try:
            srtp = await asyncio.wait_for(handshake(sock, server, ice, dtls), 10)
        except BaseException:
            sock.close()
            raise
        peer = cls(sock, srtp, ice, server, location)
        loop.add_reader(sock.fileno(), peer._readable)
        peer._keep_consent()
        if kind == "whep":
            peer._report_later(_REPORT_S / 2)
        return peer

    def speak(self, opus: bytes, dbov: int = 20, copies: int = 0, skip: int = 1) -> float:
        """Sends one 20 ms packet, `skip` ticks after the last, with as many earlier ones in it (RED; Chromium has 1);
        wall-clock seconds when it was handed to the kernel."""
        payload, payload_type = opus, OPUS_PT
        if copies:
            earlier = self._earlier[-copies:]
            redundant = [((len(earlier) - i) * 960, data) for i, data in enumerate(earlier)]
            payload, payload_type = red.encode(OPUS_PT, opus, redundant), RED_PT
        self._earlier = [*self._earlier[-3:], opus] if skip == 1 else []
        packet = RtpPacket(
            payload_type, False, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc,
            extensions={LEVEL_ID: bytes([dbov])}, payload=payload,
        )  # fmt: skip
        self.sequence += 1
        self.timestamp += 960 * skip
        datagram = self.srtp.protect(packet.to_bytes())
        at = time.time()
        if not self.drop():
            self.sock.sendto(datagram, self.server)
        return at

    def check(self) -> None:
        """A connectivity check out of turn, as a client sends when it sees that its own address has changed."""
        self.sock.sendto(self.ice.request(asyncio.get_running_loop().time()), self.server)

    def stop_checking(self) -> None:
        """No consent checks from now on: nothing but media says that this client is there."""
        if self._consent is not None:
            self._consent.cancel()

    def close(self) -> None:
        for timer in (self._consent, self._report):
            if timer is not None:
                timer.cancel()
        if self.sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.sock.fileno())
        self.sock.close()

    def _readable(self) -> None:
        while True:
            try:
                datagram, ancillary, _, _ = self.sock.recvmsg(2048, 64)
            except BlockingIOError:
                return
            seconds, nanos = struct.unpack("qq", ancillary[0][2][:16]) if ancillary else (time.time(), 0)
            kind = demux.kind(datagram)
            if kind == "stun" and (answer := self.ice.handle_request(datagram, self.server)):
                self.sock.sendto(answer, self.server)
            if kind != "rtp" or self.drop():
                continue
            try:
                arrival = Arrival(seconds + nanos / 1e9, RtpPacket.parse(self.srtp.unprotect(datagram)))
            except (SrtpError, RtpError):
                self.bad += 1
                continue
            self._note(arrival.packet)
            self.arrivals.append(arrival)
            if self.on_arrival is not None:
                self.on_arrival(arrival)

    def _note(self, packet: RtpPacket) -> None:
        if self._reception is None:
            self._reception = ReceptionStatistics(packet.ssrc)
        now = asyncio.get_running_loop().time()
        self._reception.received(packet.sequence, packet.timestamp, now)

    def _report_later(self, interval: float) -> None:
        loop = asyncio.get_running_loop()
        self._report = loop.call_later(interval * random.uniform(0.5, 1.5), self._send_report)

    def _send_report(self) -> None:
        self._report_later(_REPORT_S)
        if self._reception is None or self.drop():
            return
        block = self._reception.report(asyncio.get_running_loop().time())
        compound = rtcp.encode(rtcp.ReceiverReport(self.ssrc, (block,)), rtcp.Sdes(self.ssrc, "bench"))
        self.sock.sendto(self.srtp.protect_rtcp(compound), self.server)

    def _keep_consent(self) -> None:
        loop = asyncio.get_running_loop()
        self.sock.sendto(self.ice.request(loop.time()), self.server)
        self._consent = loop.call_later(_CONSENT_S, self._keep_consent)


async def handshake(sock: socket.socket, server: tuple[str, int], ice: IceClient, dtls: Dtls) -> Srtp:
    """ICE and DTLS from `sock` to a server; it waits for ever."""
    loop = asyncio.get_running_loop()
    agreed = False
    while True:
        if not agreed:
            await loop.sock_sendto(sock, ice.request(loop.time()), server)
        try:
            datagram = await asyncio.wait_for(loop.sock_recv(sock, 2048), 0.1)
        except TimeoutError:
            dtls.handle_timeout()
            _flush(sock, server, dtls)
            continue
        kind = demux.kind(datagram)
        if kind == "stun" and (answer := ice.handle_request(datagram, server)):
            sock.sendto(answer, server)  # a full agent waits for it
        elif kind == "stun" and ice.handle_response(datagram):
            if not agreed:
                agreed = True
                dtls.start()
        elif kind == "dtls":
            dtls.handle(datagram)
        _flush(sock, server, dtls)
        if dtls.keys is not None:
            return Srtp(dtls.keys)


def _flush(sock: socket.socket, server: tuple[str, int], dtls: Dtls) -> None:
    while (out := dtls.poll()) is not None:
        sock.sendto(out, server)
