"""STUN messages (RFC 8489), as far as ICE needs them: binding requests and their answers.

Invariant: a `Message` is well formed, its FINGERPRINT (if any) is right, and it holds nothing that stood behind
its MESSAGE-INTEGRITY; whether that integrity is right is known only after `check_integrity`, and only then may
anything in the message be believed.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import ipaddress
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

Address = tuple[str, int]
"""(IPv4 or IPv6 address in text, UDP port)."""

MAGIC_COOKIE = 0x2112A442
BINDING = 0x001
BINDING_SUCCESS = 0x0101
"""The type of its answer, method and class in one (RFC 8489, section 5)."""
HEADER_BYTES = 20
LARGEST = 1500
"""Bytes. A connectivity check has about a hundred, and RFC 8489, section 6.1, wants one datagram unfragmented."""

HEAD = struct.Struct("!HHI")
"""A header without its transaction id: type, length, cookie."""
_HEADER = struct.Struct("!HHI12s")
_ATTRIBUTE = struct.Struct("!HH")
_FINGERPRINT_XOR = 0x5354554E
_INTEGRITY_BYTES = 20
_MOST_ATTRIBUTES = 20
"""A check has seven to ten. Hundreds of empty ones fit into a datagram, and it costs more to read than to send them."""
_OPTIONAL = 0x8000
"""Attribute types from here on may be ignored by those who do not know them (RFC 8489, section 14)."""


class StunError(ValueError):
    """These bytes are no STUN message."""


class Class(IntEnum):
    """RFC 8489, section 5."""

    REQUEST = 0
    INDICATION = 1
    SUCCESS = 2
    ERROR = 3


class Attribute(IntEnum):
    """RFC 8489, section 18.3, and RFC 8445, section 16.1."""

    MAPPED_ADDRESS = 0x0001
    USERNAME = 0x0006
    MESSAGE_INTEGRITY = 0x0008
    ERROR_CODE = 0x0009
    UNKNOWN_ATTRIBUTES = 0x000A
    MESSAGE_INTEGRITY_SHA256 = 0x001C
    XOR_MAPPED_ADDRESS = 0x0020
    PRIORITY = 0x0024
    USE_CANDIDATE = 0x0025
    SOFTWARE = 0x8022
    FINGERPRINT = 0x8028
    ICE_CONTROLLED = 0x8029
    ICE_CONTROLLING = 0x802A


_KNOWN = frozenset(map(int, Attribute))
_PADDING = tuple(bytes(n) for n in range(4))
_COOKIE = MAGIC_COOKIE.to_bytes(4, "big")
_MAPPED = struct.Struct("!BBH")
_CRC = struct.Struct("!I")
# Plain numbers and members at hand: this is done for every check of every listener.
_CLASSES = {int(known): known for known in Class}
_FINGERPRINT, _INTEGRITY = int(Attribute.FINGERPRINT), int(Attribute.MESSAGE_INTEGRITY)
_MAPPED_ADDRESS = int(Attribute.XOR_MAPPED_ADDRESS)
_INTEGRITY_HEAD, _FINGERPRINT_HEAD = _ATTRIBUTE.pack(_INTEGRITY, 20), _ATTRIBUTE.pack(_FINGERPRINT, 4)
_LENGTH = struct.Struct("!H")


@dataclass(frozen=True, slots=True)
class Message:
    """One message. `attributes`: type to value without padding; of equal types the first counts."""

    method: int
    message_class: Class
    transaction_id: bytes
    attributes: Mapping[int, bytes] = field(default_factory=dict)
    signed: bytes = b""
    """What MESSAGE-INTEGRITY covers; empty in a message that was not parsed or carries none."""

    @property
    def username(self) -> bytes:
        return self.attributes.get(Attribute.USERNAME, b"")

    @property
    def unknown(self) -> list[int]:
        """Types of the attributes that must be understood and are not (RFC 8489, section 6.3.1)."""
        return [kind for kind in self.attributes if kind < _OPTIONAL and kind not in _KNOWN]

    @property
    def error_code(self) -> int | None:
        """RFC 8489, section 14.8: 300 to 699, or None."""
        value = self.attributes.get(Attribute.ERROR_CODE, b"")
        return (value[2] & 0x07) * 100 + value[3] if len(value) >= 4 else None

    @property
    def mapped_address(self) -> Address | None:
        """What XOR-MAPPED-ADDRESS holds (RFC 8489, section 14.2); None when it is absent or malformed."""
        value = self.attributes.get(Attribute.XOR_MAPPED_ADDRESS, b"")
        if (len(value), value[1:2]) not in ((8, b"\x01"), (20, b"\x02")):
            return None
        port = int.from_bytes(value[2:4], "big") ^ (MAGIC_COOKIE >> 16)
        return str(ipaddress.ip_address(_xor_address(value[4:], self.transaction_id))), port

    def check_integrity(self, password: bytes) -> bool:
        """Whether MESSAGE-INTEGRITY is there and made with `password` (RFC 8489, sections 9.1.3 and 14.5)."""
        tag = self.attributes.get(Attribute.MESSAGE_INTEGRITY)
        if tag is None or not self.signed:
            return False
        return hmac.compare_digest(tag, hmac.digest(password, self.signed, hashlib.sha1))


def parse(datagram: bytes) -> Message:
    """Raises StunError."""
    if not HEADER_BYTES <= len(datagram) <= LARGEST:
        raise StunError("length of the datagram")
    kind, length, cookie, transaction_id = _HEADER.unpack_from(datagram)
    if kind & 0xC000 or cookie != MAGIC_COOKIE:
        raise StunError("not STUN")
    if length % 4 or length != len(datagram) - HEADER_BYTES:
        raise StunError("length of the message")
    attributes, signed = _attributes(datagram)
    # RFC 8489, section 5: the class is spread over the bits 4 and 8 of the type.
    method = kind & 0x000F | kind >> 1 & 0x0070 | kind >> 2 & 0x0F80
    return Message(method, _CLASSES[kind >> 4 & 1 | kind >> 7 & 2], transaction_id, attributes, signed)


def encode(message: Message, password: bytes | None = None) -> bytes:
    """The bytes of a message, with MESSAGE-INTEGRITY where there is a password, and always with FINGERPRINT
    (RFC 8445, section 7.1)."""
    body = b"".join([_encode_attribute(kind, value) for kind, value in message.attributes.items()])
    kind = _kind(message)
    if password is not None:
        length = len(body) + 4 + _INTEGRITY_BYTES
        covered = _HEADER.pack(kind, length, MAGIC_COOKIE, message.transaction_id) + body
        body += _encode_attribute(_INTEGRITY, hmac.digest(password, covered, hashlib.sha1))
    covered = _HEADER.pack(kind, len(body) + 8, MAGIC_COOKIE, message.transaction_id) + body
    return covered + _encode_attribute(_FINGERPRINT, _fingerprint(covered))


def is_success(datagram: bytes) -> bool:
    """Whether it says that it answers a binding request with success. Nothing is verified. Never raises."""
    return datagram[:2] == b"\x01\x01"


def transaction_id(datagram: bytes) -> bytes:
    """What it says it answers (RFC 8489, section 5), to find the one who will verify it. Never raises."""
    return datagram[8:20]


def local_ufrag(datagram: bytes) -> str | None:
    """The user name fragment that a binding request is meant for: what stands before the colon of its
    USERNAME (RFC 8445, section 7.2.2). Nothing is verified: this only finds the one who will. Never raises."""
    if len(datagram) < HEADER_BYTES or datagram[:2] != b"\x00\x01":
        return None
    at, end = HEADER_BYTES, len(datagram) - 4
    for _ in range(_MOST_ATTRIBUTES):
        if at > end:
            return None
        kind, length = _ATTRIBUTE.unpack_from(datagram, at)
        if kind == Attribute.USERNAME:
            name, colon, _ = datagram[at + 4 : at + 4 + length].partition(b":")
            return name.decode("ascii") if colon and name.isascii() else None
        at += 4 + length + (-length & 3)
    return None


def success(transaction_id: bytes, source: Address, password: bytes) -> bytes:
    """The answer to a binding request from `source`: what `encode` would make of it, in half the time."""
    mapped = xor_address(source, transaction_id)
    attribute = _ATTRIBUTE.pack(_MAPPED_ADDRESS, len(mapped)) + mapped
    size = len(attribute) + 4 + _INTEGRITY_BYTES
    covered = _HEADER.pack(BINDING_SUCCESS, size, MAGIC_COOKIE, transaction_id) + attribute
    tag = hmac.digest(password, covered, hashlib.sha1)
    covered = b"".join((covered[:2], _LENGTH.pack(size + 8), covered[4:], _INTEGRITY_HEAD, tag))
    return covered + _FINGERPRINT_HEAD + _fingerprint(covered)


def mapped_attribute(source: Address) -> bytes:
    """XOR-MAPPED-ADDRESS with its head, as the answer to a check has it whose transaction id is all zero."""
    return _encode_attribute(_MAPPED_ADDRESS, xor_address(source, bytes(12)))


def xor_address(address: Address, transaction_id: bytes) -> bytes:
    """The value of XOR-MAPPED-ADDRESS (RFC 8489, section 14.2). Raises StunError for what is no address."""
    host, port = address
    packed = _packed(host)
    family = 1 if len(packed) == 4 else 2
    return _MAPPED.pack(0, family, port ^ (MAGIC_COOKIE >> 16)) + _xor_address(packed, transaction_id)


@functools.lru_cache(maxsize=1024)
def _packed(host: str) -> bytes:
    """Many checks come from few hosts, one after the other; the library takes its time with each."""
    try:
        ip = ipaddress.ip_address(host)
    except ValueError as error:
        raise StunError("not an address") from error
    # A socket for both families shows IPv4 sources in IPv6 clothes; clients know themselves by the plain address.
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip
    return ip.packed


def _attributes(datagram: bytes) -> tuple[dict[int, bytes], bytes]:
    """The attributes that count, and the bytes that MESSAGE-INTEGRITY covers."""
    attributes: dict[int, bytes] = {}
    signed = b""
    at, end, count = HEADER_BYTES, len(datagram), 0
    while at < end:
        count += 1
        if count > _MOST_ATTRIBUTES:
            raise StunError("too many attributes")
        kind, length = _ATTRIBUTE.unpack_from(datagram, at)
        value = datagram[at + 4 : at + 4 + length]
        following = at + 4 + length + (-length & 3)
        if following > end:
            raise StunError("an attribute is longer than the message")
        if kind == _FINGERPRINT:
            if following != end or value != _fingerprint(datagram[:at]):
                raise StunError("FINGERPRINT")  # RFC 8489, section 14.7: it is the last one.
            attributes[kind] = value
        elif signed:
            pass  # RFC 8489, section 14.5: nothing behind MESSAGE-INTEGRITY counts but FINGERPRINT.
        elif kind == _INTEGRITY:
            if length != _INTEGRITY_BYTES:
                raise StunError("MESSAGE-INTEGRITY")
            # The length in the header counts as if the message ended here.
            signed = datagram[:2] + struct.pack("!H", following - HEADER_BYTES) + datagram[4:at]
            attributes[kind] = value
        else:
            attributes.setdefault(kind, value)
        at = following
    return attributes, signed


def _kind(message: Message) -> int:
    """The type as it stands in the header."""
    method, message_class = message.method, int(message.message_class)
    spread = method & 0x000F | (method & 0x0070) << 1 | (method & 0x0F80) << 2
    return spread | (message_class & 1) << 4 | (message_class & 2) << 7


def _encode_attribute(kind: int, value: bytes) -> bytes:
    # Padding is zero: nothing of this process's memory leaves with it.
    return _ATTRIBUTE.pack(kind, len(value)) + value + _PADDING[-len(value) & 3]


def _fingerprint(covered: bytes) -> bytes:
    return _CRC.pack(zlib.crc32(covered) ^ _FINGERPRINT_XOR)


def _xor_address(packed: bytes, transaction_id: bytes) -> bytes:
    size = len(packed)
    mask = (_COOKIE + transaction_id)[:size]
    return (int.from_bytes(packed, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")
