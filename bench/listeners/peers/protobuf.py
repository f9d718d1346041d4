"""Protocol buffers, the little of the wire format that a handful of messages needs: whole numbers, text and messages
inside of messages, by field number.
"""

from __future__ import annotations

from collections.abc import Iterable

Value = int | bytes | str
Fields = dict[int, list[int | bytes]]
_VARINT, _EIGHT_BYTES, _SIZED, _FOUR_BYTES = 0, 1, 2, 5


class ProtobufError(ValueError):
    """Bytes that are no message."""


def encode(*fields: tuple[int, Value]) -> bytes:
    """Field numbers and values; a bool is a whole number, a message inside is its bytes."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3 | _VARINT) + _varint(value)
        else:
            data = value.encode() if isinstance(value, str) else value
            out += _varint(number << 3 | _SIZED) + _varint(len(data)) + data
    return bytes(out)


def decode(data: bytes) -> Fields:
    """All values of each field, in order; what is inside a message stays bytes. Raises ProtobufError."""
    fields: Fields = {}
    at = 0
    while at < len(data):
        key, at = _read_varint(data, at)
        value: int | bytes
        if key & 7 == _VARINT:
            value, at = _read_varint(data, at)
        else:
            size, at = _size(key & 7, data, at)
            if at + size > len(data):
                raise ProtobufError("a field is cut off")
            value, at = data[at : at + size], at + size
        fields.setdefault(key >> 3, []).append(value)
    return fields


def number(fields: Fields, field: int) -> int:
    """The last value of a field, 0 where it is missing, as the format wants it."""
    return next((v for v in reversed(fields.get(field, ())) if isinstance(v, int)), 0)


def octets(fields: Fields, field: int) -> bytes:
    return next((v for v in reversed(fields.get(field, ())) if isinstance(v, bytes)), b"")


def text(fields: Fields, field: int) -> str:
    return octets(fields, field).decode()


def messages(fields: Fields, field: int) -> Iterable[Fields]:
    return (decode(v) for v in fields.get(field, ()) if isinstance(v, bytes))


def _size(kind: int, data: bytes, at: int) -> tuple[int, int]:
    if kind == _SIZED:
        return _read_varint(data, at)
    if kind in (_FOUR_BYTES, _EIGHT_BYTES):
        return (4 if kind == _FOUR_BYTES else 8), at
    raise ProtobufError(f"wire type {kind}")


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ProtobufError("a number is cut off")
