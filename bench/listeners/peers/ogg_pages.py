"""Ogg pages out of a stream of bytes (RFC 3533, section 6), and the Opus packets in them (RFC 7845)."""

from __future__ import annotations

from dataclasses import dataclass

_CAPTURE = b"OggS"
_HEAD = 27
_HEADERS = 2
"""Pages before the sound: identification and comments, each on a page of its own."""


class OggError(ValueError):
    """Bytes that are no pages."""


@dataclass(frozen=True, slots=True)
class Page:
    """`samples`: how many there have been at its end, at 48 kHz; `packets` are whole: nothing here is longer than a
    page."""

    number: int
    samples: int
    octets: int
    packets: tuple[bytes, ...]

    @property
    def is_sound(self) -> bool:
        return self.number >= _HEADERS


class Pages:
    """Takes bytes as they come, and gives pages as they are complete."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> list[Page]:
        """Raises OggError."""
        data = self._rest + data if self._rest else data
        found: list[Page] = []
        at = 0
        while (end := _end(data, at)) is not None and end <= len(data):
            found.append(_page(data, at, end))
            at = end
        self._rest = data[at:]
        return found


def _end(data: bytes, at: int) -> int | None:
    """Where the page that begins there ends; None where its head is not complete yet."""
    if len(data) < at + _HEAD:
        return None
    if data[at : at + 4] != _CAPTURE:
        raise OggError("no page where one should begin")
    body = at + _HEAD + data[at + 26]
    if len(data) < body:
        return None
    return body + sum(data[at + _HEAD : body])


def _page(data: bytes, at: int, end: int) -> Page:
    laces = data[at + _HEAD : at + _HEAD + data[at + 26]]
    packets: list[bytes] = []
    begin = place = at + _HEAD + len(laces)
    for lace in laces:
        place += lace
        if lace < 255:
            packets.append(data[begin:place])
            begin = place
    return Page(
        number=int.from_bytes(data[at + 18 : at + 22], "little"),
        samples=int.from_bytes(data[at + 6 : at + 14], "little", signed=True),
        octets=end - at,
        packets=tuple(packets),
    )
