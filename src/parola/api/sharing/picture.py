"""The picture of a card: mark, title, faces, and whether it is live. Pillow is imported with the first one drawn."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Pen

    from parola.api.sharing.cards import Face

WIDTH, HEIGHT = 1200, 630
"""What Open Graph's readers show whole."""

_PAPER, _INK, _SOFT = "#f5f2ea", "#1e211f", "#5a605b"
_VOICE, _ON_VOICE, _SPARK = "#0c6b5c", "#fffdf7", "#f0b34a"
_TONES = ("#7a4b21", "#8a3a4a", "#5d4a8c", "#2c5a8f", "#1d6672", "#3d6a35", "#6d6120", "#7b3f7d")
_MARGIN = 72
_LINES = 3
_FACE = 132


def draw(title: str, by: str, faces: Sequence[Face], live: bool) -> bytes:
    """A PNG of `WIDTH` × `HEIGHT`. What the font has no signs for is left out: the title stands in the text beside the
    picture anyway."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), _PAPER)
    pen = ImageDraw.Draw(image)
    _mark(pen, _MARGIN, 56, 72)
    pen.text((_MARGIN + 92, 92), "Parola", _INK, _font(44), anchor="lm")
    if live:
        pen.rounded_rectangle((WIDTH - _MARGIN - 150, 62, WIDTH - _MARGIN, 122), 30, _VOICE)
        pen.text((WIDTH - _MARGIN - 75, 92), "LIVE", _ON_VOICE, _font(30), anchor="mm")
    for at, line in enumerate(_lines(_legible(title), 60, WIDTH - 2 * _MARGIN)):
        pen.text((_MARGIN, 168 + at * 78), line, _INK, _font(60))
    for at, face in enumerate(faces):
        _face(pen, _MARGIN + at * (_FACE + 20), 432, face)
    pen.text((_MARGIN, 594), _lines(_legible(by), 28, WIDTH - 2 * _MARGIN)[0], _SOFT, _font(28), anchor="lm")
    found = io.BytesIO()
    image.save(found, "PNG", optimize=True)
    return found.getvalue()


def tone(handle: str) -> str:
    """The same colour as on the page."""
    total = 7
    for sign in handle:
        total = (total * 31 + ord(sign)) & 0xFFFFFFFF
    return _TONES[total % len(_TONES)]


def _mark(pen: Pen, x: int, y: int, size: int) -> None:
    unit = size / 32

    def at(*points: float) -> tuple[float, ...]:
        return tuple(p * unit + (x, y)[i % 2] for i, p in enumerate(points))

    pen.rounded_rectangle(at(0, 0, 32, 32), 8 * unit, _VOICE)
    pen.ellipse(at(8.5, 5.5, 25.5, 22.5), outline=_ON_VOICE, width=round(4 * unit))
    pen.line(at(10.5, 13, 10.5, 26), _ON_VOICE, round(4 * unit))
    pen.ellipse(at(15, 12, 19, 16), _SPARK)


def _face(pen: Pen, x: int, y: int, face: Face) -> None:
    pen.ellipse((x, y, x + _FACE, y + _FACE), tone(face.handle))
    words = _legible(face.name).split() or [face.handle]
    letters = (words[0][0] + words[-1][0]) if len(words) > 1 else words[0][0]
    pen.text((x + _FACE / 2, y + _FACE / 2), letters.upper(), "#ffffff", _font(52), anchor="mm")


def _lines(text: str, size: int, width: int) -> list[str]:
    """At most `_LINES`; a word that is wider than a line is broken."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if _font(size).getlength(longer) <= width:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for sign in word:
            if _font(size).getlength(lines[-1] + sign) > width:
                lines.append("")
            lines[-1] += sign
    if len(lines) > _LINES:
        lines = lines[:_LINES]
        while _font(size).getlength(lines[-1] + " …") > width:
            lines[-1] = lines[-1][:-1]
        lines[-1] += " …"
    return lines


def _legible(text: str) -> str:
    return " ".join("".join(sign for sign in text if sign.isspace() or _is_drawn(sign)).split())


@lru_cache(4096)
def _is_drawn(sign: str) -> bool:
    return bytes(_font(20).getmask(sign)) != bytes(_font(20).getmask("\uffff"))


@lru_cache(8)
def _font(size: int) -> Any:
    from PIL import ImageFont
    from ttf_opensans import opensans

    return ImageFont.truetype(opensans(font_weight=600).path, size, layout_engine=ImageFont.Layout.BASIC)
