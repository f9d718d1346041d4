"""The check that a browser sends every few seconds for as long as it listens, and the answer to it.

Both are as the last ones but for their number and their proofs, and with large audiences nothing is done as often: so
what stays the same of them is made once. Invariant: what is answered has both proofs, MESSAGE-INTEGRITY and FINGERPRINT
(RFC 8489, sections 14.5 and 14.7), and asks what the check asked that this was made of.
"""

from __future__ import annotations

import functools
import hashlib
import hmac
import struct
import zlib

from parola.rtp import stun
from parola.rtp.stun import HEADER_BYTES, Address, Attribute

_PROOFS = 4 + 20 + 8
"""Bytes of both at the end of a message."""
_INTEGRITY = struct.pack("!HH", Attribute.MESSAGE_INTEGRITY, 20)
_FINGERPRINT = struct.pack("!HH", Attribute.FINGERPRINT, 4)
_FINGERPRINT_XOR = 0x5354554E
_CRC = struct.Struct("!4sI")
_BLOCK = 64
_INNER, _OUTER = (bytes(byte ^ pad for byte in range(256)) for pad in (0x36, 0x5C))
_IPV4_BYTES = 12
"""Of XOR-MAPPED-ADDRESS with its head."""
# At hand, since each look into a module is a hundredth of an answer.
_sha1, _same, _crc32, _join = hashlib.sha1, hmac.compare_digest, zlib.crc32, b"".join


class Usual:
    """Made by `usual`."""

    __slots__ = ("_body", "_head", "_inner", "_mapped", "_outer", "_signed_head", "source")

    def __init__(self, check: bytes, source: Address, password: bytes) -> None:
        self.source = source
        self._head, self._signed_head = _heads(check[:8])
        self._body = check[HEADER_BYTES:-_PROOFS]
        # RFC 2104, by hand: the library looks up its hash by name each time, which takes as long as to hash.
        key = (password if len(password) <= _BLOCK else _sha1(password).digest()).ljust(_BLOCK, b"\0")
        self._inner, self._outer = key.translate(_INNER), key.translate(_OUTER)
        self._mapped = stun.mapped_attribute(source)

    def answer(self, check: bytes) -> bytes | None:
        """To this check, whatever its number; None where it is another one, or not authentic."""
        body = self._body
        if check[HEADER_BYTES:-_PROOFS] != body:
            return None
        number, inner, outer = check[8:HEADER_BYTES], self._inner, self._outer
        tag = _sha1(outer + _sha1(_join((inner, self._signed_head, number, body))).digest()).digest()
        said = _join((self._head, number, body, _INTEGRITY, tag))
        if not _same(check, said + _CRC.pack(_FINGERPRINT, _crc32(said) ^ _FINGERPRINT_XOR)):
            return None
        mapped = self._mapped
        if len(mapped) == _IPV4_BYTES:
            head, signed_head = _HEADS_V4
        else:
            # RFC 8489, section 14.2: the last 96 bits of an IPv6 address are mixed with the number of the check.
            mapped = (int.from_bytes(mapped) ^ int.from_bytes(number)).to_bytes(len(mapped))
            head, signed_head = _HEADS_V6
        tag = _sha1(outer + _sha1(_join((inner, signed_head, number, mapped))).digest()).digest()
        said = _join((head, number, mapped, _INTEGRITY, tag))
        return said + _CRC.pack(_FINGERPRINT, _crc32(said) ^ _FINGERPRINT_XOR)


def usual(check: bytes, source: Address, password: bytes) -> Usual | None:
    """Of an authentic check from `source`; None where it does not end with its two proofs. `password`: what checks and
    answers are signed with."""
    heads = check[-_PROOFS : 4 - _PROOFS] + check[-8:-4]
    return Usual(check, source, password) if heads == _INTEGRITY + _FINGERPRINT else None


@functools.lru_cache(maxsize=64)
def _heads(head: bytes) -> tuple[bytes, bytes]:
    """The header, and as MESSAGE-INTEGRITY covers it: as if FINGERPRINT did not follow (RFC 8489, section 14.5). Kept,
    so that ten thousand listeners share theirs."""
    kind, length, cookie = stun.HEAD.unpack(head)
    return head, stun.HEAD.pack(kind, length - 8, cookie)


def _answer_heads(mapped_bytes: int) -> tuple[bytes, bytes]:
    return _heads(stun.HEAD.pack(stun.BINDING_SUCCESS, mapped_bytes + _PROOFS, stun.MAGIC_COOKIE))


_HEADS_V4, _HEADS_V6 = _answer_heads(_IPV4_BYTES), _answer_heads(_IPV4_BYTES + 12)
