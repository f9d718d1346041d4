"""One listener as a browser is one: ICE (either role), DTLS as client, SRTP, consent checks, receiver reports.

Datagrams go in and come out, and the time is an argument. What comes often has been prepared: a connected listener
costs a check every 2.5 s and a report every 5 s, and nothing for each packet: those are counted before they get here.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import random
import struct
import zlib
from collections.abc import Callable
from enum import Enum

from bench.listeners.signalling import Address, Local, Remote
from parola.rtp import rtcp, stun
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.rtcp import ReportBlock
from parola.rtp.srtp import Srtp, SrtpError
from parola.rtp.stun import Attribute, Class, Message, StunError

CONSENT_S = 2.5
"""RFC 7675, section 5.1, wants 5; Chromium asks this often. Each time 0.8 to 1.2 of it."""
REPORT_S = 5.0
"""As Chromium does for audio: half as long at first, and each time half to one and a half of it."""
CHECK_S = 0.1
PATIENCE_S = 15.0
"""A client that is not connected by then has failed."""
MOST_KEPT = 600
"""Packets of a listener that is recorded: what is decoded afterwards keeps the next measurement waiting."""
_HASTE = 4
"""Chromium repeats its first flight after 50 ms, a quarter of our own DTLS's time: a server that is not ready for the
first one is asked again as soon as by a browser."""
_ALERT = 21

Send = Callable[[bytes, Address], None]


class Stage(Enum):
    WAITING = 0
    """The server's end is not known yet; its checks are answered."""
    CHECKING = 1
    SHAKING_HANDS = 2
    CONNECTED = 3
    ENDED = 4


class Checks:
    """Binding requests (RFC 8445, section 7.2) of which only the number differs."""

    def __init__(self, local: Local, remote: Remote) -> None:
        role = Attribute.ICE_CONTROLLING if remote.controlling else Attribute.ICE_CONTROLLED
        attributes: list[tuple[int, bytes]] = [
            (Attribute.USERNAME, f"{remote.ufrag}:{local.ufrag}".encode()),
            (Attribute.PRIORITY, struct.pack("!I", 110 << 24 | 65535 << 8 | 255)),
            (role, os.urandom(8)),
        ]
        if remote.controlling:
            attributes.append((Attribute.USE_CANDIDATE, b""))
        body = b"".join(
            struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) & 3)
            for kind, value in attributes
        )
        self._key = remote.password.encode()
        self._body = body
        self._signed = struct.pack("!HHI", 1, len(body) + 24, stun.MAGIC_COOKIE)
        self._whole = struct.pack("!HHI", 1, len(body) + 32, stun.MAGIC_COOKIE)

    def next(self, transaction_id: bytes) -> bytes:
        tag = hmac.digest(self._key, self._signed + transaction_id + self._body, hashlib.sha1)
        integrity = struct.pack("!HH", Attribute.MESSAGE_INTEGRITY, 20)
        covered = self._whole + transaction_id + self._body + integrity + tag
        return covered + struct.pack("!HHI", Attribute.FINGERPRINT, 4, zlib.crc32(covered) ^ 0x5354554E)


class Client:
    """`index` is its place in the tables, `send` gives one datagram to an address. Seconds are of one clock."""

    __slots__ = (
        "_asked", "_certificate", "_checks", "_dtls", "_dtls_due", "_expected", "_lsr", "_remote", "_send",
        "_srtp", "_until", "due", "failure", "index", "local", "place", "report_due", "sealed", "stage", "told",
    )  # fmt: skip

    def __init__(self, index: int, local: Local, certificate: Certificate, send: Send) -> None:
        self.index = index
        self.local = local
        self.stage = Stage.WAITING
        self.failure = ""
        self.told = False
        """Whether its end is known to whoever has to know it."""
        self.place: Address | None = None
        """Where the server is, once an address of its has answered."""
        self.due = float("inf")
        """When `handle_time` has something to do."""
        self.report_due = float("inf")
        self.sealed: list[tuple[int, bytes]] = []
        """Of a listener that is recorded: the program's packets as they came, with the time (wall clock, ns)."""
        self._certificate = certificate
        self._send = send
        self._remote: Remote | None = None
        self._checks: Checks | None = None
        self._dtls: Dtls | None = None
        self._dtls_due = float("inf")
        self._srtp: Srtp | None = None
        self._asked: dict[bytes, Address] = {}
        self._until = float("inf")
        self._expected: dict[int, tuple[int, int]] = {}
        self._lsr: dict[int, tuple[int, float]] = {}

    @property
    def remote(self) -> Remote:
        assert self._remote is not None
        return self._remote

    def connect(self, remote: Remote, now: float) -> None:
        self._remote = remote
        self._checks = Checks(self.local, remote)
        self.stage = Stage.CHECKING
        self._until = now + PATIENCE_S
        self._check(now)

    def handle(self, data: bytes, source: Address, at: int, now: float) -> None:
        """One datagram that came at `at` (wall clock, ns)."""
        first = data[0]
        if first <= 3:
            self._handle_stun(data, source, now)
        elif first >= 128:
            if len(self.sealed) < MOST_KEPT:
                self.sealed.append((at, data))
        elif self._dtls is not None:
            self._dtls.handle(data)
            self._flush(now)
        elif self.stage is Stage.CONNECTED and first == _ALERT:
            self._end("ended by the server")

    def handle_time(self, now: float) -> None:
        if self.stage is Stage.CONNECTED:
            self._send_check(self.place)
            self.due = now + CONSENT_S * random.uniform(0.8, 1.2)
        elif self.stage in (Stage.CHECKING, Stage.SHAKING_HANDS) and now > self._until:
            self._end(f"not connected after {PATIENCE_S:.0f} s, {self.stage.name.lower()}")
        elif self.stage is Stage.CHECKING:
            self._check(now)
        elif self.stage is Stage.SHAKING_HANDS and self._dtls is not None and now >= self._dtls_due:
            self._dtls.handle_timeout()
            self._flush(now)

    def report(
        self, streams: list[tuple[int, int, int, int, int]], latest: bytes, at: float, now: float
    ) -> None:
        """A receiver report about its streams (SSRC, first and highest sequence number, packets received, jitter in
        timestamp units). `latest` is the last RTCP packet that came, sealed, at `at`."""
        self.report_due = now + REPORT_S * random.uniform(0.5, 1.5)
        if self._srtp is None or self.place is None or not streams:
            return
        self._note_report(latest, at)
        blocks = tuple(self._block(*stream, now) for stream in streams)
        compound = rtcp.encode(
            rtcp.ReceiverReport(self.local.ssrc, blocks), rtcp.Sdes(self.local.ssrc, "bench")
        )
        self._send(self._srtp.protect_rtcp(compound), self.place)

    def open(self, sealed: bytes) -> bytes:
        """The RTP packet in what came. Raises SrtpError."""
        if self._srtp is None:
            raise SrtpError("not connected")
        return self._srtp.unprotect(sealed)

    def leave(self) -> None:
        """As a page that is closed: without a word."""
        self._end("left")

    def fail(self, why: str) -> None:
        """Something went wrong that should not."""
        self._end(why)

    def _check(self, now: float) -> None:
        for address in self.remote.addresses:
            self._send_check(address)
        self.due = now + CHECK_S

    def _send_check(self, address: Address | None) -> None:
        assert self._checks is not None
        assert address is not None
        transaction_id = os.urandom(12)
        if self.stage is Stage.CHECKING:
            self._asked[transaction_id] = address
        self._send(self._checks.next(transaction_id), address)

    def _handle_stun(self, data: bytes, source: Address, now: float) -> None:
        try:
            message = stun.parse(data)
        except StunError:
            return
        if message.method != stun.BINDING:
            return
        if message.message_class is Class.REQUEST:
            self._answer(message, source)
        elif message.message_class is Class.SUCCESS and self.stage is Stage.CHECKING:
            if message.transaction_id not in self._asked:
                return
            if message.check_integrity(self.remote.password.encode()):
                self._agree(source, now)

    def _answer(self, request: Message, source: Address) -> None:
        key = self.local.password.encode()
        if not request.username.startswith(self.local.ufrag.encode() + b":") or not request.check_integrity(
            key
        ):
            return
        mapped = {int(Attribute.XOR_MAPPED_ADDRESS): stun.xor_address(source, request.transaction_id)}
        self._send(
            stun.encode(Message(stun.BINDING, Class.SUCCESS, request.transaction_id, mapped), key), source
        )

    def _agree(self, place: Address, now: float) -> None:
        self.place = place
        self._asked.clear()
        self.stage = Stage.SHAKING_HANDS
        remote = self.remote
        self._dtls = Dtls(self._certificate, "client", Fingerprint(remote.algorithm, remote.fingerprint))
        self._dtls.start()
        self._flush(now)

    def _flush(self, now: float) -> None:
        dtls, place = self._dtls, self.place
        assert dtls is not None
        assert place is not None
        while (datagram := dtls.poll()) is not None:
            self._send(datagram, place)
        timeout = dtls.timeout()
        self.due = self._dtls_due = now + (timeout / _HASTE if timeout is not None else PATIENCE_S)
        if dtls.keys is not None:
            # The last flight of a full handshake is the server's: nobody will ask for one of ours again, and OpenSSL's
            # memory is given back.
            self._srtp = Srtp(dtls.keys)
            self._dtls = None
            self.stage = Stage.CONNECTED
            self.due = now + CONSENT_S * random.uniform(0.2, 1.2)
            self.report_due = now + REPORT_S / 2 * random.uniform(0.5, 1.5)
        elif dtls.state != "handshaking":
            self._end(f"DTLS: {dtls.failure or dtls.state}")

    def _end(self, why: str) -> None:
        self.stage = Stage.ENDED
        self.failure = why
        self.due = self.report_due = float("inf")
        self._dtls = self._srtp = None

    def _note_report(self, latest: bytes, at: float) -> None:
        assert self._srtp is not None
        if not latest:
            return
        try:
            packets = rtcp.parse_compound(self._srtp.unprotect_rtcp(latest))
        except (SrtpError, rtcp.RtcpError):
            return  # read before, or kept aside in part
        for packet in packets:
            if isinstance(packet, rtcp.SenderReport):
                self._lsr[packet.ssrc] = (packet.ntp >> 16 & 0xFFFFFFFF, at)

    def _block(
        self, ssrc: int, first: int, highest: int, received: int, jitter: int, now: float
    ) -> ReportBlock:
        """RFC 3550, appendix A.3."""
        expected = highest - first + 1
        expected_before, received_before = self._expected.get(ssrc, (0, 0))
        self._expected[ssrc] = (expected, received)
        expected_now = expected - expected_before
        lost_now = expected_now - (received - received_before)
        fraction = 0 if expected_now <= 0 or lost_now <= 0 else min(255, (lost_now << 8) // expected_now)
        lsr, at = self._lsr.get(ssrc, (0, now))
        return ReportBlock(
            ssrc, fraction, max(-0x800000, min(0x7FFFFF, expected - received)), highest & 0xFFFFFFFF, jitter,
            lsr, int((now - at) * 65536) & 0xFFFFFFFF if lsr else 0,
        )  # fmt: skip
