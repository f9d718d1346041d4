"""The records of DTLS 1.2 (RFC 6347, section 4.1), as far as they can be read without keys."""

from __future__ import annotations

import struct
from collections.abc import Iterator

CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA = 20, 21, 22, 23
HEAD = 13
VERSION = b"\xfe\xfd"
_VERSIONS = (b"\xfe\xff", VERSION)


def records(data: bytes) -> list[bytes] | None:
    """The records of a datagram, or None when they do not fill it exactly."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        head = data[at : at + HEAD]
        if len(head) < HEAD or head[1:3] not in _VERSIONS:
            return None
        if not CHANGE_CIPHER_SPEC <= head[0] <= APPLICATION_DATA:
            return None
        end = at + HEAD + int.from_bytes(head[11:13], "big")
        if end > len(data):
            return None
        found.append(data[at:end])
        at = end
    return found


def message(record: bytes) -> tuple[int, int] | None:
    """Number and fragment offset of the handshake message in a plain record (RFC 6347, section 4.2.2)."""
    if record[0] != HANDSHAKE or record[3:5] != b"\0\0" or len(record) < HEAD + 12:
        return None
    number, offset_high, offset_low = struct.unpack_from("!HBH", record, HEAD + 4)
    return number, offset_high << 16 | offset_low


def announced(record: bytes) -> Iterator[tuple[int, int]]:
    """Number and whole length of each handshake message of which a plain record holds a fragment."""
    if record[0] != HANDSHAKE or record[3:5] != b"\0\0":
        return
    at = HEAD
    while at + 12 <= len(record):
        number = int.from_bytes(record[at + 4 : at + 6], "big")
        yield number, int.from_bytes(record[at + 1 : at + 4], "big")
        at += 12 + int.from_bytes(record[at + 9 : at + 12], "big")


def first_message(found: list[bytes]) -> int | None:
    return next((number[0] for number in map(message, found) if number is not None), None)
