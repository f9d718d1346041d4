"""What a hostile handshake makes a server hold: `python -m tests.hostile.held KIND` prints the KB of each peer.

In a process of its own, since memory that was used and freed before would hide it.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from parola.media.identity import self_signed
from parola.rtp.dtls import Certificate, Dtls, Fingerprint

PEERS = 100
KINDS = ("fragments", "whole", "scattered", "early", "hellos")


def record(kind: int, epoch: int, body: bytes, number: int) -> bytes:
    """RFC 6347, section 4.1."""
    head = bytes([kind]) + b"\xfe\xfd" + epoch.to_bytes(2, "big") + number.to_bytes(6, "big")
    return head + len(body).to_bytes(2, "big") + body


def fragment(message: int, length: int, offset: int, body: bytes, number: int) -> bytes:
    """Of a handshake message that says it is `length` bytes long (RFC 6347, section 4.2.2)."""
    head = b"\x0b" + length.to_bytes(3, "big") + message.to_bytes(2, "big") + offset.to_bytes(3, "big")
    return record(22, 0, head + len(body).to_bytes(3, "big") + body, number)


def attack(kind: str, hello: bytes) -> Iterator[bytes]:
    """Datagrams without an end, of which none completes a handshake."""
    number = 0
    while True:
        number += 1
        match kind:
            case "fragments":  # of one message that never becomes whole
                yield fragment(1, 30_000, number * 1000 % 29_000, bytes(1000), number)
            case "whole":  # messages that are ahead of their turn
                yield fragment(1 + number % 10, 3000, 0, bytes(1000), number)
            case "scattered":  # a byte here and there of long ones
                yield fragment(1 + number % 10, 100_000, number * 4099 % 99_000, b"x", number)
            case "early":  # what would be read under keys that are not there yet
                yield record(22, 1, bytes(1000), number)
            case _:  # a new beginning each time
                yield hello[:5] + number.to_bytes(6, "big") + hello[11:]


def main() -> None:
    kind = sys.argv[1]
    ours, theirs = Certificate(*self_signed()), Certificate(*self_signed())
    client = Dtls(theirs, "client", Fingerprint("sha-256", ours.fingerprint))
    client.start()
    hello = client.poll()
    assert hello is not None

    def begun() -> Dtls:
        server = Dtls(ours, "server", Fingerprint("sha-256", theirs.fingerprint))
        server.handle(hello)
        _drain(server)
        return server

    kept = [begun() for _ in range(PEERS)]
    before = _resident()
    for server in kept:
        datagrams = attack(kind, hello)
        while server.state == "handshaking":
            server.handle(next(datagrams))
            _drain(server)
    # A peer forgets what has failed; what was held until then is still held here.
    sys.stdout.write(f"{(_resident() - before) / PEERS / 1024:.1f}\n")


def _drain(server: Dtls) -> None:
    while server.poll() is not None:
        pass


def _resident() -> int:
    trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


if __name__ == "__main__":
    main()
