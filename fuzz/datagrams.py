"""Several datagrams in one input: each with its length in two bytes before it."""

from __future__ import annotations

_MOST = 64


def join(*datagrams: bytes) -> bytes:
    return b"".join(len(datagram).to_bytes(2, "big") + datagram for datagram in datagrams)


def split(data: bytes) -> list[bytes]:
    """Any bytes are some datagrams: a length that is too great means all that is left."""
    found = []
    while len(data) > 2 and len(found) < _MOST:
        end = 2 + int.from_bytes(data[:2], "big")
        found.append(data[2:end])
        data = data[end:]
    return found
