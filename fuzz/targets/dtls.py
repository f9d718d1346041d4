"""Datagrams on the media port, told apart, and those that are DTLS given to a server: whole strangers' first, then
those of a real client on a network that changes them.

Nobody without the promised certificate is ever connected; a client who has it gets keys or none, never wrong ones.
"""

from __future__ import annotations

from fuzz.datagrams import join, split
from parola.media.identity import self_signed
from parola.rtp import demux
from parola.rtp.dtls import HANDSHAKE_BYTES, MTU, Certificate, Dtls, Fingerprint

_OURS, _THEIRS = Certificate(*self_signed()), Certificate(*self_signed())
_ROUNDS = 12
_NETWORK = b"\x01"
"""A first byte that means: what follows says what happens to a real client's datagrams."""


def _association() -> tuple[Dtls, Dtls]:
    """(client, server) who expect each other."""
    client = Dtls(_THEIRS, "client", Fingerprint("sha-256", _OURS.fingerprint))
    return client, Dtls(_OURS, "server", Fingerprint("sha-256", _THEIRS.fingerprint))


def _taken(end: Dtls) -> list[bytes]:
    found = []
    while (datagram := end.poll()) is not None:
        assert len(datagram) <= MTU
        found.append(datagram)
    return found


def _flights() -> list[list[bytes]]:
    """What a client says in a handshake that goes well."""
    client, server = _association()
    client.start()
    said = []
    while flight := _taken(client):
        said.append(flight)
        for datagram in flight:
            server.handle(datagram)
        for datagram in _taken(server):
            client.handle(datagram)
    return said


_SAID = _flights()
_ALERT = b"\x15\xfe\xfd" + bytes(8) + b"\x00\x02\x02\x28"
SEEDS = (
    b"\0" + join(*_SAID[0]),
    b"\0" + join(*(datagram for flight in _SAID for datagram in flight)),
    b"\0" + join(_SAID[0][0], _ALERT, b"\x17\xfe\xfd\0\1" + bytes(6) + b"\0\1x"),
    b"\0" + join(b"\x80\xc8" + bytes(10), b"\x00\x01" + bytes(18), b"\x80\x6f" + bytes(10)),
    _NETWORK,
    _NETWORK + bytes([0x10, 0, 0, 0x20, 5, 1, 0x30, 0, 0]),
)


def check(data: bytes) -> None:
    if data[:1] == _NETWORK:
        _badly_carried(data[1:])
    else:
        _stranger(split(data[1:]))


def _stranger(datagrams: list[bytes]) -> None:
    server = _association()[1]
    received = sent = 0
    for datagram in datagrams:
        if demux.kind(datagram) not in ("dtls", None):
            continue
        received += len(datagram)
        server.handle(datagram)
        server.handle_timeout()
        sent += sum(map(len, _taken(server)))
        assert server.state in ("handshaking", "failed"), "a stranger is connected"
        assert server.keys is None
        assert (server.timeout() is None) or server.state == "handshaking"
    assert received <= HANDSHAKE_BYTES or server.state == "failed" or not sent
    server.close()
    assert server.keys is None


def _badly_carried(fates: bytes) -> None:
    """Three bytes for each datagram: what happens, where, and how much of it."""
    client, server = _association()
    client.start()
    at = 0
    for _ in range(_ROUNDS):
        for sender, receiver in ((client, server), (server, client)):
            for datagram in _taken(sender):
                for arriving in _changed(datagram, fates[at : at + 3]):
                    receiver.handle(arriving)
                at += 3
        for end in (client, server):
            end.handle_timeout()
    if client.keys is not None and server.keys is not None:
        assert (client.keys.local, client.keys.remote) == (server.keys.remote, server.keys.local)
        assert client.keys.profile == server.keys.profile
    for end in (client, server):
        assert (end.keys is not None) == (end.state == "connected")
        end.close()


def _changed(datagram: bytes, fate: bytes) -> list[bytes]:
    if len(fate) < 3:
        return [datagram]
    what, where, how = fate
    where = where * len(datagram) // 256
    match what >> 4:
        case 1:
            return []
        case 2:
            return [datagram, datagram]
        case 3:
            return [datagram[:where] + bytes([datagram[where] ^ (how or 1)]) + datagram[where + 1 :]]
        case 4:
            return [datagram[:where]]
        case 5:
            return [datagram[:where] + bytes([how]) * (what & 15) + datagram[where:]]
        case 6:
            return [datagram, bytes([how]) * (what & 15) + datagram[where:]]
        case _:
            return [datagram]
