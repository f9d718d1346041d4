"""`python -m bench.listeners.source`: the speakers, in a process of their own, told what to do in lines of JSON.

Each says the same packets to every server, one in 20 ms of an absolute schedule; what was due while the process was
kept from running follows at once, so that what is offered is the time itself.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from bench.listeners import ogg, sound
from bench.listeners.signalling import Address, Local, Remote
from bench.peer import handshake
from parola.media.identity import self_signed
from parola.rtp import demux
from parola.rtp.dtls import Certificate, Dtls, Fingerprint
from parola.rtp.ice import Credentials, IceClient
from parola.rtp.rtp import RtpPacket

TICK_S = 0.02
_CONSENT_S = 2.5
_LOUDNESS = 20


def main() -> None:
    asyncio.run(Source().run())


class Source:
    def __init__(self) -> None:
        self._certificate = Certificate(*self_signed())
        self._speakers: dict[int, Speaker] = {}
        self._talking: list[asyncio.Task[None]] = []

    async def run(self) -> None:
        reader = asyncio.StreamReader(limit=1 << 24)
        await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        commands: dict[str, Callable[[dict[str, Any]], Any]] = {
            "local": self._local,
            "connect": self._connect,
            "plain": self._plain,
            "http": self._http,
            "talk": self._talk,
            "stop": self._stop,
        }
        _say({"event": "ready", "pid": os.getpid()})
        while line := await reader.readline():
            command = json.loads(line)
            if command["do"] == "quit":
                return
            try:
                answer = await commands[command["do"]](command)
            except Exception as error:
                answer = {"failure": repr(error)}
            _say({"event": "answer", "to": command["do"], "answer": answer})

    async def _local(self, command: dict[str, Any]) -> object:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.bind(("127.0.0.1", 0))
        local = Local(
            secrets.token_hex(4), secrets.token_hex(12), self._certificate.fingerprint, sock.getsockname(),
            secrets.randbits(31) | 1,
        )  # fmt: skip
        self._speakers[command["speaker"]] = Speaker(command["speaker"], local, sock)
        return asdict(local)

    async def _connect(self, command: dict[str, Any]) -> object:
        found = command["remote"]
        found["addresses"] = tuple((host, port) for host, port in found["addresses"])
        await self._speakers[command["speaker"]].connect(Remote(**found), self._certificate)
        return {}

    async def _plain(self, command: dict[str, Any]) -> object:
        host, port = command["address"]
        await self._local(command)
        self._speakers[command["speaker"]].speak_plainly((host, port), command["opus_pt"])
        return {}

    async def _http(self, command: dict[str, Any]) -> object:
        self._talking.append(
            asyncio.create_task(
                ogg.put(
                    command["url"],
                    command["user"],
                    command["password"],
                    sound.packets(),
                    command["page_ms"] // 20,
                )
            )
        )
        await asyncio.sleep(0.5)
        return {}

    async def _talk(self, command: dict[str, Any]) -> object:
        """Speakers begin evenly spread over 20 ms: nobody's microphone is in step with another's."""
        begin = time.monotonic() + 0.05
        for n, speaker in enumerate(self._speakers.values()):
            start = begin + n * TICK_S / len(self._speakers)
            self._talking.append(asyncio.create_task(speaker.talk(start)))
        return {}

    async def _stop(self, command: dict[str, Any]) -> object:
        for task in self._talking:
            task.cancel()
        await asyncio.gather(*self._talking, return_exceptions=True)
        self._talking.clear()
        return {"packets": sum(speaker.sent for speaker in self._speakers.values())}


class Speaker:
    def __init__(self, number: int, local: Local, sock: socket.socket) -> None:
        self.sent = 0
        self._local = local
        self._socket = sock
        self._packets = sound.packets(number)
        self._sequence = secrets.randbits(14)
        self._timestamp = secrets.randbits(31)
        self._seal: Callable[[bytes], bytes] = lambda packet: packet
        self._place: Address | None = None
        self._pt = 111
        self._extensions: dict[int, bytes] = {}
        self._ice: IceClient | None = None

    def speak_plainly(self, address: Address, opus_pt: int) -> None:
        self._place, self._pt = address, opus_pt

    async def connect(self, remote: Remote, certificate: Certificate) -> None:
        """Whoever speaks has made the offer: it controls. Raises TimeoutError."""
        ice = IceClient(
            remote.ufrag, remote.password, Credentials(self._local.ufrag, self._local.password),
            secrets.token_bytes(12), secrets.randbits(63),
        )  # fmt: skip
        dtls = Dtls(certificate, "client", Fingerprint(remote.algorithm, remote.fingerprint))
        place = remote.addresses[0]
        self._seal = (await asyncio.wait_for(handshake(self._socket, place, ice, dtls), 10)).protect
        self._place, self._pt, self._ice = place, remote.opus_pt, ice
        if remote.level_id is not None:
            self._extensions = {remote.level_id: bytes([_LOUDNESS])}
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket.fileno(), self._readable)
        self._keep_consent()

    async def talk(self, begin: float) -> None:
        tick = 0
        while True:
            await asyncio.sleep(max(0.0, begin + tick * TICK_S - time.monotonic()))
            packet = RtpPacket(
                self._pt, tick == 0, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, self._local.ssrc,
                extensions=self._extensions, payload=self._packets[tick % len(self._packets)],
            )  # fmt: skip
            assert self._place is not None
            self._socket.sendto(self._seal(packet.to_bytes()), self._place)
            self._sequence += 1
            self._timestamp += 960
            self.sent += 1
            tick += 1

    def _keep_consent(self) -> None:
        assert self._ice is not None
        assert self._place is not None
        loop = asyncio.get_running_loop()
        self._socket.sendto(self._ice.request(loop.time()), self._place)
        loop.call_later(_CONSENT_S, self._keep_consent)

    def _readable(self) -> None:
        """The server's own checks are answered; its reports are of no interest here."""
        assert self._ice is not None
        while True:
            try:
                datagram, source = self._socket.recvfrom(2048)
            except BlockingIOError:
                return
            if demux.kind(datagram) == "stun" and (answer := self._ice.handle_request(datagram, source)):
                self._socket.sendto(answer, source)


def _say(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
