"""STUN messages (RFC 8489) as far as ICE needs them: binding requests and their answers.

Invariant: `parse` accepts only what is whole and well-formed to the last attribute, FINGERPRINT included where there is
one; it never says that a message is authentic. `Message.check_integrity` does.
"""

from __future__ import annotations

import binascii
import hmac
import ipaddress
import struct
from dataclasses import dataclass
from enum import IntEnum

Address = tuple[str, int]

MAGIC_COOKIE = 0x2112A442
BINDING = 0x001
USERNAME = 0x0006
MESSAGE_INTEGRITY = 0x0008
ERROR_CODE = 0x0009
UNKNOWN_ATTRIBUTES = 0x000A
XOR_MAPPED_ADDRESS = 0x0020
PRIORITY = 0x0024
USE_CANDIDATE = 0x0025
FINGERPRINT = 0x8028
ICE_CONTROLLED = 0x8029
ICE_CONTROLLING = 0x802A

_HEADER = struct.Struct("!HHI12s")
_FINGERPRINT_XOR = 0x5354554E
_LARGEST = 1280


class StunError(ValueError):
    """Bytes that are no STUN message."""


class MessageClass(IntEnum):
    """RFC 8489, section 5."""

    REQUEST = 0x000
    INDICATION = 0x010
    RESPONSE = 0x100
    ERROR = 0x110


@dataclass(frozen=True, slots=True)
class Message:
    """`attributes` in order, without MESSAGE-INTEGRITY and FINGERPRINT, which belong to the bytes and not the content."""

    method: int
    message_class: MessageClass
    transaction_id: bytes
    attributes: tuple[tuple[int, bytes], ...] = ()
    _signed: bytes = b""
    """The bytes that MESSAGE-INTEGRITY covers, with the length it was computed over; empty where there is none."""
    _integrity: bytes = b""

    def attribute(self, kind: int) -> bytes | None:
        """The first of its kind: later ones are ignored (RFC 8489, section 14)."""
        return next((value for k, value in self.attributes if k == kind), None)

    def check_integrity(self, password: bytes) -> bool:
        """Short-term credentials (RFC 8489, section 9.1): whether whoever wrote this knew the password."""
        if not self._integrity:
            return False
        return hmac.compare_digest(hmac.digest(password, self._signed, "sha1"), self._integrity)

    def to_bytes(self, password: bytes | None = None) -> bytes:
        """With MESSAGE-INTEGRITY where there is a password, and always with FINGERPRINT."""
        body = b"".join(_attribute(kind, value) for kind, value in self.attributes)
        if password is not None:
            signed = self._head(len(body) + 24) + body
            body += _attribute(MESSAGE_INTEGRITY, hmac.digest(password, signed, "sha1"))
        crc = binascii.crc32(self._head(len(body) + 8) + body) ^ _FINGERPRINT_XOR
        body += _attribute(FINGERPRINT, struct.pack("!I", crc))
        return self._head(len(body)) + body

    def _head(self, length: int) -> bytes:
        kind = (self.method & 0xF80) << 2 | (self.method & 0x70) << 1 | self.method & 0xF | self.message_class
        return _HEADER.pack(kind, length, MAGIC_COOKIE, self.transaction_id)


def parse(data: bytes) -> Message:
    """Raises StunError."""
    if len(data) < 20 or len(data) > _LARGEST or data[0] & 0xC0:
        raise StunError("no STUN header")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(data)
    if cookie != MAGIC_COOKIE or length != len(data) - 20 or length % 4:
        raise StunError("no STUN message of RFC 8489")
    method = kind & 0xF | (kind >> 1) & 0x70 | (kind >> 2) & 0xF80
    attributes: list[tuple[int, bytes]] = []
    signed = integrity = b""
    at = 20
    while at < len(data):
        if at + 4 > len(data):
            raise StunError("truncated attribute")
        attribute, size = struct.unpack_from("!HH", data, at)
        value = data[at + 4 : at + 4 + size]
        end = at + 4 + size + (-size % 4)
        if len(value) != size or end > len(data):
            raise StunError("truncated attribute")
        if attribute == FINGERPRINT:
            if size != 4 or end != len(data):
                raise StunError("FINGERPRINT is not last")
            if struct.unpack("!I", value)[0] != binascii.crc32(data[:at]) ^ _FINGERPRINT_XOR:
                raise StunError("wrong FINGERPRINT")
        elif integrity:
            pass  # RFC 8489, section 14.5: what follows MESSAGE-INTEGRITY is ignored
        elif attribute == MESSAGE_INTEGRITY:
            if size != 20:
                raise StunError("MESSAGE-INTEGRITY of a wrong size")
            signed = data[:2] + struct.pack("!H", at - 20 + 24) + data[4:at]
            integrity = value
        else:
            attributes.append((attribute, value))
        at = end
    return Message(method, MessageClass(kind & 0x110), transaction_id, tuple(attributes), signed, integrity)


def local_ufrag(data: bytes) -> str | None:
    """Our half of the USERNAME of a binding request, None for whatever has none: tells whose request it may be."""
    try:
        message = parse(data)
    except StunError:
        return None
    username = message.attribute(USERNAME)
    if message.message_class is not MessageClass.REQUEST or username is None:
        return None
    local, colon, _ = username.partition(b":")
    return local.decode("ascii", "replace") if colon else None


def xor_address(address: Address, transaction_id: bytes) -> bytes:
    """XOR-MAPPED-ADDRESS (RFC 8489, section 14.2)."""
    ip = ipaddress.ip_address(address[0].partition("%")[0])
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    mask = (struct.pack("!I", MAGIC_COOKIE) + transaction_id)[: len(ip.packed)]
    masked = bytes(a ^ b for a, b in zip(ip.packed, mask, strict=True))
    return struct.pack("!BBH", 0, 1 if ip.version == 4 else 2, address[1] ^ (MAGIC_COOKIE >> 16)) + masked


def parse_xor_address(value: bytes, transaction_id: bytes) -> Address:
    """Raises StunError."""
    if len(value) not in (8, 20) or value[1] != (1 if len(value) == 8 else 2):
        raise StunError("no address")
    mask = (struct.pack("!I", MAGIC_COOKIE) + transaction_id)[: len(value) - 4]
    ip = ipaddress.ip_address(bytes(a ^ b for a, b in zip(value[4:], mask, strict=True)))
    return str(ip), struct.unpack_from("!H", value, 2)[0] ^ (MAGIC_COOKIE >> 16)


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + b"\0" * (-len(value) % 4)
