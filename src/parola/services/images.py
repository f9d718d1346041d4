"""Pictures that people send: how large they are is read from their first bytes, before anything is decoded, and what
is kept is drawn anew, so that nothing else that came with the bytes stays."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from parola.domain.errors import Invalid, TooLarge, Unsupported

LARGEST_BYTES = 5 << 20
MOST_PIXELS = 25_000_000
_MOST_SCANS = 100
"""Of a progressive JPEG: each goes over all of the picture again, however few its bytes. Cameras write about ten."""
_SCAN = b"\xff\xda"
SIZES = (96, 400)
"""Of the squares that are kept, in pixels."""
_QUALITY = 82
_PAPER = (245, 242, 234)
"""Behind what is transparent."""
# ITU-T T.81, table B.1: frames, without the three markers that lie between them and are none.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})


def measure(data: bytes) -> tuple[str, int, int]:
    """Format as Pillow calls it, width and height in pixels. Raises Unsupported for what is neither JPEG nor PNG nor
    WebP, Invalid for what is broken."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG", *_png(data)
    if data.startswith(b"\xff\xd8"):
        return "JPEG", *_jpeg(data)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP", *_webp(data)
    raise Unsupported("unsupported_media_type", "A picture is JPEG, PNG or WebP.")


def check(data: bytes) -> str:
    """The format of what may be decoded. Raises TooLarge, Unsupported, Invalid."""
    if len(data) > LARGEST_BYTES:
        raise TooLarge("too_large", f"At most {LARGEST_BYTES} bytes.")
    kind, width, height = measure(data)
    if not width or not height:
        raise _broken()
    if width * height > MOST_PIXELS:
        raise TooLarge("too_large", f"At most {MOST_PIXELS} pixels.")
    if kind == "JPEG" and data.count(_SCAN) > _MOST_SCANS:
        raise _broken()
    return kind


def redraw(data: bytes, kind: str) -> dict[int, bytes]:
    """The square in the middle as WebP, in each of `SIZES`, without any metadata. Takes a while: not for an event
    loop. Raises Invalid."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(data), formats=[kind]) as image:
            if image.width * image.height > MOST_PIXELS:
                raise _broken()  # the bytes said something else
            image.draft("RGB", (max(SIZES), max(SIZES)))
            upright = ImageOps.exif_transpose(image)
            seen = (
                upright.convert("RGBA")
                if _is_transparent(upright.mode, upright.info)
                else upright.convert("RGB")
            )
            square = ImageOps.fit(seen, (max(SIZES), max(SIZES)), Image.Resampling.LANCZOS)
    except (
        OSError,
        ValueError,
        SyntaxError,
        OverflowError,
        ArithmeticError,
        LookupError,
        MemoryError,
        Image.DecompressionBombError,
    ) as error:
        raise _broken() from error
    # A new picture: Pillow would write what it knows of the old one, such as its colour profile.
    clean = Image.new("RGB", square.size, _PAPER)
    clean.paste(square, mask=square if square.mode == "RGBA" else None)
    drawn = {}
    for size in SIZES:
        out = io.BytesIO()
        clean.resize((size, size), Image.Resampling.LANCZOS).save(out, "WEBP", quality=_QUALITY, method=4)
        drawn[size] = out.getvalue()
    return drawn


def _is_transparent(mode: str, info: Mapping[Any, object]) -> bool:
    return mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in info


def _png(data: bytes) -> tuple[int, int]:
    """PNG, section 11.2.1: the header comes first."""
    if data[12:16] != b"IHDR" or len(data) < 24:
        raise _broken()
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _jpeg(data: bytes) -> tuple[int, int]:
    """ITU-T T.81, section B.2: markers with a length, until the first frame."""
    at = 2
    while at + 9 <= len(data):
        if data[at] != 0xFF:
            raise _broken()
        marker = data[at + 1]
        if marker == 0xFF:  # filling
            at += 1
        elif marker in _ALONE:
            at += 2
        elif marker in _FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(data[at + 5 : at + 7], "big")
        else:
            length = int.from_bytes(data[at + 2 : at + 4], "big")
            if length < 2 or marker == 0xDA:
                raise _broken()
            at += 2 + length
    raise _broken()


def _webp(data: bytes) -> tuple[int, int]:
    """RFC 9649: extended (section 2.7), lossy (RFC 6386, section 9.1), lossless (section 3.4)."""
    if len(data) < 30:
        raise _broken()
    kind, body = data[12:16], data[20:30]
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    if kind == b"VP8L" and body[0] == 0x2F:
        bits = int.from_bytes(body[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    raise _broken()


def _broken() -> Invalid:
    return Invalid.field("picture", "This picture cannot be read.")
